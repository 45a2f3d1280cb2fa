"""Tell what happened: as Events in the cluster, and to the outbox where somebody wants to be notified.

Nothing here fails or holds up a run: what cannot be told is said, once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.events import write_event
from weir.edges.runs import Run, unit_file
from weir.flow import notices
from weir.flow.clusters import Clusters
from weir.flow.events import (
    About,
    about,
    about_record,
    failure_event,
    removal_event,
    resolved_events,
    unit_events,
)
from weir.flow.outcome import Outcome, Problem, SourceOutcome, UnitOutcome, decode
from weir.flow.reporting import FAILED, stamp
from weir.spec.changes import ObjectChange
from weir.spec.documents import Document
from weir.spec.errors import WeirError
from weir.spec.event import Event
from weir.spec.identity import UnitId
from weir.spec.record import Condition, UnitRecord

if TYPE_CHECKING:
    from weir.flow.apply import UnitResult

HURRY: Final = 2.0
"""Seconds for one Event in the cluster."""


class Teller:
    """Tells the events of one stack in one process. Thread-safe."""

    def __init__(self, clusters: Clusters, run: Run, say: Callable[[str], None]) -> None:
        """`say` gets a sentence about what could not be told, each once."""
        self._clusters = clusters
        self._stack = clusters.stack
        self._run = run
        self._say = say
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def tell(self, unit: About, events: Sequence[Event]) -> None:
        """Keep events of a unit; they are delivered at the end of the run, or by the watcher."""
        if events and notices.wanted(self._run, unit.stack):
            self._put(unit, events)
        for event in events:
            self._write(event)

    def applied(self, document: Document, result: UnitResult) -> None:
        """Tell how the apply of a unit ended."""
        unit = about(document, self._stack)
        self.tell(unit, unit_events(unit, result, _now()))

    def refused(self, unit: UnitId, error: str, reason: str = "") -> Event:
        """Tell that a unit failed before its apply began, or that its removal did; the event that tells it.

        Without a `reason`, it is that of what the run found out about the unit.
        """
        outcome = self._outcome(unit)
        told, revision = self._about(unit, outcome), ""
        if isinstance(outcome, UnitOutcome):
            reason, revision = reason or outcome.reason, outcome.revision
        event = failure_event(told, reason or FAILED, error, _now(), revision=revision)
        self.tell(told, [event])
        return event

    def removed(self, record: UnitRecord, changes: Sequence[ObjectChange]) -> None:
        """Tell that a unit was removed with its objects."""
        unit = about_record(record)
        self.tell(unit, [removal_event(unit, changes, _now(), revision=record.revision)])

    def resolved(
        self, unit: UnitId, before: Mapping[str, str], after: Mapping[str, str], ready: Condition
    ) -> None:
        """Tell what a source, an image policy or an automation found out, from the texts kept of it between runs."""
        outcome = self._outcome(unit)
        subject = outcome.subject if isinstance(outcome, SourceOutcome) else ""
        told = self._about(unit, outcome)
        self.tell(told, resolved_events(told, before, after, ready, subject))

    def _outcome(self, unit: UnitId) -> Outcome | None:
        """What this run found out about a unit."""
        found = self._run.read_json(unit_file(unit))
        return decode(found) if isinstance(found, dict) else None

    def _about(self, unit: UnitId, outcome: Outcome | None) -> About:
        if outcome is None or isinstance(outcome, Problem):
            return About(unit=unit, stack=self._stack, labels={}, annotations={})
        return about(outcome.document, self._stack)

    def _put(self, unit: About, events: Sequence[Event]) -> None:
        from weir.edges.outbox import Outbox

        try:
            outbox = Outbox(notices.outbox_folder(unit.stack))
            outbox.put([(event, unit.labels) for event in events], datetime.now(UTC).timestamp())
        except OSError as err:
            self._once(f"notifications cannot be kept on this machine: {err.strerror}")

    def _write(self, event: Event) -> None:
        try:
            kube = self._clusters.main.in_a_hurry(HURRY)
            write_event(kube, self._clusters.record_namespace, event)
        except KubeStatusError as err:
            if err.status == HTTPStatus.FORBIDDEN:
                self._once("this account may not write Events, so `weir events` shows less")
        except WeirError:
            # the unit says itself that the cluster is away
            return

    def _once(self, sentence: str) -> None:
        with self._lock:
            fresh = sentence not in self._said
            self._said.add(sentence)
        if fresh:
            self._say(sentence)


def _now() -> str:
    return stamp(datetime.now(UTC))
