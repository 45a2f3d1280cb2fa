"""Marks that runs leave in records while they are at work, and how long they are believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from weir.edges.kube.records import Running, Stored
from weir.spec.identity import UnitId

PATIENCE: Final = 120.0
"""Seconds for which a mark is believed when nothing proves that its run is gone."""


@dataclass(slots=True)
class Marks:
    """Not thread-safe: the loop's. Times are seconds of one monotonic clock."""

    is_gone: Callable[[str], bool]
    """Whether the holder of a mark has certainly ended."""
    _since: dict[UnitId, tuple[Running, float]] = field(default_factory=dict)

    def busy(self, stored: Mapping[UnitId, Stored], now: float) -> set[UnitId]:
        """The units that some run is at work on."""
        marked = {unit: one.running for unit, one in stored.items() if one.running}
        self._since = {
            unit: known if (known := self._since.get(unit)) and known[0] == mark else (mark, now)
            for unit, mark in marked.items()
        }
        return {
            unit
            for unit, (mark, since) in self._since.items()
            if now - since < PATIENCE and not self.is_gone(mark.holder)
        }


def differ(before: Stored, after: Stored) -> bool:
    """Whether a record says something else about what is applied, or that a run begins or ends."""
    old, new = before.record, after.record
    if (before.running is None) != (after.running is None):
        return True
    said = [(one.digest, one.applying, one.suspended, one.spec_digest) for one in (old, new)]
    return said[0] != said[1]
