"""What belongs to what: a stack's units, the objects that each owns, and the units that each renders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from weir.flow.look import Present
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import UnitRecord


@dataclass(frozen=True, slots=True)
class Node:
    """One object, unit or stack and what is below it."""

    id: ObjectId
    children: tuple[Node, ...] = ()


def stack_tree(
    present: Present, records: Mapping[UnitId, UnitRecord], stack: str, *, compact: bool = False
) -> Node:
    """The whole stack. `compact` leaves the objects out, so that only units remain."""
    below = _Below(present, records, compact=compact)
    return Node(ObjectId("", "Stack", "", stack), below.units(""))


def unit_tree(
    present: Present, records: Mapping[UnitId, UnitRecord], unit: UnitId, *, compact: bool = False
) -> Node:
    """One declared unit: objects in the order they are applied, then the units that it renders."""
    return _Below(present, records, compact=compact).node(unit)


class _Below:
    """What is below each unit."""

    def __init__(self, present: Present, records: Mapping[UnitId, UnitRecord], *, compact: bool) -> None:
        self._present = present
        self._records = records
        self._compact = compact
        self._rendered: dict[str, list[UnitId]] = defaultdict(list)
        for unit, declared in present.units.items():
            self._rendered[declared.parent].append(unit)

    def node(self, unit: UnitId) -> Node:
        group = str(self._present.units[unit].document.data.get("apiVersion", "")).rpartition("/")[0]
        record = self._records.get(unit)
        objects = () if self._compact or record is None else record.inventory
        own = tuple(Node(item) for item, _ in objects)
        return Node(ObjectId(group, unit.kind, unit.namespace, unit.name), own + self.units(str(unit)))

    def units(self, parent: str) -> tuple[Node, ...]:
        return tuple(self.node(unit) for unit in sorted(self._rendered[parent]))
