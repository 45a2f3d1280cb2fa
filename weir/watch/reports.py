"""What the watcher found about objects, said in the journal, counted, and passed on to whoever tells it further."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from weir.flow.repair import Outcome, Repair
from weir.spec.identity import UnitId
from weir.watch.findings import HealthNews
from weir.watch.journal import Journal
from weir.watch.meter import Meter


@dataclass(frozen=True, slots=True)
class Reports:
    """Called by threads that look at objects."""

    journal: Journal
    meter: Meter
    on_repair: Callable[[UnitId, Repair], None]
    on_health: Callable[[HealthNews], None]

    def repaired(self, unit: UnitId, done: Repair, took: float) -> None:
        """An object of a unit was looked at for so many seconds."""
        self.meter.repaired(took, done.outcome)
        match done.outcome:
            case Outcome.REPAIRED:
                self.journal.info(f"drift corrected: {done.id} {done.text}", unit)
            case Outcome.REPORTED:
                self.journal.info(f"drift found: {done.id} {done.text}", unit)
            case Outcome.REFUSED:
                self.journal.error(f"drift not corrected: {done.id}: {done.text}", unit)
            case _:
                return
        self.on_repair(unit, done)

    def health(self, news: HealthNews) -> None:
        """Objects of a unit are not healthy any more, or all of them are again."""
        for item in news.regained:
            self.journal.info(f"healthy again: {item}", news.unit)
        for item, text in news.lost.items():
            self.journal.error(f"not healthy any more: {item}: {text}", news.unit)
        self.on_health(news)
