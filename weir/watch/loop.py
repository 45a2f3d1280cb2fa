"""The watcher's loop: notices commits, tags, drift and requests; everything is done by the flow and by `weir up`.

    schedule, webhooks, requests --> poll a source -----------------.
    record, ConfigMap, Secret changed, engine ended --> look --------+--> behind? --> one run of the engine
    objects changed --> drift (its own threads, no engine)          -'

One thread decides, and it never waits for anything but its inbox. Polls, looks, engine runs and repairs have threads of
their own and put what they found there.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from weir.edges.holder import is_gone
from weir.edges.kube.records import Stored
from weir.flow.clusters import Clusters
from weir.flow.outcome import SourceOutcome
from weir.flow.repair import Held, Repair
from weir.flow.session import Session
from weir.flow.unmoved import Unmoved
from weir.spec.errors import WeirError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import UnitRecord
from weir.watch import heap
from weir.watch.asks import Asks
from weir.watch.behind import Tries, ask_for
from weir.watch.drift import Drift
from weir.watch.engine import Engine
from weir.watch.findings import HealthNews
from weir.watch.haste import Haste
from weir.watch.inputs import RECORDS, Inputs
from weir.watch.journal import Journal
from weir.watch.looking import REPOSITORIES, Looked, look, still_applied
from weir.watch.marks import Marks, differ
from weir.watch.meter import Meter
from weir.watch.reports import Reports
from weir.watch.schedule import Schedule
from weir.watch.view import ObjectNote

_POLLS: Final = 8
_LOOK_RETRY: Final = 15.0
_SETTLE: Final = 0.05
"""Seconds in which news that come together are taken together."""
_SOON: Final = 1.0
"""Seconds before a look in which no run is begun: it will know better."""
_LONGEST: Final = 2.0
"""Seconds after which the loop goes round at the latest."""
_START: Final = 0.2
"""Seconds between two looks at whether the records are read yet."""

Message = Callable[[], None]


@dataclass(slots=True)
class Watcher:
    """One stack kept converged. `run` is called once; everything else may be called from any thread."""

    clusters: Clusters
    journal: Journal
    open_session: Callable[[], Session]
    engine: Engine
    go_on: Callable[[], bool]
    """Whether to watch at all: not told to end, and nobody else leads."""
    on_repair: Callable[[UnitId, Repair], None] = lambda *_: None
    on_health: Callable[[HealthNews], None] = lambda _: None
    on_look: Callable[[Looked], None] = lambda _: None
    on_tick: Callable[[], None] = lambda: None
    meter: Meter = Meter()  # noqa: RUF009 - frozen
    stop: threading.Event = field(default_factory=threading.Event)
    """Ends everything that the watcher began."""
    inbox: queue.SimpleQueue[Message] = field(default_factory=queue.SimpleQueue)
    looked: Looked | None = None
    failing: tuple[float, str] | None = None
    """Since when looks fail, in epoch seconds, and why the last one did; None while they do not."""
    stored: dict[UnitId, Stored] = field(default_factory=dict)
    reached_at: float = 0.0
    """Epoch seconds at which the cluster last began to be followed."""
    _schedule: Schedule = field(default_factory=lambda: Schedule(random.SystemRandom().random))
    _tries: Tries = field(default_factory=Tries)
    _look_at: float | None = 0.0
    """When the next look is due, None when none is."""
    _looking: bool = False
    _moved: set[UnitId] = field(default_factory=set)
    """Sources that a poll found moved while a look went on, which may have resolved them before."""
    _polled: dict[UnitId, str] = field(default_factory=dict)
    """Source -> the error of its last poll."""
    _resolved: dict[UnitId, float] = field(default_factory=dict)
    _running: Looked | None = None
    """What was known when the run began."""
    _haste: Haste = field(default_factory=Haste)
    _ran: Looked | None = None
    """What was known when a run began that ended by itself since the last look."""
    _marks: Marks = field(default_factory=lambda: Marks(is_gone))
    _unseen: dict[str, str] = field(default_factory=dict)
    """What is followed -> why it cannot be."""
    _applied: Mapping[UnitId, Held] = field(default_factory=dict)
    _drift: Drift | None = None
    _inputs: Inputs | None = None
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_POLLS, thread_name_prefix="poll")
    )
    _asks: Asks = field(init=False)
    _unmoved: Unmoved = field(init=False)

    def __post_init__(self) -> None:
        self._unmoved = Unmoved(self.clusters.secret)
        self._asks = Asks(self.clusters.records, self.journal, self._pool.submit)

    def run(self) -> None:
        """Watch as long as `go_on` says so."""
        self.engine.get_ready()
        self._drift = self._new_drift()
        self._drift.start()
        self._inputs = Inputs(
            self.clusters,
            on_record=lambda stored: self.tell(lambda: self._record(stored)),
            on_record_gone=lambda unit: self.tell(lambda: self._record_gone(unit)),
            on_value=lambda: self.tell(lambda: self.look_soon(_SETTLE)),
            on_state=self._followed,
        )
        try:
            self._inputs.follow_records()
            while self.go_on():
                self._tick()
        finally:
            self.stop.set()
            self._close()

    def _new_drift(self) -> Drift:
        reports = Reports(self.journal, self.meter, self.on_repair, self.on_health)
        return Drift(
            self.clusters.records, reports.repaired, reports.health, self._followed, self.go_on, self.stop
        )

    def tell(self, message: Message) -> None:
        """Have something done by the loop."""
        self.inbox.put(message)

    def request(self, units: tuple[UnitId, ...]) -> None:
        """Somebody asks for these units now: a webhook, `weir reconcile`."""
        self.tell(lambda: self._ask(units))

    def wake(self) -> None:
        """Have the loop ask at once whether to go on."""
        self.tell(lambda: None)

    @property
    def reachable(self) -> bool:
        """Whether the stack's cluster is followed at present."""
        return not self._unseen.get(RECORDS, "")

    def next_due(self, unit: UnitId) -> float | None:
        """When a source is polled next, on the monotonic clock."""
        return self._schedule.next_due(unit)

    def polled_at(self, unit: UnitId) -> float | None:
        """When a source was last resolved with success, on the monotonic clock; None for other units, and before."""
        return self._resolved.get(unit)

    def notes(self, unit: UnitId) -> Mapping[ObjectId, tuple[ObjectNote, ...]]:
        """What is not as it should be with objects of a unit."""
        return self._drift.notes(unit) if self._drift else {}

    def look_soon(self, after: float = 0.0) -> None:
        """Have everything resolved and rendered anew. Called by the loop's own thread."""
        due = time.monotonic() + after
        self._look_at = due if self._look_at is None else min(self._look_at, due)

    def _tick(self) -> None:
        now = time.monotonic()
        self.on_tick()
        self._start_polls(now)
        self._start_look(now)
        self._start_run(now)
        self._hurry_run(now)
        message = self._next(self._wait(time.monotonic()))
        while message is not None:
            message()
            message = self._next(0.0)

    def _next(self, seconds: float) -> Message | None:
        try:
            return self.inbox.get(timeout=seconds) if seconds else self.inbox.get_nowait()
        except queue.Empty:
            return None

    def _wait(self, now: float) -> float:
        waits = [self._schedule.wait(now), self._tries.wait(now), _LONGEST]
        if self._look_at is not None and not self._looking and not self.engine.busy:
            waits.append(self._look_at - now)
        return max(min(waits), 0.001)

    def _start_polls(self, now: float) -> None:
        looked = self.looked
        for unit in self._schedule.due(now) if looked else ():
            self._schedule.started(unit, now)
            if unit == REPOSITORIES:
                self.look_soon()
            elif looked is not None:
                self._pool.submit(self._poll, looked, unit)

    def _poll(self, looked: Looked, unit: UnitId) -> None:
        began = time.monotonic()
        outcome = looked.poll(unit, self._unmoved)
        took = time.monotonic() - began
        self.tell(lambda: self._polled_source(unit, outcome, took))

    def _polled_source(self, unit: UnitId, outcome: SourceOutcome, took: float) -> None:
        self._schedule.done(unit, time.monotonic(), ok=not outcome.error)
        before = self._polled.get(unit, "")
        self._polled[unit] = outcome.error
        if outcome.error and before != outcome.error:
            self.journal.error(outcome.error, unit)
        if not outcome.error:
            self._resolved[unit] = time.monotonic()
        before_look = self.looked
        if self.looked and outcome.artifact:
            self.looked = self.looked.with_source(outcome)
        moved = self.looked is not before_look
        if not moved:
            self._asks.done([unit])
        elif self._looking:
            self._moved.add(unit)
        for warning in outcome.warnings if moved else ():
            self.journal.info(warning, unit)
        self.meter.polled(took, moved=moved, failed=bool(outcome.error))

    def _start_look(self, now: float) -> None:
        if self._looking or self._look_at is None or self._look_at > now or self.engine.busy:
            return
        if not (self._inputs and self._inputs.ready):
            self._look_at = now + _START
            return
        self._look_at, self._looking = None, True
        threading.Thread(target=self._look, name="look", daemon=True).start()

    def _look(self) -> None:
        try:
            found: Looked | WeirError = look(self.open_session, self.clusters, self.stop)
        except WeirError as err:
            found = err
        self.tell(lambda: self._take_look(found))

    def _take_look(self, found: Looked | WeirError) -> None:
        self._looking = False
        if isinstance(found, WeirError):
            self.failing = (self.failing[0] if self.failing else time.time(), str(found))
            self.journal.error(str(found))
            self.look_soon(_LOOK_RETRY)
            return
        known = set(self.looked.told) if self.looked else set()
        for problem in found.told:
            if problem not in known:
                self.journal.error(problem)
        for unit, warning in found.warnings_since(self.looked):
            self.journal.info(warning, unit)
        if found.problems:
            self.look_soon(_LOOK_RETRY)
        ran = self._judge(found)
        self.looked, self.failing = found, None
        now = time.monotonic()
        self.on_look(found)
        self._resolved = {unit: now for unit, source in found.sources.items() if not source.error}
        self._schedule.keep(found.timings, now)
        while self._moved:
            self._schedule.ask(self._moved.pop(), now)
        self._schedule.done(REPOSITORIES, now, ok=True)
        if self._inputs:
            self._inputs.follow_values(found.values)
        self._hold()
        self._asks.done(None if ran else found.wanted.keys() - found.timings.keys())
        self.engine.get_ready()
        self._pool.submit(heap.give_back)

    def _is_left(self, unit: UnitId) -> bool:
        """Whether a unit is not ours to keep at present."""
        stored = self.stored[unit]
        return stored.running is not None or stored.record.suspended

    def _start_run(self, now: float) -> None:
        """Begin a run when something is behind or asked for."""
        soon = self._look_at is not None and self._look_at - now < _SOON
        if self.looked is None or self._looking or soon or self.engine.busy:
            return
        busy = self._marks.busy(self.stored, now)
        looked, records = self.looked, self._records()
        ask = ask_for(looked.wanted, records, self._tries, now, complete=looked.complete, busy=busy)
        if ask := self._asks.join(ask):
            self._running = looked
            self._haste.begun(records, now)
            self.journal.info(f"running: {ask.why}")
            self._asks.begun(self.stored)
            self.engine.start(ask.targets, lambda code: self.tell(lambda: self._ended(code)))

    def _hurry_run(self, now: float) -> None:
        """Ask a run that takes long to end when something new came: what is unhealthy goes on in the next one."""
        if self.engine.busy and self._haste.is_due(now) and self._has_news():
            self._haste.interrupted = True
            self.journal.info("the run is asked to end: a source moved meanwhile")
            self.engine.interrupt()

    def _has_news(self) -> bool:
        """Whether a source moved since the run began."""
        before, after = self._running, self.looked
        if before is None or after is None:
            return False
        return any(
            one.revision != before.wanted[unit].revision
            for unit, one in after.wanted.items()
            if unit in before.wanted and unit in self._resolved
        )

    def _records(self) -> Mapping[UnitId, UnitRecord]:
        return {unit: stored.record for unit, stored in self.stored.items()}

    def _ended(self, code: int) -> None:
        took = time.monotonic() - self._haste.began
        self._haste.ended(self._records())
        said = "done" if code == 0 else f"ended with exit code {code}"
        (self.journal.info if code == 0 else self.journal.error)(f"run {said} after {took:.1f} s")
        self.meter.ran(took, failed=code != 0)
        self._asks.ended(self.stored, well=code == 0, again=self._haste.interrupted)
        self._running, self._ran = None, None if self._haste.interrupted else self._running
        self.look_soon()

    def _judge(self, looked: Looked) -> bool:
        """Note what a run did not bring up, so that it is not tried again at once; whether there was a run."""
        ran, self._ran = self._ran, None
        if ran is None:
            return False
        self._tries.judge(ran.wanted, looked.wanted, self._records(), time.monotonic())
        return True

    def _record(self, stored: Stored) -> None:
        unit = stored.record.id
        before = self.stored.get(unit)
        self.stored[unit] = stored
        self.meter.recorded(before.record if before else None, stored.record)
        if self._asks.is_new(stored):
            self._ask((unit,))
        if before is None or differ(before, stored):
            self._hold()
        if stored.running is None and (before is None or before.running or differ(before, stored)):
            wanted = self.looked.wanted.get(unit) if self.looked else None
            said = (stored.record.digest, stored.record.suspended)
            if wanted is None or (wanted.digest, wanted.suspended) != said:
                self.look_soon(_SETTLE)

    def _record_gone(self, unit: UnitId) -> None:
        self.stored.pop(unit, None)
        self.look_soon(_SETTLE)

    def _ask(self, units: Iterable[UnitId]) -> None:
        now = time.monotonic()
        for unit in units:
            self._tries.forget(unit)
            if unit.kind == "Kustomization":
                self._asks.add(unit)
            elif not self._schedule.ask(unit, now):
                self.look_soon()

    def _hold(self) -> None:
        """Keep what is applied as it was applied."""
        if self._drift and self.looked:
            self._applied = still_applied(self.looked, self._applied, self._records())
            busy = {unit for unit, stored in self.stored.items() if stored.running}
            kept = {unit: held for unit, held in self._applied.items() if not self._is_left(unit)}
            self._drift.hold(kept, busy)

    def _followed(self, what: str, problem: str) -> None:
        self.tell(lambda: self._note_followed(what, problem))

    def _note_followed(self, what: str, problem: str) -> None:
        """Say once that something is followed, or why it cannot be."""
        if what == RECORDS and not problem:
            self.reached_at = time.time()
        if self._unseen.get(what) == problem:
            return
        self._unseen[what] = problem
        if problem:
            self.meter.lost_sight()
            self.journal.error(f"{what} cannot be followed: {problem}")
        else:
            self.journal.info(f"following {what}")

    def _close(self) -> None:
        self.engine.close()
        if self._inputs:
            self._inputs.close()
        if self._drift:
            self._drift.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
