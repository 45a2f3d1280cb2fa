"""Units to the URNs that the engine's --target takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from weir.edges.pulumi.project import EngineError
from weir.edges.pulumi.state import UNIT_TYPE
from weir.spec.identity import UnitId

Resource = Mapping[str, Any]
_SOURCE_TYPE: Final = "pulumi-python:dynamic"


CLUSTERS: Final = "WEIR_CLUSTERS"
"""The variable by which the program learns where the stack's objects are; empty for a stack without units."""


def clusters_of(resources: Iterable[Resource]) -> set[str]:
    """The uids of the main clusters that the units of a state live on: one, or none in a new stack."""
    units = (resource.get("inputs") or {} for resource in resources if resource.get("type") == UNIT_TYPE)
    return {str(inputs["cluster"]) for inputs in units if inputs.get("cluster")}


def find_targets(resources: Iterable[Resource], units: Sequence[UnitId]) -> tuple[tuple[str, ...], bool]:
    """The URNs of these units, of their components and of their sources; and whether dependents are wanted too.

    A Kustomization without its source would not see a new revision, so the source comes along. A source is worth
    nothing without what depends on it, so a source among the units asks for its dependents.

    Raises:
        EngineError: a unit is not in the state; names those that are.
    """
    everything = tuple(resources)
    by_urn = {str(resource.get("urn")): resource for resource in everything}
    by_unit = {unit_of(resource): resource for resource in everything if unit_of(resource)}
    urns: dict[str, None] = {}
    dependents = False
    for unit in units:
        resource = by_unit.get(str(unit))
        if resource is None:
            known = ", ".join(sorted(by_unit)[:10]) or "none"
            hint = f"run once without --target; known are {known}"
            raise EngineError(f"--target {unit}: found no such unit in the state", hint=hint)
        _add_with_parents(urns, resource, by_urn)
        dependents = dependents or resource.get("type") != UNIT_TYPE
        source = by_unit.get(str((resource.get("inputs") or {}).get("source", "")))
        if source is not None:
            _add_with_parents(urns, source, by_urn)
    return tuple(urns), dependents


def unit_of(resource: Resource) -> str:
    """`Kind/namespace/name` of the unit that a resource is, or ""."""
    kind, inputs = str(resource.get("type", "")), resource.get("inputs")
    if not isinstance(inputs, Mapping) or not (kind == UNIT_TYPE or kind.startswith(_SOURCE_TYPE)):
        return ""
    return str(inputs.get("unit", ""))


def _add_with_parents(urns: dict[str, None], resource: Resource, by_urn: Mapping[str, Resource]) -> None:
    """The resource and the components that hold it, outermost first, without the stack itself."""
    chain = []
    at: Resource | None = resource
    while at is not None and at.get("type") != "pulumi:pulumi:Stack":
        chain.append(str(at["urn"]))
        at = by_urn.get(str(at.get("parent")))
    urns.update(dict.fromkeys(reversed(chain)))
