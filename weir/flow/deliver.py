"""Deliver what waits in the outbox: match events with alerts, send, and try again while that may help.

Rule: https://fluxcd.io/flux/components/notification/providers/. Unlike there, what cannot be delivered waits on disk,
with growing pauses and as long as the other side asks for, for a day. What one provider is told about one unit arrives
in order; while one provider is down the others are served.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Final

from weir.edges.outbox import Entry, Outbox
from weir.flow import notices
from weir.flow.clusters import Clusters
from weir.flow.events import COMMIT_STATUS, UPDATE
from weir.flow.send import Sender
from weir.flow.send_errors import FinalError, PostponedError
from weir.notify.match import recipients, sets_off
from weir.spec.alert import AlertSpec
from weir.spec.errors import StopRequested, WeirError
from weir.spec.identity import UnitId
from weir.spec.provider import STATUS_TYPES, ProviderSpec

LONGEST: Final = 24 * 3600.0
"""Seconds after which a delivery is given up."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 15 * 60.0
"""Seconds between two tries."""

_PROVIDERS: Final = 8
"""Served at once."""
_LEAST: Final = 1.0
"""Seconds that must be left for another try."""
_LAST_WORDS: Final = 1.0
"""Seconds that a send has to end by itself when the run is cancelled: one that is cut off may have arrived."""
_GLANCE: Final = 0.1
"""Seconds between two looks at whether it is."""


@dataclass(slots=True)
class Delivered:
    """What a round of deliveries came to."""

    sent: int = 0
    left: int = 0
    """Waiting for a later round."""
    lost: list[str] = field(default_factory=list)
    """A sentence for each notification that will never arrive."""
    delayed: dict[UnitId, str] = field(default_factory=dict)
    """Why something waits, by provider."""

    def add(self, other: Delivered) -> None:
        """Count what somebody else did too."""
        self.sent += other.sent
        self.left += other.left
        self.lost += other.lost
        self.delayed |= other.delayed


def deliver(
    outbox: Outbox,
    clusters: Clusters,
    known: notices.Notices,
    *,
    budget_seconds: float,
    stop: threading.Event,
    clock: Callable[[], float] = time.time,
) -> Delivered:
    """Send what is due, or becomes due within the budget; the rest waits. Nothing while another process is at it.

    No send begins after the budget, but each has its provider's whole timeout. `clock` gives seconds since the epoch.

    Raises:
        OSError: the outbox cannot be read or written.
    """
    done = Delivered()
    with outbox.delivering() as alone:
        if not alone or not len(outbox):
            return done
        deadline = time.monotonic() + budget_seconds
        alerts = {one.id: one for one in _allowed(known.alerts, clusters)}
        given = _Round(outbox, clusters, known, alerts, deadline, stop, clock)
        queues = given.sort_out(done)
        if queues:
            with ThreadPoolExecutor(min(_PROVIDERS, len(queues)), thread_name_prefix="deliver") as pool:
                try:
                    for part in pool.map(given.serve, queues.items()):
                        done.add(part)
                except KeyboardInterrupt:
                    stop.set()
                    raise
        if dropped := outbox.take_dropped():
            done.lost.append(f"{dropped} notifications were dropped: over the outbox's bound, or damaged")
    return done


def deliver_kept(
    stack: str, clusters: Callable[[], Clusters], *, budget_seconds: float, stop: threading.Event
) -> Delivered:
    """As `deliver`, for a stack with what its runs kept; `clusters` is asked only when something waits.

    Raises:
        WeirError: `clusters` cannot tell how to connect.
        OSError: the outbox cannot be read or written.
    """
    outbox = Outbox(notices.outbox_folder(stack))
    if not len(outbox):
        return Delivered()
    known = notices.read_kept(stack)
    return deliver(outbox, clusters(), known, budget_seconds=budget_seconds, stop=stop)


