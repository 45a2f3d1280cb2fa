"""When a run is asked to end because something new came. Pure.

A run that waits for what is unhealthy must not hold up what came since: the next run goes on with both. But a run that
is only slow must come to its end some time, however often something comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from weir.spec.identity import UnitId
from weir.spec.record import CANCELED, UnitRecord

STUCK: Final = 10.0
"""Seconds after which a run that others wait for is asked to end; twice as many after each that came of nothing."""


@dataclass(slots=True)
class Haste:
    """Of one run after the other. Not thread-safe: the loop's. Times are seconds of one monotonic clock."""

    interrupted: bool = False
    """Whether the run was asked to end."""
    began: float = 0.0
    _applied: Mapping[UnitId, str] = field(default_factory=dict)
    """What was applied when the run began."""
    _in_vain: int = 0
    """Runs in a row that were asked to end and had applied nothing."""

    def begun(self, records: Mapping[UnitId, UnitRecord], now: float) -> None:
        """A run begins."""
        self.interrupted, self.began, self._applied = False, now, _applied(records)

    def is_due(self, now: float) -> bool:
        """Whether the run may be asked to end now, if something new is there."""
        return not self.interrupted and now - self.began > STUCK * 2.0**self._in_vain

    def ended(self, records: Mapping[UnitId, UnitRecord]) -> None:
        """The run ended."""
        in_vain = self.interrupted and _applied(records) == self._applied
        self._in_vain = self._in_vain + 1 if in_vain else 0


def _applied(records: Mapping[UnitId, UnitRecord]) -> dict[UnitId, str]:
    """Digests of what was applied; a source that was only resolved counts for nothing."""
    return {unit: _digest(record) for unit, record in records.items() if unit.kind == "Kustomization"}


def _digest(record: UnitRecord) -> str:
    """What the unit's objects are now, healthy or not."""
    only_waited = record.ready is not None and record.ready.reason == CANCELED
    return (only_waited and record.applying) or record.digest
