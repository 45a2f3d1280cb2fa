"""The judge: says what is wrong between a repository and a cluster, sharing no code with Weir's core.

Desired objects come from the kustomize binary and `yaml.safe_load`; live ones from a plain REST client. Desired must be
contained in live, every owned object must be desired, and Weir's records must name exactly those objects.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from demo.rest import Kind, Rest, RestError
from tests.support.containment import Path_, missing
from weir.edges.tools import locate

NAME_LABEL: Final = "kustomize.toolkit.fluxcd.io/name"
NAMESPACE_LABEL: Final = "kustomize.toolkit.fluxcd.io/namespace"

_VARIABLE: Final = re.compile(r"\$\$|\$\{(\w+)(?::=([^}]*))?\}", re.ASCII)

Key = tuple[str, str, str, str]
"""API group, kind, namespace, name."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What one Kustomization should have made."""

    name: str
    objects: tuple[dict[str, Any], ...]
    namespace: str = "flux-system"

    @property
    def keys(self) -> frozenset[Key]:
        """Identities of the objects."""
        return frozenset(key_of(obj) for obj in self.objects)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every sentence is something that is wrong."""

    problems: tuple[str, ...] = field(default=())

    def must_hold(self) -> None:
        """Raise AssertionError with all problems, if there are any."""
        assert not self.problems, "\n".join(("the cluster is not as Git says:", *self.problems[:40]))


def render(
    folder: Path, path: str = "", variables: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], ...]:
    """The objects of a folder as the kustomize binary builds them.

    With `variables`, `${name}` and `${name:=default}` are replaced in the text.

    A folder without kustomization.yaml gets one that lists its YAML files, as Flux generates it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "tree"
        shutil.copytree(folder, root, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        target = root / path
        if not any(
            (target / name).exists() for name in ("kustomization.yaml", "kustomization.yml", "Kustomization")
        ):
            _generate(target)
        return build(target, variables)


def build(target: Path, variables: Mapping[str, str] | None = None) -> tuple[dict[str, Any], ...]:
    """The objects that `kustomize build` prints for a folder that has a kustomization.yaml."""
    done = subprocess.run(
        [str(locate("kustomize")), "build", "--load-restrictor=LoadRestrictionsNone", "--", str(target)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    text = done.stdout
    if variables is not None:
        text = _VARIABLE.sub(partial(_substituted, variables), text)
    return tuple(item for item in yaml.safe_load_all(text) if item)


def _substituted(variables: Mapping[str, str], match: re.Match[str]) -> str:
    """What stands for a match in Flux's substitution; `$$` is one `$` (seen on fluxcd/pkg/envsubst v1.4.0)."""
    return "$" if match[0] == "$$" else variables.get(match[1], match[2] or "")


def _generate(target: Path) -> None:
    files = [path for path in target.rglob("*") if path.suffix in {".yaml", ".yml"}]
    folders = sorted(path.parent for path in files if path.stem == "kustomization")
    loose = [path for path in files if not any(path.is_relative_to(folder) for folder in folders)]
    resources = sorted(str(path.relative_to(target)) for path in (*loose, *folders))
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    }
    (target / "kustomization.yaml").write_text(yaml.safe_dump(document))


def key_of(obj: Mapping[str, Any]) -> Key:
    """The identity of a desired or live object."""
    group, slash, _ = str(obj["apiVersion"]).rpartition("/")
    meta = obj["metadata"]
    return (group if slash else "", str(obj["kind"]), str(meta.get("namespace") or ""), str(meta["name"]))


def show(key: Key) -> str:
    """`Kind/namespace/name`."""
    return "/".join(part for part in key[1:] if part)


class Checker:
    """Judges one cluster, or only what Kustomizations of one namespace own in it."""

    def __init__(self, rest: Rest, record_namespace: str = "weir-system", units_in: str = "") -> None:
        self.rest = rest
        self.record_namespace = record_namespace
        self._selector = f"{NAMESPACE_LABEL}={units_in}" if units_in else NAME_LABEL

    def judge(self, units: Sequence[Expected], *, records: bool = True) -> Verdict:
        """What is wrong, given that these units and no others own objects in the cluster."""
        problems = [problem for unit in units for problem in self._unit(unit)]
        problems += self._orphans(units)
        if records:
            problems += self._records(units)
        return Verdict(tuple(problems))

    def owned(self) -> dict[Key, dict[str, Any]]:
        """Every live object that carries our owner label and was not made by a controller from another one."""
        found: dict[Key, dict[str, Any]] = {}
        for kind in self.rest.kinds():
            if "list" not in kind.verbs or kind.kind in {"Endpoints", "EndpointSlice", "Event"}:
                continue
            for item in self._list(kind):
                owners = item["metadata"].get("ownerReferences") or []
                if not any(owner.get("controller") for owner in owners):
                    found[key_of({**item, "apiVersion": kind.api_version, "kind": kind.kind})] = item
        return found

    def _list(self, kind: Kind) -> list[dict[str, Any]]:
        """Owned objects of a kind; a kind that went away since discovery has none."""
        try:
            return self.rest.list(kind, self._selector)
        except RestError as err:
            if err.status in {404, 405}:
                return []
            raise

    def wait_gone(self, keys: Iterable[Key], seconds: float = 30.0) -> Verdict:
        """Wait until none of these owned objects is left; background deletion takes a moment."""
        wanted, deadline = set(keys), time.monotonic() + seconds
        while left := wanted & set(self.owned()):
            if time.monotonic() > deadline:
                return Verdict(tuple(f"{show(key)}: still there" for key in sorted(left)))
            time.sleep(0.3)
        return Verdict()

    def _unit(self, unit: Expected) -> Iterator[str]:
        lists = self._lists(unit)
        for desired in unit.objects:
            key = key_of(desired)
            live = lists.get(key)
            if live is None:
                yield f"{show(key)}: not in the cluster, wanted by {unit.name}"
                continue
            labels = live["metadata"].get("labels") or {}
            owner = (labels.get(NAMESPACE_LABEL), labels.get(NAME_LABEL))
            if owner != (unit.namespace, unit.name):
                yield f"{show(key)}: labelled for {owner}, wanted by {(unit.namespace, unit.name)}"
            path: Path_ = ()
            for sentence in missing(without_status(desired), live, path):
                yield f"{show(key)}: {sentence}"

    def _lists(self, unit: Expected) -> dict[Key, dict[str, Any]]:
        """The live objects of the unit's kinds, read with one LIST a kind."""
        found: dict[Key, dict[str, Any]] = {}
        for api_version, kind in sorted({(obj["apiVersion"], obj["kind"]) for obj in unit.objects}):
            try:
                resource = self.rest.kind(api_version, kind)
            except Exception:  # noqa: BLE001 - an unserved kind shows as objects that are not in the cluster
                continue
            for item in self.rest.list(resource):
                live = {**item, "apiVersion": api_version, "kind": kind}
                found[key_of(live)] = live
        return found

    def _orphans(self, units: Sequence[Expected]) -> Iterator[str]:
        wanted = frozenset(key for unit in units for key in unit.keys)
        for key, live in self.owned().items():
            leaving = live["metadata"].get("deletionTimestamp")
            if key not in wanted and not leaving:
                yield f"{show(key)}: owned by {live['metadata']['labels'][NAME_LABEL]}, but nothing in Git wants it"

    def _records(self, units: Sequence[Expected]) -> Iterator[str]:
        inventories = self.inventories()
        for unit in units:
            found = inventories.pop((unit.namespace, unit.name), None)
            if found is None:
                yield f"Kustomization/{unit.namespace}/{unit.name}: no record in {self.record_namespace}"
                continue
            for key in sorted(unit.keys - found):
                yield f"Kustomization/{unit.namespace}/{unit.name}: record lacks {show(key)}"
            for key in sorted(found - unit.keys):
                yield f"Kustomization/{unit.namespace}/{unit.name}: record still names {show(key)}"
        for namespace, name in inventories:
            yield f"Kustomization/{namespace}/{name}: a record without a unit"

    def inventories(self) -> dict[tuple[str, str], frozenset[Key]]:
        """(namespace, name) of each Kustomization with a record -> what the record says it owns."""
        maps = self.rest.list(self.rest.kind("v1", "ConfigMap"), "weir.dev/unit-kind", self.record_namespace)
        found = {}
        for item in maps:
            labels = item["metadata"]["labels"]
            if labels["weir.dev/unit-kind"].lower() == "kustomization":
                unit = (labels["weir.dev/unit-namespace"], labels["weir.dev/unit-name"])
                found[unit] = frozenset(_entries(item.get("data") or {}))
        return found


def without_status(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The desired object without what belongs to controllers."""
    theirs = {"status", "metadata", *(("rules",) if "aggregationRule" in obj else ())}
    kept = {key: value for key, value in obj.items() if key not in theirs}
    meta = {key: value for key, value in obj["metadata"].items() if key != "creationTimestamp"}
    return {**kept, "metadata": meta}


def _entries(data: Mapping[str, str]) -> Iterator[Key]:
    """Read Flux's inventory form, `<namespace>_<name>_<group>_<Kind>`, out of a record."""
    for entry in json.loads(data.get("inventory") or "[]"):
        text = entry["id"] if isinstance(entry, dict) else entry
        namespace, _, rest = text.partition("_")
        rest, _, kind = rest.rpartition("_")
        name, _, group = rest.rpartition("_")
        yield (group, kind, namespace, name.replace("__", ":"))
