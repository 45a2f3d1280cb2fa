"""Notifications that wait for their delivery: on disk, in order, bounded, shared by processes, one folder per stack.

An entry is a file that is written whole and renamed into place: first an event, then, once it is known whom it goes to,
one entry for each delivery instead. What a crash leaves is delivered by the next process; a second delivery is possible
only when the crash fell between the answer of the other side and the removal of the entry.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import orjson

from weir.edges.folders import private_folder, write_whole
from weir.notify.rate import RateLimit
from weir.spec.errors import SpecError
from weir.spec.event import Event, Severity
from weir.spec.identity import UnitId

MAX_ENTRIES: Final = 10_000
MAX_BYTES: Final = 64 * 1024**2

_PATIENCE: Final = 5.0
"""Seconds to wait for a process that holds the queue; one that was stopped in the middle holds up nobody longer."""
_STATE: Final = "state"
_DIGITS: Final = 16
_NAME: Final = re.compile(r"[0-9]{20}-([0-9a-f]{16})(-[0-9a-f]{16})?")
"""When it came in, the event's digest, and for a delivery that of alert and provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event that nobody was chosen for yet, or one delivery of it."""

    event: Event
    labels: Mapping[str, str]
    """Of the unit, when the event happened."""
    since: float
    """When it came in, seconds since the epoch."""
    alert: UnitId | None = None
    provider: UnitId | None = None
    attempts: int = 0
    """How often it was sent; counted before the sending, so that what a crash cut short is counted too."""
    not_before: float = 0.0
    """Seconds since the epoch."""
    name: str = ""
    """Where it lies; names sort by age."""

    def to(self, alert: UnitId, provider: UnitId) -> Entry:
        """The delivery of this event for an alert."""
        digest = hashlib.sha256(f"{alert} {provider}".encode()).hexdigest()[:_DIGITS]
        return replace(self, alert=alert, provider=provider, name=f"{self.name}-{digest}")


@dataclass(slots=True)
class _State:
    """What is known beside the entries."""

    limit: RateLimit = field(default_factory=RateLimit)
    dropped: int = 0


