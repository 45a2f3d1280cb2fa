"""Which kinds the cluster serves and where.

"This kind does not exist" lets objects be taken for gone, so it is said only when the server answered for the kind's
whole group; when an aggregated API is down its kinds are unknown, never gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from weir.edges.kube.client import JSON, Kube
from weir.edges.kube.errors import KubeStatusError, StaleGroupError, UnknownKindError

_AGGREGATED: Final = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)
_CORE: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One served kind in one version."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]
    short: tuple[str, ...] = ()
    """Short names, such as `deploy`."""

    @property
    def api_version(self) -> str:
        """As manifests write it: `apps/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "") -> str:
        """The URL path of an object, or of a collection when `name` is empty."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        return f"{root}{place}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


@dataclass(frozen=True, slots=True)
class _Group:
    """Versions in the server's order of preference, and those that do not answer."""

    versions: Mapping[str, Mapping[str, Resource]]
    stale: frozenset[str]


class Discovery:
    """The kinds of one cluster, read when first needed and again when asked. Thread-safe."""

    def __init__(self, kube: Kube, *, aggregated: bool = True) -> None:
        """`aggregated` False asks in the older form, with one call per API version."""
        self._kube = kube
        self._accept = _AGGREGATED if aggregated else JSON
        self._lock = threading.Lock()
        self._groups: Mapping[str, _Group] | None = None
        self.read_at = 0.0
        """`time.monotonic()` of the last reading."""

    def refresh(self) -> None:
        """Read again, after definitions were applied. Raises ClusterError."""
        groups = _read_groups(self._kube, self._accept)
        with self._lock:
            self._groups, self.read_at = groups, time.monotonic()

    def resource(self, api_version: str, kind: str) -> Resource:
        """The kind in exactly this version.

        Raises:
            UnknownKindError: the cluster certainly does not serve it.
            StaleGroupError: the API that may serve it does not answer.
        """
        group, version = split(api_version)
        found = self._group(group)
        if found and kind in found.versions.get(version, {}):
            return found.versions[version][kind]
        if found and version in found.stale:
            raise _stale(group, version, kind)
        raise _unknown(kind, api_version, found)

    def any_version(self, group: str, kind: str, version: str = "") -> Resource:
        """The kind in this version when served, else in the version that the server prefers.

        Raises:
            UnknownKindError: no version of the group serves it, and all of them answered.
            StaleGroupError: some version of the group does not answer.
        """
        found = self._group(group)
        versions = found.versions if found else {}
        for name in (version, *versions):
            if kind in versions.get(name, {}):
                return versions[name][kind]
        if found and found.stale:
            raise _stale(group, min(found.stale), kind)
        raise _unknown(kind, f"{group}/{version}".strip("/"), found)

    def named(self, word: str) -> tuple[Resource, ...]:
        """Kinds called so, by kind, plural or short name in any case: of each group one, as the server prefers it."""
        if self._groups is None:
            self.refresh()
        wanted = word.lower()
        found: dict[tuple[str, str], Resource] = {}
        for name, group in (self._groups or {}).items():
            for kinds in group.versions.values():
                for resource in kinds.values():
                    if wanted in (resource.kind.lower(), resource.plural.lower(), *resource.short):
                        found.setdefault((name, resource.kind), resource)
        return tuple(found.values())

    def _group(self, group: str) -> _Group | None:
        if self._groups is None:
            self.refresh()
        return (self._groups or {}).get(group)


def split(api_version: str) -> tuple[str, str]:
    """Group and version of `apps/v1` or `v1`."""
    group, slash, version = api_version.rpartition("/")
    return (group if slash else _CORE), version


def _stale(group: str, version: str, kind: str) -> StaleGroupError:
    return StaleGroupError(
        f"{kind}: the API {group}/{version} does not answer, so it is unknown whether such objects exist",
        hint=f"repair APIService/{version}.{group}, then run again",
    )


def _unknown(kind: str, api_version: str, found: _Group | None) -> UnknownKindError:
    others = [name for name, kinds in found.versions.items() if kind in kinds] if found else []
    served = f"; it serves {', '.join(others)}" if others else ""
    hint = "correct apiVersion and kind, or apply the CustomResourceDefinition first"
    return UnknownKindError(
        f"{kind}: the cluster serves no such kind in {api_version or 'v1'}{served}", hint=hint
    )


def _read_groups(kube: Kube, accept: str) -> Mapping[str, _Group]:
    groups: dict[str, _Group] = {}
    for path in ("/api", "/apis"):
        found = kube.request("GET", path, accept=accept)
        if found.get("kind") == "APIGroupDiscoveryList":
            for item in found.get("items") or ():
                groups[(item.get("metadata") or {}).get("name", _CORE)] = _aggregated(item)
        else:
            groups.update(_legacy(kube, path, found))
    return groups


def _aggregated(item: dict[str, Any]) -> _Group:
    group = (item.get("metadata") or {}).get("name", _CORE)
    versions: dict[str, Mapping[str, Resource]] = {}
    stale = set()
    for version in item.get("versions") or ():
        name = version["version"]
        if version.get("freshness") == "Stale":
            stale.add(name)
        versions[name] = {
            res.kind: res for res in _aggregated_kinds(group, name, version.get("resources") or ())
        }
    return _Group(versions, frozenset(stale))


def _aggregated_kinds(group: str, version: str, items: Any) -> Iterator[Resource]:
    for item in items:
        spoken = item.get("responseKind") or {}
        if spoken.get("kind"):
            yield Resource(
                group=group,
                version=version,
                kind=spoken["kind"],
                plural=item["resource"],
                namespaced=item.get("scope") == "Namespaced",
                verbs=frozenset(item.get("verbs") or ()),
                short=tuple(item.get("shortNames") or ()),
            )


def _legacy(kube: Kube, path: str, found: dict[str, Any]) -> Iterator[tuple[str, _Group]]:
    """One call per version, for servers older than aggregated discovery and for proxies that hide it."""
    if path == "/api":
        listed = [(_CORE, [f"{name}" for name in found.get("versions") or ()])]
    else:
        listed = [
            (group["name"], [item["version"] for item in _preferred_first(group)])
            for group in found.get("groups") or ()
        ]
    for group, names in listed:
        versions: dict[str, Mapping[str, Resource]] = {}
        stale = set()
        for name in names:
            try:
                answer = kube.request("GET", f"{path}/{group}/{name}".replace("//", "/"), accept=JSON)
            except KubeStatusError as err:
                if err.status in (401, 403):
                    raise
                stale.add(name)
                continue
            versions[name] = {
                res.kind: res for res in _legacy_kinds(group, name, answer.get("resources") or ())
            }
        yield group, _Group(versions, frozenset(stale))


def _preferred_first(group: dict[str, Any]) -> list[dict[str, Any]]:
    preferred = (group.get("preferredVersion") or {}).get("version")
    return sorted(group.get("versions") or (), key=lambda item: item["version"] != preferred)


def _legacy_kinds(group: str, version: str, items: Any) -> Iterator[Resource]:
    for item in items:
        if "/" not in item["name"]:
            yield Resource(
                group=group,
                version=version,
                kind=item["kind"],
                plural=item["name"],
                namespaced=bool(item.get("namespaced")),
                verbs=frozenset(item.get("verbs") or ()),
                short=tuple(item.get("shortNames") or ()),
            )
