"""Calls at a later time, all from one thread: what a timer for each exchange does, without a thread for each."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True, order=True)
class Alarm:
    """One call to come."""

    due: float
    """On the monotonic clock."""
    number: int
    call: Callable[[], None] | None = field(compare=False)
    """None once it was made or is not wanted any more."""

    def cancel(self) -> None:
        """It is not wanted any more; one that begins at this moment may still come."""
        self.call = None


class Alarms:
    """Makes calls when they are due, one after the other; they must be short and not raise. Thread-safe.

    Most are cancelled long before. So the thread, which begins with the first, is not told of later ones than it waits
    for already, and looks at what was cancelled only when that would have been due.
    """

    def __init__(self) -> None:
        self._coming: list[Alarm] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._awaited = float("inf")
        """Until when the thread waits."""
        self._thread: threading.Thread | None = None

    def after(self, seconds: float, call: Callable[[], None]) -> Alarm:
        """Have something called in so many seconds."""
        with self._changed:
            alarm = Alarm(time.monotonic() + seconds, next(self._numbers), call)
            heapq.heappush(self._coming, alarm)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)
                self._thread.start()
            elif alarm.due < self._awaited:
                self._changed.notify()
        return alarm

    def _run(self) -> None:
        while True:
            call = self._next().call
            if call is not None:
                call()

    def _next(self) -> Alarm:
        """The next one that is due, taken from those that come."""
        with self._changed:
            while True:
                while self._coming and self._coming[0].call is None:
                    heapq.heappop(self._coming)
                self._awaited = self._coming[0].due if self._coming else float("inf")
                left = self._awaited - time.monotonic()
                if left <= 0:
                    return heapq.heappop(self._coming)
                self._changed.wait(min(left, threading.TIMEOUT_MAX))
