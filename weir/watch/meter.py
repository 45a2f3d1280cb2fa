"""What the loop did, told to the metrics in their words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weir.flow.repair import Outcome
from weir.spec.record import UnitRecord

if TYPE_CHECKING:
    from weir.watch.metrics import Metrics, Result


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts for as long as somebody may ask; without metrics it does nothing. Thread-safe. Times are seconds."""

    metrics: Metrics | None = None

    def polled(self, seconds: float, *, moved: bool, failed: bool) -> None:
        """A source was looked at."""
        if self.metrics:
            self.metrics.polled(_result(moved=moved, failed=failed), seconds)

    def ran(self, seconds: float, *, failed: bool) -> None:
        """The engine ran."""
        if self.metrics:
            self.metrics.engine_ran(seconds, failed=failed)

    def repaired(self, seconds: float, outcome: Outcome) -> None:
        """Drift of an object was looked at."""
        if self.metrics and outcome in (Outcome.REPAIRED, Outcome.REPORTED, Outcome.REFUSED):
            result = _result(moved=outcome is Outcome.REPAIRED, failed=outcome is Outcome.REFUSED)
            self.metrics.repaired(result, seconds)

    def recorded(self, before: UnitRecord | None, record: UnitRecord) -> None:
        """A unit's record changed; a new result in its history is a reconciliation. The first sight of it is none."""
        if self.metrics and before and record.history and record.history[:1] != before.history[:1]:
            self.metrics.reconciled(record.id, record.history[0].duration)

    def lost_sight(self) -> None:
        """Something that was followed cannot be followed at present."""
        if self.metrics:
            self.metrics.watch_restarted()


def _result(*, moved: bool, failed: bool) -> Result:
    from weir.watch.metrics import Result

    if failed:
        return Result.FAILED
    return Result.DONE if moved else Result.UNCHANGED
