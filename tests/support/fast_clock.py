"""`python -m tests.support.fast_clock FACTOR watch ...`: the `weir` command in a process whose clock runs faster.

What a watcher does by rhythm runs FACTOR times faster: it reads a monotonic clock that does, and its sleeps and waits
take that much less time. Nothing of the product knows about it. Everything that others have a say in keeps true time,
each for a reason:

- programs that are run (git, kustomize, the engine), requests, connections and their limits: the others are no faster;
- the lease: it is an agreement with other machines;
- the wall clock: files, records and events carry it, and other processes read them. So deliveries, which are planned by
  it, keep true time too.

Where the two meet, the meeting is kept as it is in life: the API server is asked to end watches FACTOR times sooner,
and the watcher's patience with runs of the engine is FACTOR times its own.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any, Final
from unittest import mock

FASTER: Final = (
    "weir.watch.",
    "weir.edges.kube.client",
    "weir.edges.kube.following",
    "weir.edges.git.peek",
)
"""Modules, or rooms, that live by the fast clock."""
TRUE: Final = (
    "weir.watch.connections",
    "weir.watch.deadline",
    "weir.watch.engine",
    "weir.watch.leadership",
    "weir.watch.listener",
)
"""Modules of those rooms that do not."""
_THROUGH: Final = (__name__, "threading", "queue", "concurrent.futures._base", "concurrent.futures.thread")
"""Modules that only pass on what their callers want."""

_monotonic, _sleep = time.monotonic, time.sleep
_began: Final = _monotonic()
_wait: Final = threading.Condition.wait


class Clock:
    """Time for the modules above; true time for all others."""

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def install(self) -> None:
        """From now on; before anything of the product is imported."""
        assert "weir" not in sys.modules
        mock.patch.object(time, "monotonic", self.monotonic).start()
        mock.patch.object(time, "sleep", self.sleep).start()
        mock.patch.object(threading, "_time", self.monotonic).start()
        mock.patch.object(threading.Condition, "wait", _waiting(self)).start()
        mock.patch.object(queue, "SimpleQueue", _queue(self)).start()

    def meet(self) -> None:
        """Keep the proportions where both times meet."""
        from weir.edges.kube import following
        from weir.watch import haste, marks

        watch = max(1, round(following.WATCH_SECONDS / self._factor))
        mock.patch.object(following, "WATCH_SECONDS", watch).start()
        mock.patch.object(haste, "STUCK", haste.STUCK * self._factor).start()
        mock.patch.object(marks, "PATIENCE", marks.PATIENCE * self._factor).start()

    def monotonic(self) -> float:
        """In place of `time.monotonic`."""
        return _began + (_monotonic() - _began) * self.pace(sys._getframe(1))

    def sleep(self, seconds: float) -> None:
        """In place of `time.sleep`."""
        _sleep(seconds / self.pace(sys._getframe(1)))

    def pace(self, frame: FrameType | None) -> float:
        """How much faster time runs for whoever asked."""
        while frame is not None and frame.f_globals["__name__"] in _THROUGH:
            frame = frame.f_back
        name = str(frame.f_globals["__name__"]) if frame is not None else ""
        return self._factor if name.startswith(FASTER) and name not in TRUE else 1.0


def _waiting(clock: Clock) -> Any:
    def wait(self: threading.Condition, timeout: float | None = None) -> bool:
        return _wait(self, None if timeout is None else timeout / clock.pace(sys._getframe(1)))

    return wait


def _queue(clock: Clock) -> type[queue.SimpleQueue[Any]]:
    class SimpleQueue(queue.SimpleQueue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            seconds = None if timeout is None else timeout / clock.pace(sys._getframe(1))
            return super().get(block, seconds)

    return SimpleQueue


def main(arguments: Sequence[str]) -> int:
    """Run a verb by the fast clock."""
    clock = Clock(float(arguments[0]))
    clock.install()
    clock.meet()
    from weir.cli import main as weir

    return weir(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
