"""Why a unit cannot be acted on, as only the whole tree shows: what it names is missing, or leads back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from weir.flow.tree import Declared, UnitTree
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.identity import UnitId
from weir.spec.kinds import IMAGE_POLICY
from weir.spec.kustomization import KustomizationSpec

if TYPE_CHECKING:
    from weir.spec.image_automation import ImageAutomationSpec
    from weir.spec.image_policy import ImagePolicySpec

ADD: Final = "correct its name, or add its document"


def dependency_error(tree: UnitTree, spec: KustomizationSpec) -> str:
    """What is wrong with a unit's dependsOn: a missing unit, a cycle; empty when nothing is."""
    for item in spec.depends_on:
        if item.id not in tree.units:
            return f"{spec.where}: spec.dependsOn: found '{item.id}', expected a unit of this stack; {ADD}"
    cycle = _cycle(tree, spec.id)
    if cycle:
        path = " -> ".join(str(unit) for unit in cycle)
        hint = "remove one of its edges; a unit with spec.wait waits for those that it declares"
        return f"{spec.where}: spec.dependsOn: found the cycle {path}, expected no cycle; {hint}"
    return ""


def why_stuck(tree: UnitTree, declared: Declared) -> str:
    """Why a unit waited for something that never came: one that nobody declared, or units that wait for each other."""
    spec = declared.spec
    if isinstance(spec, GitRepositorySpec):
        return f"{spec.where}: spec.include: found repositories that include each other, expected no circle"
    if isinstance(spec, KustomizationSpec) and (error := dependency_error(tree, spec)):
        return error
    if spec.id.kind == IMAGE_POLICY:
        found = cast("ImagePolicySpec", spec).repository
        return f"{spec.where}: spec.imageRepositoryRef: found '{found}', expected one of this stack; {ADD}"
    found = cast("KustomizationSpec | ImageAutomationSpec", spec).source
    return f"{spec.where}: spec.sourceRef: found '{found}', expected a source of this stack; {ADD}"


def _cycle(tree: UnitTree, start: UnitId) -> list[UnitId]:
    """A path from a unit back to itself along dependsOn and what spec.wait waits for, or nothing."""
    stack = [(start, [start])]
    seen: set[UnitId] = set()
    while stack:
        unit, path = stack.pop()
        spec = tree.units[unit].spec if unit in tree.units else None
        for item in _waits_for(tree, spec) if isinstance(spec, KustomizationSpec) else ():
            if item == start:
                return [*path, start]
            if item not in seen:
                seen.add(item)
                stack.append((item, [*path, item]))
    return []


def _waits_for(tree: UnitTree, spec: KustomizationSpec) -> list[UnitId]:
    return [*(item.id for item in spec.depends_on), *tree.awaited(spec)]
