"""Failures that last, told again while they do.

Rule: https://fluxcd.io/flux/components/notification/events/#rate-limiting. Flux's controllers report a failure with
each try, and what says the same within five minutes is told once. Runs do so for the units that they apply; this is
for what fails beside them: sources and image objects, which Flux tries every 15 minutes in the end, and what objects of
a unit lost, which Flux tries after `spec.retryInterval`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from weir.edges.kube.records import Stored
from weir.flow.events import (
    About,
    about,
    about_record,
    drift_refused_event,
    failure_event,
    health_lost_event,
)
from weir.flow.repair import Outcome, Repair
from weir.flow.reporting import stamp
from weir.notify.rate import INTERVAL
from weir.spec import kinds
from weir.spec.event import Event
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import UnitRecord
from weir.watch.behind import Wanted
from weir.watch.findings import HealthNews
from weir.watch.looking import Looked
from weir.watch.schedule import LONGEST_RETRY
from weir.watch.view import Finding, ObjectNote

PAUSE: Final = 10.0
"""Seconds between two looks at what lasts."""
_UNWELL: Final = (Finding.FAILED, Finding.PROGRESSING)
_DRIFTED: Final = (Finding.DRIFTED, Finding.MISSING)

Notes = Callable[[UnitId], Mapping[ObjectId, tuple[ObjectNote, ...]]]
Told = tuple[About, Event]


@dataclass(slots=True)
class Lasting:
    """What was told of and is not over. Thread-safe."""

    clock: Callable[[], float] = time.monotonic
    _lost: dict[UnitId, dict[ObjectId, str]] = field(default_factory=dict)
    _refused: dict[UnitId, dict[ObjectId, str]] = field(default_factory=dict)
    _told: dict[tuple[UnitId, str, str], float] = field(default_factory=dict)
    """(unit, reason, message) of what fails -> when it was told last."""
    _asked: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def health(self, news: HealthNews) -> None:
        """This was told of a unit's health."""
        with self._lock:
            if news.lost:
                self._lost.setdefault(news.unit, {}).update(news.lost)
            else:
                self._lost.pop(news.unit, None)

    def repaired(self, unit: UnitId, done: Repair) -> None:
        """This was told of an object that drifted."""
        with self._lock:
            if done.outcome is Outcome.REFUSED:
                self._refused.setdefault(unit, {})[done.id] = done.text
            else:
                self._refused.get(unit, {}).pop(done.id, None)

    def due(self, looked: Looked, stored: Mapping[UnitId, Stored], notes: Notes) -> list[Told]:
        """What is to be told again now; what was not seen before counts as told by whoever found it."""
        with self._lock:
            now = self.clock()
            if now - self._asked < PAUSE:
                return []
            self._asked = now
            for known in (self._lost, self._refused):
                for gone in known.keys() - looked.wanted.keys():
                    del known[gone]
            told: dict[tuple[UnitId, str, str], float] = {}
            due: list[Told] = []
            for one, every in self._failures(looked, stored, notes):
                event = one[1]
                key = event.unit, event.reason, event.message
                told[key] = self._told.get(key, now)
                if now - told[key] >= max(every, INTERVAL):
                    told[key] = now
                    due.append(one)
            self._told = told
            return due

    def _failures(
        self, looked: Looked, stored: Mapping[UnitId, Stored], notes: Notes
    ) -> Iterator[tuple[Told, float]]:
        """What fails now, and after how many seconds to tell it again."""
        at = stamp(datetime.now(UTC))
        for unit, wanted in looked.wanted.items():
            known = stored.get(unit)
            if known is None or known.record.suspended or wanted.suspended:
                continue
            if unit.kind == "Kustomization":
                yield from self._findings(looked, known.record, wanted, notes, at)
            elif wanted.error and (event := _failure(looked, known.record, at)):
                yield event, LONGEST_RETRY

    def _findings(
        self, looked: Looked, record: UnitRecord, wanted: Wanted, notes: Notes, at: str
    ) -> Iterator[tuple[Told, float]]:
        """What is wrong with objects of a unit that is ready: a run tells of one that is not."""
        lost, refused = self._lost.get(record.id), self._refused.get(record.id)
        if not (lost or refused) or record.ready is None or record.ready.status != "True":
            return
        unit, seen = _about(looked, record), notes(record.id)
        if ill := _still(lost or {}, seen, _UNWELL):
            yield (unit, health_lost_event(unit, ill, at, revision=record.revision)), wanted.retry
        for item, text in _still(refused or {}, seen, _DRIFTED).items():
            event = drift_refused_event(unit, f"{item}: {text}", at, revision=record.revision)
            yield (unit, event), wanted.retry


def _still(
    told: Mapping[ObjectId, str],
    seen: Mapping[ObjectId, tuple[ObjectNote, ...]],
    findings: Collection[Finding],
) -> dict[ObjectId, str]:
    """The objects that this is still found of."""
    return {
        item: text
        for item, text in told.items()
        if any(note.finding in findings for note in seen.get(item, ()))
    }


def _failure(looked: Looked, record: UnitRecord, at: str) -> Told | None:
    """The failure of a source or an image object, as the run told it."""
    ready = record.ready
    if ready is None or ready.status != "False":
        return None
    unit = _about(looked, record)
    # a policy's revision is its image
    revision = "" if record.id.kind == kinds.IMAGE_POLICY else record.revision
    return unit, failure_event(unit, ready.reason, ready.message, at, revision=revision)


def _about(looked: Looked, record: UnitRecord) -> About:
    declared = looked.declared.get(record.id)
    return about(declared.document, record.stack) if declared else about_record(record)