def _allowed(alerts: Sequence[AlertSpec], clusters: Clusters) -> tuple[AlertSpec, ...]:
    """The alerts with the sources that they may name: with `noCrossNamespaceRefs`, those of their own namespace."""
    if not clusters.options.no_cross_namespace_refs:
        return tuple(alerts)
    return tuple(
        replace(alert, sources=tuple(one for one in alert.sources if one.namespace == alert.id.namespace))
        for alert in alerts
    )


@dataclass(frozen=True, slots=True)
class _Round:
    """One round, and what it needs to know. The deadline is one of the monotonic clock."""

    outbox: Outbox
    clusters: Clusters
    known: notices.Notices
    alerts: Mapping[UnitId, AlertSpec]
    """Those of `known`, with the sources that they may name."""
    deadline: float
    stop: threading.Event
    clock: Callable[[], float]

    def sort_out(self, done: Delivered) -> dict[UnitId, list[Entry]]:
        """What waits, by provider. Events are divided into deliveries; those that will never be sent are removed."""
        for entry in self.outbox.entries():
            if entry.alert is None:
                self.outbox.divide(entry, self._deliveries(entry))
        queues: dict[UnitId, list[Entry]] = {}
        for entry in self.outbox.entries():
            if entry.alert is None or entry.provider is None:
                done.left += 1  # came in meanwhile
            elif self._unwanted(entry.alert, entry.provider, entry):
                self.outbox.remove(entry)
            elif why := self._lost(entry.alert, entry.provider, entry):
                self.outbox.remove(entry)
                done.lost.append(f"{entry.provider}: {why}: {_named(entry)}")
            elif why := self._unreadable(entry.alert, entry.provider):
                done.left += 1
                done.delayed[entry.provider] = why
            else:
                queues.setdefault(entry.provider, []).append(entry)
        return queues

    def _deliveries(self, entry: Entry) -> list[Entry]:
        """What an event gives. An alert whose provider cannot be read now is told when it can be."""
        found = recipients(entry.event, entry.labels, self.alerts.values(), self.known.providers)
        told = [alert for alert, provider in found if _takes(provider, entry)]
        told += [
            alert
            for alert in self.alerts.values()
            if alert.provider in self.known.unreadable and sets_off(alert, entry.event, entry.labels)
        ]
        return [entry.to(alert.id, alert.provider) for alert in told]

    def _unwanted(self, alert: UnitId, provider: UnitId, entry: Entry) -> bool:
        """Whether somebody wants that this is not sent."""
        by, to = self.alerts.get(alert), self.known.providers.get(provider)
        return bool((by and by.suspend) or (to and (to.suspend or not _takes(to, entry))))

    def _lost(self, alert: UnitId, provider: UnitId, entry: Entry) -> str:
        """Why this will never be sent; empty while it may be."""
        if provider not in self.known.providers and provider not in self.known.unreadable:
            return "it is gone, or of a type that is not sent to"
        if alert not in self.alerts and alert not in self.known.unreadable:
            return f"{alert} is gone"
        return "given up after a day" if self.clock() - entry.since > LONGEST else ""

    def _unreadable(self, alert: UnitId, provider: UnitId) -> str:
        """Why the provider or the alert cannot be read now; empty when both can be."""
        return self.known.unreadable.get(provider) or self.known.unreadable.get(alert, "")

    def serve(self, waiting: tuple[UnitId, Iterable[Entry]]) -> Delivered:
        """Send what waits for one provider. After each failure it is left alone for a while, longer each time."""
        provider, entries = self.known.providers[waiting[0]], waiting[1]
        done, queue = Delivered(), _Queue(entries)
        sender = Sender(provider, self.known.documents, self.clusters, self.stop)
        failures = 0
        while len(queue) and self._pause(queue.wait(self.clock())):
            entry = queue.head()
            again = self._try(sender, entry, queue, done)
            queue.settle(entry, again)
            failures = failures + 1 if again else 0
            if again and not self._pause(_growing(failures)):
                break
        done.left = len(queue)
        return done

    def _try(self, sender: Sender, entry: Entry, queue: _Queue, done: Delivered) -> Entry | None:
        """Send once. None when this delivery is over, else what waits now."""
        alert = next(one for one in self.alerts.values() if one.id == entry.alert)
        now = self.clock()
        pause = _growing(entry.attempts + 1)
        again = replace(entry, attempts=entry.attempts + 1, not_before=now + pause)
        self.outbox.update(again)
        try:
            _until(self.stop, lambda: sender.send(alert, entry.event, sender.provider.timeout))
        except StopRequested:
            return again
        except FinalError as err:
            done.lost.append(f"{entry.provider}: {err}: {_named(entry)}")
        except PostponedError as err:
            done.delayed[sender.provider.id] = err.message
            return self._left_alone(again, queue, now + min(err.asked, LONGEST)) if err.asked else again
        except WeirError as err:
            done.delayed[sender.provider.id] = str(err)
            return again
        except Exception as err:  # noqa: BLE001 - one notification must not keep the others
            done.lost.append(f"{entry.provider}: unexpected {type(err).__name__}: {_named(entry)}")
        else:
            done.sent += 1
        self.outbox.remove(again)
        return None

    def _left_alone(self, again: Entry, queue: _Queue, until: float) -> Entry:
        """The entry, and all that would come next, not before the other side wants to hear of us."""
        again = replace(again, not_before=max(again.not_before, until))
        for entry in (again, *queue.postpone(until, but=again.event.unit)):
            self.outbox.update(entry)
        return again

    def _pause(self, seconds: float) -> bool:
        """Wait; False when there is no time for that and another try, or when the run was cancelled."""
        if self.stop.is_set() or seconds + _LEAST > self.deadline - time.monotonic():
            return False
        return seconds <= 0 or not self.stop.wait(seconds)


