"""Whether the watcher lives and whether it is of use: what `/healthz` and `/readyz` answer.

Rule: https://kubernetes.io/docs/concepts/workloads/pods/probes/
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

HUNG: Final = 60.0
"""Seconds without a round of the loop after which the process is taken for hung."""


class Vitals:
    """What the loop reports about itself. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ticked = clock()
        self._looked = False
        self._unreachable = ""

    def tick(self) -> None:
        """The loop went round once more."""
        with self._lock:
            self._ticked = self._clock()

    def looked(self) -> None:
        """Every unit was looked at once."""
        with self._lock:
            self._looked = True

    def reached(self, problem: str = "") -> None:
        """The cluster answered, or why it did not."""
        with self._lock:
            self._unreachable = problem

    @property
    def idle(self) -> float:
        """Seconds since the last round of the loop."""
        with self._lock:
            return max(self._clock() - self._ticked, 0.0)

    def sick(self) -> str:
        """Why the process should be restarted; empty when it is well. A cluster that is away is no reason."""
        idle = self.idle
        return f"the loop has not gone round for {idle:.0f} s" if idle > HUNG else ""

    def unready(self) -> str:
        """Why nobody should rely on this watcher yet, or at present; empty when it is ready."""
        with self._lock:
            waiting = "" if self._looked else "the first look at the stack is not done yet"
            return self._unreachable or waiting
