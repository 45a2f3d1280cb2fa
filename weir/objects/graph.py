"""Which unit waits for which, and which objects two units claim.

Rule: `dependsOn` of Kustomization; Weir orders across kinds and refuses a cycle or a missing name before anything is
touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from weir.objects.values import Obj
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId, UnitId


def order(units: Mapping[UnitId, Sequence[UnitId]]) -> tuple[UnitId, ...]:
    """The units such that each comes after all it depends on; ties by identity, so the same graph gives one order.

    Raises:
        SpecError: a dependency that is no unit, or a cycle (its members are named in order).
    """
    for unit in sorted(units):
        for dependency in units[unit]:
            if dependency not in units:
                raise SpecError.at(
                    str(unit),
                    "spec.dependsOn",
                    found=str(dependency),
                    expected="a unit of this stack",
                    hint=_near(dependency, units),
                )
    done: dict[UnitId, None] = {}
    waiting = sorted(units)
    while waiting:
        ready = [unit for unit in waiting if all(dependency in done for dependency in units[unit])]
        if not ready:
            raise _cycle(waiting[0], units, done)
        done.update(dict.fromkeys(ready))
        waiting = [unit for unit in waiting if unit not in done]
    return tuple(done)


def _near(missing: UnitId, units: Iterable[UnitId]) -> str:
    same = sorted(str(unit) for unit in units if unit.name == missing.name)
    return f"there is {', '.join(same)}" if same else "add the unit or drop the dependency"


def _cycle(start: UnitId, units: Mapping[UnitId, Sequence[UnitId]], done: Mapping[UnitId, None]) -> SpecError:
    """Every unit left waits for another one left, so following the first such dependency must close a circle."""
    seen: dict[UnitId, None] = {}
    unit = start
    while unit not in seen:
        seen[unit] = None
        unit = next(dependency for dependency in units[unit] if dependency not in done)
    path = list(seen)
    circle = [*path[path.index(unit) :], unit]
    return SpecError.at(
        str(unit),
        "spec.dependsOn",
        found="a circle " + " -> ".join(str(member) for member in circle),
        expected="an order in which each unit comes after those it depends on",
        hint="remove one of these dependencies",
    )


def duplicates(objects: Mapping[UnitId, Iterable[Obj | ObjectId]]) -> tuple[SpecError, ...]:
    """One error for every object that two units of one cluster render; it names the object and all its units."""
    claims: dict[ObjectId, dict[UnitId, None]] = {}
    for unit in sorted(objects):
        for item in objects[unit]:
            found = item if isinstance(item, ObjectId) else ObjectId.of(item)
            claims.setdefault(found, {})[unit] = None
    return tuple(
        SpecError(
            f"{item}: found in {' and '.join(str(unit) for unit in units)}, expected in one unit",
            hint="remove it from all but one of them",
        )
        for item, units in sorted(claims.items())
        if len(units) > 1
    )