def _until(stop: threading.Event, work: Callable[[], None]) -> None:
    """Do something, and leave it alone soon after `stop`, with a thread that holds up nothing.

    Raises:
        StopRequested: it did not end by itself after `stop`.
    """
    future: Future[None] = Future()

    def carry_out() -> None:
        try:
            work()
        except BaseException as err:  # noqa: BLE001 - it is raised where it is waited for
            future.set_exception(err)
        else:
            future.set_result(None)

    threading.Thread(target=carry_out, name="send", daemon=True).start()
    while not stop.is_set():
        if wait([future], _GLANCE).done:
            break
    if not wait([future], _LAST_WORDS).done:
        raise StopRequested("the run was cancelled", hint="run again to finish")
    future.result()


class _Queue:
    """What waits for one provider: a line for each unit, for only what is about the same unit must stay in order."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._lines: dict[UnitId, deque[Entry]] = {}
        for entry in entries:
            self._lines.setdefault(entry.event.unit, deque()).append(entry)

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def wait(self, now: float) -> float:
        """Seconds until something is due."""
        return max(0.0, self.head().not_before - now)

    def head(self) -> Entry:
        """What is due first."""
        return min(
            (line[0] for line in self._lines.values()), key=lambda entry: (entry.not_before, entry.name)
        )

    def settle(self, entry: Entry, again: Entry | None) -> None:
        """Take an entry that was at the head of its line away, or put it back as it is now."""
        line = self._lines[entry.event.unit]
        line.popleft()
        if again:
            line.appendleft(again)
        if not line:
            del self._lines[entry.event.unit]

    def postpone(self, until: float, *, but: UnitId) -> list[Entry]:
        """Let the head of every line wait, but for one unit's; those that wait longer now."""
        moved = []
        for unit, line in self._lines.items():
            if unit != but and line[0].not_before < until:
                line[0] = replace(line[0], not_before=until)
                moved.append(line[0])
        return moved


def _takes(provider: ProviderSpec, entry: Entry) -> bool:
    """Whether a provider takes such an event at all: one about a revision alone is for commits only."""
    return provider.type in STATUS_TYPES or entry.event.metadata.get(COMMIT_STATUS) != UPDATE


def _growing(attempts: int) -> float:
    """Seconds to wait after so many failures."""
    return min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 20), LONGEST_PAUSE)


def _named(entry: Entry) -> str:
    """A notification in few words."""
    return f"{entry.event.unit} {entry.event.reason} of {entry.event.at}"
