"""Which API serves each object of a unit, before and after the definitions that the unit itself brings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from weir.edges.kube.discovery import Discovery, Resource, split
from weir.edges.kube.errors import StaleGroupError, UnknownKindError
from weir.objects.normal import normalise
from weir.objects.validate import in_scope
from weir.spec.errors import ApplyError, WeirError
from weir.spec.identity import ObjectId

Obj = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One desired object, normalised, and where it goes."""

    id: ObjectId
    desired: Obj
    resource: Resource
    pending: str = ""
    """Why its API is not there yet; empty when it is."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An object that cannot be placed, and why."""

    id: ObjectId
    error: WeirError


def place(objects: Iterable[Obj], discovery: Discovery) -> tuple[list[Placed], list[Refusal]]:
    """Every object with its API, in the given order, and those that no API takes.

    A kind that a CustomResourceDefinition among the objects defines has an API soon: such objects are `pending`.

    Raises:
        ClusterError: the cluster's kinds cannot be read.
    """
    listed = list(objects)
    coming = new_kinds(listed)
    placed: dict[ObjectId, Placed] = {}
    refused: list[Refusal] = []
    for obj in listed:
        try:
            found = _place(obj, discovery, coming)
        except (ApplyError, UnknownKindError, StaleGroupError) as err:
            refused.append(Refusal(ObjectId.of(obj), err))
            continue
        if found.id in placed:
            hint = "remove one of the two from the unit's sources"
            error = ApplyError(f"{found.id}: found twice in the rendered objects, expected once", hint=hint)
            refused.append(Refusal(found.id, error))
        placed.setdefault(found.id, found)
    return list(placed.values()), refused


def _place(obj: Obj, discovery: Discovery, coming: Mapping[tuple[str, str], Resource]) -> Placed:
    api_version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
    pending = ""
    try:
        resource = discovery.resource(api_version, kind)
    except UnknownKindError as err:
        if (api_version, kind) not in coming:
            raise UnknownKindError(f"{ObjectId.of(obj)}: {err.message}", hint=err.hint) from err
        resource = coming[api_version, kind]
        pending = "its CustomResourceDefinition comes with the same unit"
    except StaleGroupError as err:
        raise StaleGroupError(f"{ObjectId.of(obj)}: {err.message}", hint=err.hint) from err
    desired = in_scope(normalise(obj), namespaced=resource.namespaced)
    return Placed(id=ObjectId.of(desired), desired=desired, resource=resource, pending=pending)


def new_kinds(objects: Iterable[Obj]) -> dict[tuple[str, str], Resource]:
    """(apiVersion, kind) that the unit's own definitions will serve."""
    kinds: dict[tuple[str, str], Resource] = {}
    for obj in objects:
        group, _ = split(str(obj.get("apiVersion", "")))
        if (group, obj.get("kind")) != ("apiextensions.k8s.io", "CustomResourceDefinition"):
            continue
        spec = obj.get("spec") or {}
        names = spec.get("names") or {}
        for version in spec.get("versions") or ():
            if isinstance(version, dict) and version.get("served", True):
                resource = Resource(
                    group=str(spec.get("group", "")),
                    version=str(version.get("name", "")),
                    kind=str(names.get("kind", "")),
                    plural=str(names.get("plural", "")),
                    namespaced=spec.get("scope") == "Namespaced",
                    verbs=frozenset({"get", "list", "watch", "patch"}),
                )
                kinds[resource.api_version, resource.kind] = resource
    return kinds


def new_namespaces(placed: Iterable[Placed]) -> frozenset[str]:
    """Namespaces that the objects themselves bring."""
    return frozenset(item.id.name for item in placed if (item.id.group, item.id.kind) == ("", "Namespace"))


def placing_error(refused: Iterable[Refusal]) -> str:
    """All refusals in one text, one per line."""
    return "\n".join(str(item.error) for item in refused)
