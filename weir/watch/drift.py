"""Everything that units own, followed on the cluster: what drifts is repaired at once, by the code of every apply."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Resource
from weir.edges.kube.following import Follower, Place
from weir.edges.kube.records import Records
from weir.flow.repair import Held, Outcome, Repair, repair
from weir.objects.annotations import OWNER_NAME
from weir.spec.errors import StopRequested, WeirError
from weir.spec.identity import ObjectId, UnitId
from weir.watch.flapping import Flapping

Obj = dict[str, Any]

_FEW_NAMESPACES: Final = 4
"""Namespaces of one kind that get a watch each; more get one watch of all namespaces."""
_WORKERS: Final = 4
_AGAIN: Final = 2.0
"""Seconds until an object is looked at again whose unit was busy or whose server did not answer."""

Tell = Callable[[UnitId, Repair, float], None]
"""Unit, what was done, seconds it took."""


@dataclass(slots=True)
class Drift:
    """Keeps the held units' objects as they were applied. `tell` hears of every repair, report and refusal."""

    records: Records
    tell: Tell
    on_state: Callable[[str, str], None]
    """(what is followed, why it cannot be; empty when it can)."""
    go_on: Callable[[], bool]
    """Whether repairs are ours to make; asked before each."""
    stop: threading.Event
    _held: dict[UnitId, Held] = field(default_factory=dict)
    _owners: dict[tuple[str, ObjectId], UnitId] = field(default_factory=dict)
    """(server, object) -> unit."""
    _followers: dict[tuple[str, str, Place], Follower] = field(default_factory=dict)
    _pending: set[tuple[UnitId, ObjectId]] = field(default_factory=set)
    _busy: dict[tuple[UnitId, ObjectId], bool] = field(default_factory=dict)
    """Objects that are looked at now, and whether they were seen otherwise meanwhile."""
    _later: list[tuple[float, ObjectId, UnitId]] = field(default_factory=list)
    _flapping: Flapping = field(default_factory=Flapping)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_WORKERS, thread_name_prefix="repair")
    )

    def start(self) -> None:
        """Begin to look again at what had to wait."""
        threading.Thread(target=self._run_later, name="repair later", daemon=True).start()

    def hold(self, units: Mapping[UnitId, Held]) -> None:
        """Keep exactly these units from now on."""
        with self._news:
            before, self._held = self._held, dict(units)
            self._owners = {
                (held.request.kube.server, item): unit for unit, held in units.items() for item in held.placed
            }
        fresh = {
            unit: held
            for unit, held in units.items()
            if unit not in before or before[unit].digest != held.digest
        }
        anew, wanted = dict(_places(fresh)), dict(_places(units))
        for key in self._followers.keys() - wanted.keys():
            self._followers.pop(key).end()
        for key, kube in wanted.items():
            if key not in self._followers:
                self._followers[key] = self._follow(kube, key[2])
            elif key in anew:
                self._followers[key].relist()

    def close(self) -> None:
        """End all threads; `stop` must be set."""
        for follower in self._followers.values():
            follower.end()
        with self._news:
            self._news.notify_all()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _follow(self, kube: Kube, place: Place) -> Follower:
        server = kube.server
        where = place.namespace or "all namespaces"
        what = f"{place.resource.kind} in {where}"
        if server != self.records.server:
            what += f" of {server}"
        follower = Follower(
            kube=kube,
            place=place,
            on_object=lambda obj: self._seen(server, obj),
            on_gone=lambda obj: self._gone(server, obj),
            on_state=lambda text: self.on_state(what, text),
        )
        follower.start()
        return follower

    def _seen(self, server: str, obj: Obj) -> None:
        item = ObjectId.of(obj)
        unit = self._owners.get((server, item))
        held = self._held.get(unit) if unit else None
        if unit and held and not held.is_as_desired(obj):
            self._look_at(item, unit)

    def _gone(self, server: str, obj: Obj) -> None:
        item = ObjectId.of(obj)
        if unit := self._owners.get((server, item)):
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
            pause = max(after, self._flapping.pause(item, now))
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
                self._news.wait(self._later[0][0] - now if self._later else None)

    def _repair(self, item: ObjectId, unit: UnitId) -> None:
        with self._news:
            self._pending.discard((unit, item))
            held = self._held.get(unit)
            if held is None or self.stop.is_set():
                return
            self._busy[unit, item] = False
        began = time.monotonic()
        try:
            done = self._bring_back(held, item)
        finally:
            with self._news:
                again = self._busy.pop((unit, item))
        if done:
            self._note(unit, done, time.monotonic() - began)
        if again:
            self._look_at(item, unit)

    def _bring_back(self, held: Held, item: ObjectId) -> Repair | None:
        """What came of a look at one object; None when it is not ours to make, or not any more."""
        try:
            return repair(held, item, self.records, self.stop) if self.go_on() else None
        except StopRequested:
            return None
        except WeirError as err:
            return Repair(id=item, outcome=Outcome.LEFT, text=str(err))

    def _note(self, unit: UnitId, done: Repair, took: float) -> None:
        match done.outcome:
            case Outcome.REPAIRED:
                done = self._note_repair(done)
            case Outcome.LEFT:
                self._look_at(done.id, unit, _AGAIN)
        self.tell(unit, done, took)

    def _note_repair(self, done: Repair) -> Repair:
        """Count it; somebody who changes the object again and again is told of, by field and name."""
        now = time.monotonic()
        with self._news:
            self._flapping.repaired(done.id, now)
            if not self._flapping.is_flapping(done.id, now):
                return done
            pause = self._flapping.pause(done.id, now)
        return replace(done, text=f"{done.text}; it is changed again and again: left alone for {pause:.0f} s")


def _places(units: Mapping[UnitId, Held]) -> Iterator[tuple[tuple[str, str, Place], Kube]]:
    """What to follow so that every object of these units is seen: (server, identity, place) -> connection."""
    spaces: dict[tuple[str, str, Resource], set[str]] = {}
    kubes: dict[tuple[str, str], Kube] = {}
    for held in units.values():
        kube = held.request.kube
        kubes[kube.server, kube.user] = kube
        for item, (resource, _) in held.placed.items():
            spaces.setdefault((kube.server, kube.user, resource), set()).add(item.namespace)
    for (server, user, resource), found in sorted(spaces.items(), key=lambda pair: str(pair[0])):
        for namespace in sorted(found) if len(found) <= _FEW_NAMESPACES else [""]:
            place = Place(resource=resource, namespace=namespace, selector=OWNER_NAME)
            yield (server, user, place), kubes[server, user]
