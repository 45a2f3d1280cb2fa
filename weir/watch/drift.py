"""Everything that units own, followed on the cluster: what drifts is repaired at once, by the code of every apply."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final

from weir.edges.kube.records import Records
from weir.flow.repair import Held, Outcome, Repair, repair
from weir.spec.errors import StopRequested, WeirError
from weir.spec.identity import ObjectId, UnitId
from weir.watch.findings import Findings, HealthNews
from weir.watch.flapping import Flapping
from weir.watch.sight import Sight
from weir.watch.view import ObjectNote

Obj = dict[str, Any]

_WORKERS: Final = 4
_AGAIN: Final = 2.0
"""Seconds until an object is looked at again whose unit was busy or whose server did not answer."""
_NEVER: Final = float("inf")

_PATIENCE: Final = 300.0
"""Seconds at most in which what was healthy may become healthy again before anybody is told."""
_STAYS: Final = (Outcome.REPORTED, Outcome.REFUSED)

Tell = Callable[[UnitId, Repair, float], None]
"""Unit, what was done, seconds it took."""
TellHealth = Callable[[HealthNews], None]


@dataclass(slots=True)
class Drift:
    """Keeps the held units' objects as they were applied, and knows what is wrong with them.

    `tell` hears of every look, but of drift that stays only when it is news.
    """

    records: Records
    tell: Tell
    tell_health: TellHealth
    on_state: Callable[[str, str], None]
    """(what is followed, why it cannot be; empty when it can)."""
    go_on: Callable[[], bool]
    """Whether repairs are ours to make; asked before each."""
    stop: threading.Event
    _held: dict[UnitId, Held] = field(default_factory=dict)
    _owners: dict[tuple[str, ObjectId], UnitId] = field(default_factory=dict)
    """(server, object) -> unit."""
    _sight: Sight = field(init=False)
    _pending: set[tuple[UnitId, ObjectId]] = field(default_factory=set)
    _busy: dict[tuple[UnitId, ObjectId], bool] = field(default_factory=dict)
    """Objects that are looked at now, and whether they were seen otherwise meanwhile."""
    _later: list[tuple[float, ObjectId, UnitId]] = field(default_factory=list)
    _refused: dict[tuple[UnitId, ObjectId], float] = field(default_factory=dict)
    """Objects that the server did not let be repaired, and when that is tried again."""
    _calm: set[tuple[UnitId, ObjectId]] = field(default_factory=set)
    """Objects that were seen as desired while they were looked at."""
    _flapping: Flapping = field(default_factory=Flapping)
    _findings: Findings = field(default_factory=Findings)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_WORKERS, thread_name_prefix="repair")
    )

    def __post_init__(self) -> None:
        self._sight = Sight(self._seen, self._gone, self._followed)

    def start(self) -> None:
        """Begin to look again at what had to wait, and to tell of health."""
        threading.Thread(target=self._run_later, name="repair later", daemon=True).start()
        threading.Thread(target=self._run_health, name="health", daemon=True).start()

    def notes(self, unit: UnitId) -> Mapping[ObjectId, tuple[ObjectNote, ...]]:
        """What is not as it should be with objects of a unit. May be called from any thread."""
        with self._news:
            return self._findings.notes(unit)

    def hold(self, units: Mapping[UnitId, Held], busy: Collection[UnitId] = ()) -> None:
        """Keep exactly these units from now on; what is known of `busy` ones is not forgotten."""
        with self._news:
            before, self._held = self._held, dict(units)
            self._findings.keep({*units, *busy})
            for unit, held in units.items():
                if not self._findings.knows(unit, held.digest):
                    patience = min(held.request.spec.timeout, _PATIENCE)
                    self._findings.begin(unit, held.digest, held.placed, held.unproven, patience)
            self._owners = {
                (held.request.kube.server, item): unit for unit, held in units.items() for item in held.placed
            }
        fresh = {
            unit: held
            for unit, held in units.items()
            if unit not in before or before[unit].digest != held.digest
        }
        self._sight.cover(units, fresh)

    def close(self) -> None:
        """End all threads; `stop` must be set."""
        self._sight.close()
        with self._news:
            self._news.notify_all()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _followed(self, server: str, what: str, problem: str) -> None:
        where = "" if server == self.records.server else f" of {server}"
        self.on_state(f"{what}{where}", problem)

    def _seen(self, server: str, obj: Obj) -> None:
        item = ObjectId.of(obj)
        unit = self._owners.get((server, item))
        held = self._held.get(unit) if unit else None
        if not unit or not held:
            return
        health, settled = held.health(obj), held.is_as_desired(obj)
        with self._news:
            if health and self._findings.judged(unit, item, health, time.monotonic()):
                self._news.notify_all()
            if settled:
                self._settle(item, unit)
        if not settled:
            self._look_at(item, unit)

    def _settle(self, item: ObjectId, unit: UnitId) -> None:
        """The object is as desired, by the watch; what a look at it finds may be older."""
        self._findings.settled(unit, item)
        self._refused.pop((unit, item), None)
        if (unit, item) in self._busy:
            self._calm.add((unit, item))

    def _gone(self, server: str, obj: Obj) -> None:
        item = ObjectId.of(obj)
        if unit := self._owners.get((server, item)):
            with self._news:
                self._findings.gone(unit, item)
            self._look_at(item, unit)

    def _look_at(self, item: ObjectId, unit: UnitId, after: float = 0.0) -> None:
        """Have one object looked at, once, now or after a pause in seconds."""
        with self._news:
            if self.stop.is_set() or (unit, item) in self._pending:
                return
            if (unit, item) in self._busy:
                # a repair writes in steps: a second one beside it would judge what is half written
                self._busy[unit, item] = True
                return
            now = time.monotonic()
            fought = self._flapping.pause(item, now)
            if fought:
                self._findings.paused(unit, item)
            pause = max(after, fought)
            self._pending.add((unit, item))
            if pause:
                heapq.heappush(self._later, (now + pause, item, unit))
                self._news.notify_all()
                return
        self._pool.submit(self._repair, item, unit)

    def _run_later(self) -> None:
        with self._news:
            while not self.stop.is_set():
                now = time.monotonic()
                while self._later and self._later[0][0] <= now:
                    _, item, unit = heapq.heappop(self._later)
                    self._pool.submit(self._repair, item, unit)
                for unit, item in [key for key, due in self._refused.items() if due <= now]:
                    del self._refused[unit, item]
                    self._look_at(item, unit)
                due = min(self._later[0][0] if self._later else _NEVER, *self._refused.values(), _NEVER)
                self._news.wait(due - now if due < _NEVER else None)

    def _repair(self, item: ObjectId, unit: UnitId) -> None:
        with self._news:
            self._pending.discard((unit, item))
            self._refused.pop((unit, item), None)
            held = self._held.get(unit)
            if held is None or self.stop.is_set():
                return
            self._busy[unit, item] = False
        began = time.monotonic()
        try:
            done = self._bring_back(held, item)
        finally:
            with self._news:
                again, calm = self._busy.pop((unit, item)), (unit, item) in self._calm
                self._calm.discard((unit, item))
        outdated = calm and done is not None and done.outcome in _STAYS
        if done and not outdated:
            self._note(held, done, time.monotonic() - began)
        if again or outdated:
            self._look_at(item, unit)

    def _run_health(self) -> None:
        """Tell what is news about health, one after the other: who is told must not hear of a recovery first."""
        while True:
            with self._news:
                if self.stop.is_set():
                    return
                now = time.monotonic()
                news = self._findings.news(now)
                if not news:
                    self._news.wait(self._findings.wait(now))
            for one in news:
                if self.go_on():
                    self.tell_health(one)

    def _bring_back(self, held: Held, item: ObjectId) -> Repair | None:
        """What came of a look at one object; None when it is not ours to make, or not any more."""
        try:
            return repair(held, item, self.records, self.stop) if self.go_on() else None
        except StopRequested:
            return None
        except WeirError as err:
            return Repair(id=item, outcome=Outcome.LEFT, text=str(err))

    def _note(self, held: Held, done: Repair, took: float) -> None:
        unit = held.request.spec.id
        match done.outcome:
            case Outcome.REPAIRED:
                done = self._note_repair(unit, done)
            case Outcome.SAME:
                with self._news:
                    self._findings.settled(unit, done.id)
            case Outcome.LEFT:
                self._look_at(done.id, unit, _AGAIN)
            case Outcome.REPORTED | Outcome.REFUSED:
                if not self._note_drift(held, done):
                    return
        self.tell(unit, done, took)

    def _note_drift(self, held: Held, done: Repair) -> bool:
        """Whether drift that stays is news. What refuses a repair may be away later, as an admission webhook."""
        spec = held.request.spec
        with self._news:
            if done.outcome is Outcome.REFUSED:
                self._refused[spec.id, done.id] = time.monotonic() + spec.retry_interval
                self._news.notify_all()
            return self._findings.drifted(spec.id, done)

    def _note_repair(self, unit: UnitId, done: Repair) -> Repair:
        """Count it; somebody who changes the object again and again is told of, by field and name."""
        now = time.monotonic()
        with self._news:
            self._findings.settled(unit, done.id)
            self._flapping.repaired(done.id, now)
            if not self._flapping.is_flapping(done.id, now):
                return done
            pause = self._flapping.pause(done.id, now)
        return replace(done, text=f"{done.text}; it is changed again and again: left alone for {pause:.0f} s")
