"""One stack's watcher with everything around it: its lease, webhooks, pages, metrics, notifications."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from weir.edges.holder import own_identity, shown
from weir.edges.kube.events import read_events
from weir.edges.kube.lease import Lease, lease_name
from weir.edges.runs import Run
from weir.edges.slots import Slots
from weir.flow import collector
from weir.flow.clusters import Clusters
from weir.flow.events import (
    about_record,
    drift_event,
    drift_refused_event,
    health_lost_event,
    health_regained_event,
)
from weir.flow.repair import Held, Outcome, Repair
from weir.flow.reporting import stamp
from weir.flow.session import Session
from weir.flow.tell import Teller
from weir.spec.event import Event
from weir.spec.identity import UnitId
from weir.spec.loopback import LOOPBACK
from weir.spec.record import UnitRecord
from weir.watch import heap
from weir.watch.delivery import Delivery
from weir.watch.engine import Engine
from weir.watch.findings import HealthNews
from weir.watch.journal import Journal
from weir.watch.lasting import Lasting, Told
from weir.watch.leadership import Leadership
from weir.watch.looking import Looked
from weir.watch.loop import Watcher
from weir.watch.meter import Meter
from weir.watch.seen import present
from weir.watch.standby import Standby
from weir.watch.view import Known, StackView, view_of
from weir.watch.vitals import Vitals

if TYPE_CHECKING:
    from weir.watch.exchange import Handler, Hooks
    from weir.watch.listener import Listener
    from weir.watch.receivers import Receivers

_LAST_WORDS: Final = 5.0
_PATIENCE: Final = 10.0
"""Seconds for one request for events that somebody waits to see."""
_VIEWED: Final = 5.0
"""Seconds between two views that nobody asked for."""
_REST: Final = 500.0
"""Times as long as the CPU was busy with such a view, where that is more: a large stack must not cost more either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen; port 0 takes a free one."""

    host: str
    """IPv6 without brackets."""
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def next(self, number: int) -> Address:
        """The address so many ports further; a free port stays a free one."""
        return replace(self, port=self.port + number) if self.port else self

    def collides(self, other: Address) -> bool:
        """Whether only one of the two can be listened on. Two free ports are never the same one."""
        if not self.port or self.port != other.port:
            return False
        hosts = {_plain(self.host), _plain(other.host)}
        anywhere = "::" in hosts or ("0.0.0.0" in hosts and not any(":" in host for host in hosts))  # noqa: S104 - compared, not listened on
        return anywhere or len(hosts) == 1


def _plain(host: str) -> str:
    """A host in the one form in which all its spellings are alike."""
    try:
        return str(ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError:
        return host.lower()


@dataclass(slots=True)
class Service:
    """Keeps one stack converged, alone among its replicas. `run` returns after `end`."""

    stack: str
    clusters: Clusters
    journal: Journal
    open_session: Callable[[], Session]
    engine: Engine
    hooks: Address | None = None
    probes: Address | None = None
    pages: Address | None = None
    slots: Slots | None = None
    """Of this replica, when it watches several stacks and shares them with others."""
    token: str = ""
    """What who looks at the pages must know; empty when only this machine reaches them."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _watcher: Watcher | None = None
    _leadership: Leadership | None = None
    _standby: Standby | None = None
    _receivers: Receivers | None = None
    _vitals: Vitals = field(default_factory=Vitals)
    _meter: Meter = Meter()  # noqa: RUF009 - frozen
    _view: StackView | None = None
    _teller: Teller | None = None
    _lasting: Lasting = field(default_factory=Lasting)

    def end(self) -> None:
        """Stop soon. May be called from a signal handler."""
        self._stop.set()
        if self._watcher is not None:
            self._watcher.wake()

    def run(self) -> None:
        """Serve and watch until `end`. Raises WeirError when an address cannot be listened on."""
        collector.live_on()
        heap.share_one()
        run = Run.current()
        run.guard()
        self._teller = Teller(self.clusters, run, self.journal.error)
        lease = Lease(
            self.clusters.main,
            self.clusters.records.namespace,
            lease_name("watch", self.stack),
            own_identity(),
        )
        delivery = Delivery(self.stack, self.clusters, self.journal, self._stop)
        self._standby = Standby(
            self.clusters, self.journal, self.open_session, self._looked, self._vitals.reached, self._stop
        )
        with contextlib.ExitStack() as stack:
            for listener in self._listeners():
                stack.enter_context(listener)
            self._leadership = stack.enter_context(Leadership(lease, self.slots))
            if self.probes or self.pages:
                threading.Thread(target=self._keep_viewing, name="view", daemon=True).start()
            delivery.start()
            self._lead(self._leadership)
        delivery.join(_LAST_WORDS)

    def _lead(self, leadership: Leadership) -> None:
        """Watch whenever this replica leads."""
        said = ""
        while not self._stop.is_set():
            if not leadership.is_leader():
                said = self._say_follower(leadership, said)
                self._follow(leadership)
                self._stop.wait(0.2)
                continue
            said = ""
            self.journal.info(f"watching stack {self.stack}")
            self._watcher = self._new_watcher(leadership)
            self._watcher.run()
            self._watcher = None
            if not self._stop.is_set():
                self.journal.error(self._why_ended(leadership))

    @staticmethod
    def _why_ended(leadership: Leadership) -> str:
        if leadership.is_leader():
            return "the lease ran out before it was renewed; it is held again"
        return leadership.problem or f"{shown(leadership.leader) or 'nobody'} leads now"

    def _follow(self, leadership: Leadership) -> None:
        """Be ready while another replica leads."""
        self._vitals.tick()
        if self._standby is not None and leadership.leader:
            self._standby.keep()

    def _say_follower(self, leadership: Leadership, said: str) -> str:
        holder = leadership.leader
        text = leadership.problem or (f"waiting: {shown(holder)} watches the stack" if holder else "")
        if text and text != said:
            self.journal.info(text)
        return text or said

    def _new_watcher(self, leadership: Leadership) -> Watcher:
        return Watcher(
            clusters=self.clusters,
            journal=self.journal,
            open_session=self.open_session,
            engine=self.engine,
            go_on=lambda: not self._stop.is_set() and leadership.is_leader(),
            on_repair=self._repaired,
            on_health=self._health_changed,
            on_look=self._looked,
            on_tick=self._ticked,
            meter=self._meter,
        )

    def current(self) -> StackView:
        """The stack as it is known now. Thread-safe."""
        watcher, leadership = self._watcher, self._leadership
        problem = leadership.problem if leadership else ""
        # whoever led when the cluster last answered may do so no more
        leader = shown(leadership.leader) if leadership and leadership.leader and not problem else ""
        if watcher is not None:
            self._view = present(watcher, leader, self._view, self._vitals.idle)
        else:
            problems = (problem,) if problem else ()
            known = Known(stack=self.stack, leader=leader, at=0.0, records=(), problems=problems)
            self._view = view_of(known, {}, time.time(), self._view)
        return self._view

    def _keep_viewing(self) -> None:
        """See how things are until the end, also when nobody asks: since when they are not well counts from then."""
        took = 0.0
        while not self._stop.wait(max(_VIEWED, took * _REST)):
            began = time.thread_time()
            self.current()
            took = time.thread_time() - began

    def _ticked(self) -> None:
        self._vitals.tick()
        if self._watcher is not None:
            self._vitals.reached("" if self._watcher.reachable else "the cluster cannot be followed")
            self._tell_again(self._watcher)

    def _tell_again(self, watcher: Watcher) -> None:
        """Tell of failures that last, beside the loop, which waits for no cluster."""
        due = self._lasting.due(watcher.looked, watcher.stored, watcher.notes) if watcher.looked else []
        if due and self._teller is not None:
            threading.Thread(
                target=self._tell_all, args=(self._teller, due), name="again", daemon=True
            ).start()

    @staticmethod
    def _tell_all(teller: Teller, due: Sequence[Told]) -> None:
        for unit, event in due:
            teller.tell(unit, [event])

    def _looked(self, looked: Looked) -> None:
        self._vitals.looked()
        self._vitals.reached()
        if self._receivers is not None:
            self._receivers.serve(looked.receivers, looked.headers, looked.refused)

    def _repaired(self, unit: UnitId, done: Repair) -> None:
        """Tell of drift."""
        self._lasting.repaired(unit, done)
        if done.outcome is Outcome.REFUSED:
            self._tell(unit, partial(drift_refused_event, text=f"{done.id}: {done.text}"))
        else:
            corrected = done.outcome is Outcome.REPAIRED
            self._tell(unit, partial(drift_event, text=f"{done.id} {done.text}", corrected=corrected))

    def _health_changed(self, news: HealthNews) -> None:
        """Tell of health that objects lost or regained since they were applied."""
        self._lasting.health(news)
        if news.lost:
            self._tell(news.unit, partial(health_lost_event, lost=news.lost))
        else:
            self._tell(news.unit, partial(health_regained_event, regained=news.regained))

    def _tell(self, unit: UnitId, make: Callable[..., Event]) -> None:
        """Tell of a unit: in the cluster, and whoever wants to be notified."""
        record = self._record(unit)
        if record is None or self._teller is None:
            return
        told = about_record(record)
        event = make(told, at=stamp(datetime.now(UTC)), revision=record.revision)
        self._teller.tell(told, [event])

    def _read_events(self) -> Sequence[Event]:
        return read_events(
            self.clusters.main.in_a_hurry(_PATIENCE), self.clusters.records.namespace, self.stack
        )

    def _held(self, unit: UnitId) -> Held | None:
        looked = self._watcher.looked if self._watcher else None
        return looked.held.get(unit) if looked else None

    def _record(self, unit: UnitId) -> UnitRecord | None:
        stored = self._watcher.stored.get(unit) if self._watcher else None
        return stored.record if stored else None

    def _listeners(self) -> Iterator[Listener]:
        """One for each address that was asked for. Imported late: who only watches needs no server."""
        if self.hooks:
            yield self._listen("webhooks", self.hooks, hooks=self._make_receivers())
        if self.probes:
            from weir.watch.metrics import Metrics
            from weir.watch.probes import probe_routes

            metrics = Metrics(self.current, self._vitals, lambda: self.clusters.main.writes)
            self._meter = Meter(metrics)
            yield self._listen("probes and metrics", self.probes, routes=probe_routes(self._vitals, metrics))
        if self.pages:
            from weir.watch.dashboard.access import Access
            from weir.watch.dashboard.pages import Dashboard
            from weir.watch.happenings import Happenings
            from weir.watch.plans import Plans

            access = Access(self.token, loopback=self.pages.host in LOOPBACK)
            plans, happenings = Plans(self._held, self._record), Happenings(self._read_events)
            dashboard = Dashboard(
                self.current, plans.of, happenings.latest, access, unread=lambda: happenings.unread
            )
            yield self._listen("dashboard", self.pages, routes=dashboard.routes())

    def _listen(
        self,
        what: str,
        address: Address,
        *,
        routes: Mapping[str, Handler] = MappingProxyType({}),
        hooks: Hooks | None = None,
    ) -> Listener:
        from weir.watch.listener import Listener

        listener = Listener(
            address.port, host=address.host, routes=routes, hooks=hooks, report=self.journal.error
        )
        host, port = listener.address
        self.journal.info(f"{what} on {host}:{port}")
        return listener

    def _make_receivers(self) -> Receivers:
        from weir.watch.receivers import Receivers

        self._receivers = Receivers(
            secret=self.clusters.find_secret,
            on_request=self._requested,
            report=lambda unit, why: self.journal.error(f"webhook refused: {why}", unit),
        )
        return self._receivers

    def _requested(self, units: Sequence[UnitId]) -> None:
        watcher = self._watcher
        if watcher is not None:
            watcher.request(tuple(units))
        elif self._standby is not None:
            self._standby.pass_on(units)