class Outbox:
    """The queue of one stack. Processes and threads may use it at once. Every method raises OSError."""

    def __init__(self, folder: Path, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder / "entries"
        self._root = folder
        self._max_entries = max_entries
        self._max_bytes = max_bytes

    def put(self, events: Iterable[tuple[Event, Mapping[str, str]]], now: float) -> int:
        """Take events with the labels of their units; the number of those that are new.

        Left out is what waits already, and what was told within the last minutes (`weir.notify.rate`). Over a bound
        the oldest entries go and are counted.
        """
        private_folder(self._root)
        private_folder(self._folder)
        with self._locked():
            state = self._read_state(now)
            waiting = {found[1] for name in self._names() if (found := _NAME.fullmatch(name))}
            added = [
                self._add(event, labels, now)
                for event, labels in events
                if state.limit.admits(event, now) and _digest(event) not in waiting
            ]
            self._trim(state)
            self._write_state(state)
        return len(added)

    def entries(self) -> tuple[Entry, ...]:
        """Everything that waits, the oldest first. What cannot be read is removed and counted."""
        found: list[Entry] = []
        broken: list[str] = []
        for name in self._names():
            try:
                found.append(_decode(name, (self._folder / name).read_bytes()))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError, SpecError):
                broken.append(name)
        if broken:
            with self._locked():
                state = self._read_state()
                self._drop(broken, state)
                self._write_state(state)
        return tuple(found)

    def divide(self, entry: Entry, deliveries: Sequence[Entry]) -> None:
        """Put deliveries in the place of their event; nothing when it is for nobody, or gone meanwhile."""
        with self._locked():
            if not (self._folder / entry.name).exists():
                return
            for each in deliveries:
                self._write(each)
            self.remove(entry)

    def update(self, entry: Entry) -> None:
        """Keep what is new about an entry that is still there."""
        with self._locked():
            if (self._folder / entry.name).exists():
                self._write(entry)

    def remove(self, entry: Entry) -> None:
        """Forget an entry."""
        (self._folder / entry.name).unlink(missing_ok=True)

    def take_dropped(self) -> int:
        """How many entries were dropped since this was asked last."""
        if not (self._root / _STATE).exists():
            return 0
        with self._locked():
            state = self._read_state()
            dropped, state.dropped = state.dropped, 0
            if dropped:
                self._write_state(state)
        return dropped

    def __len__(self) -> int:
        """How many entries wait."""
        return len(self._names())

    @contextlib.contextmanager
    def delivering(self) -> Iterator[bool]:
        """Whether this is the only one that delivers, for the time of the block."""
        private_folder(self._root)
        with (self._root / "deliver.lock").open("ab") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the queue. Without it after a while: an event twice is better than one that holds up a run."""
        end = time.monotonic() + _PATIENCE
        with (self._root / "queue.lock").open("ab") as handle:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        break
                    time.sleep(0.005)
            yield

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))
        except FileNotFoundError:
            return []

    def _add(self, event: Event, labels: Mapping[str, str], now: float) -> Entry:
        name = f"{time.time_ns():020d}-{_digest(event)}"
        entry = Entry(event=event, labels=labels, since=now, name=name)
        self._write(entry)
        return entry

    def _write(self, entry: Entry) -> None:
        write_whole(self._folder / entry.name, _encode(entry), durable=entry.attempts == 0)

    def _trim(self, state: _State) -> None:
        """Keep the bounds, and no half of what a killed process was writing."""
        sizes: dict[str, int] = {}
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                if not path.name.startswith("."):
                    sizes[path.name] = stat.st_size
                elif time.time() - stat.st_mtime > _PATIENCE * 2:
                    path.unlink()
        excess: list[str] = []
        count, total = len(sizes), sum(sizes.values())
        for name in sorted(sizes):
            if count <= self._max_entries and total <= self._max_bytes:
                break
            excess.append(name)
            count, total = count - 1, total - sizes[name]
        self._drop(excess, state)

    def _drop(self, names: Iterable[str], state: _State) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
            state.dropped += 1

    def _read_state(self, now: float = math.inf) -> _State:
        """What was written last, without what a clock that was set back would make last; a damaged file is as none."""
        try:
            found = orjson.loads((self._root / _STATE).read_bytes())
            told = {str(key): float(at) for key, at in found["told"].items() if at <= now}
            return _State(RateLimit(told), int(found["dropped"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return _State()

    def _write_state(self, state: _State) -> None:
        known = {"told": dict(state.limit.told), "dropped": state.dropped}
        write_whole(self._root / _STATE, orjson.dumps(known))


def _digest(event: Event) -> str:
    """What makes an event the same event."""
    return hashlib.sha256(orjson.dumps(_fields(event), option=orjson.OPT_SORT_KEYS)).hexdigest()[:_DIGITS]


def _fields(event: Event) -> dict[str, Any]:
    return {
        "unit": str(event.unit),
        "severity": str(event.severity),
        "reason": event.reason,
        "message": event.message,
        "at": event.at,
        "stack": event.stack,
        "metadata": dict(event.metadata),
    }


def _encode(entry: Entry) -> bytes:
    return orjson.dumps(
        {
            "event": _fields(entry.event),
            "labels": dict(entry.labels),
            "since": entry.since,
            "alert": str(entry.alert or ""),
            "provider": str(entry.provider or ""),
            "attempts": entry.attempts,
            "notBefore": entry.not_before,
        }
    )


def _decode(name: str, payload: bytes) -> Entry:
    found = orjson.loads(payload)
    event = found["event"]
    return Entry(
        event=Event(
            **{**event, "unit": UnitId.parse(event["unit"]), "severity": Severity(event["severity"])}
        ),
        labels=found["labels"],
        since=found["since"],
        alert=UnitId.parse(found["alert"]) if found["alert"] else None,
        provider=UnitId.parse(found["provider"]) if found["provider"] else None,
        attempts=found["attempts"],
        not_before=found["notBefore"],
        name=name,
    )
