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


@dataclass(slots=True)
class Happenings:
    """Events by `read`, which gives the oldest first and may raise a WeirError. Thread-safe."""

    read: Callable[[], Sequence[Event]]
    clock: Callable[[], float] = time.monotonic
    _read_at: float | None = None
    unread: str = ""
    """Why they could not be read when they were asked for last."""
    _known: tuple[Event, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def latest(self) -> tuple[Event, ...]:
        """The latest first; those known before while they cannot be read."""
        with self._lock:
            now = self.clock()
            if self._read_at is None or now - self._read_at > KEPT:
                self._read_at = now
                try:
                    self._known, self.unread = tuple(reversed(self.read()[-MOST:])), ""
                except WeirError as err:
                    self.unread = str(err)
            return self._known
