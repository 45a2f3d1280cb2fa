"""Who renders which object: one object belongs to one unit."""

from __future__ import annotations

from collections import defaultdict

from weir.flow.moves import target_of
from weir.flow.work import RenderedUnit
from weir.spec.identity import ObjectId, UnitId


class Claims:
    """Objects claimed by rendered units, per target cluster."""

    def __init__(self) -> None:
        self._claims: dict[tuple[str, ObjectId], list[UnitId]] = defaultdict(list)

    def add(self, result: RenderedUnit) -> None:
        """Take note of all objects of a unit."""
        spec = result.outcome.spec
        for item in result.ids:
            self._claims[target_of(spec), item].append(spec.id)

    def remove(self, unit: UnitId) -> None:
        """Forget what a unit claimed: it is rendered again."""
        for units in self._claims.values():
            if unit in units:
                units.remove(unit)

    def clashes(self) -> dict[UnitId, str]:
        """For every unit that shares an object: an error that names the object and both units."""
        errors: dict[UnitId, str] = {}
        for (_, item), units in self._claims.items():
            if len(units) > 1:
                names = " and ".join(str(unit) for unit in sorted(units))
                for unit in units:
                    errors.setdefault(
                        unit,
                        f"{item}: found in {names}, expected one owner; remove it from all units but one",
                    )
        return errors
