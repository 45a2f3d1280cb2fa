"""The latest events of a stack for those who look at its pages: read from the cluster, and not for every look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from weir.spec.errors import WeirError
from weir.spec.event import Event

KEPT: Final = 10.0
"""Seconds for which the same events are shown again."""
MOST: Final = 500
_NO_ANSWER: Final = "the cluster has not answered yet"


@dataclass(slots=True)
class Happenings:
    """Events by `read`, which gives the oldest first and may raise a WeirError. Thread-safe."""

    read: Callable[[], Sequence[Event]]
    clock: Callable[[], float] = time.monotonic
    _read_at: float | None = None
    """When the last read ended, whatever came of it."""
    unread: str = ""
    """Why they could not be read when they were asked for last."""
    _known: tuple[Event, ...] = ()
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def latest(self) -> tuple[Event, ...]:
        """The latest first; those known before while they cannot be read, and while somebody else reads them."""
        if self._reading.acquire(blocking=False):
            try:
                self._read_anew()
            finally:
                self._reading.release()
        return self._known

    def _read_anew(self) -> None:
        if self._read_at is None:
            self.unread = _NO_ANSWER
        elif self.clock() - self._read_at <= KEPT:
            return
        try:
            self._known, self.unread = tuple(reversed(self.read()[-MOST:])), ""
        except WeirError as err:
            self.unread = str(err)
        finally:
            self._read_at = self.clock()
