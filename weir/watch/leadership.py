"""Which of several watchers leads a stack: the one that holds the stack's watch lease.

Each stack has a lease of its own. Where several replicas watch several stacks, each replica has as many slots as its
share of the stacks, and a watcher without one tries for its stack only after a lease's duration: by then another
replica has it, unless there is none. So the stacks are split, and those of a replica that ended are taken over.
"""

from __future__ import annotations

import contextlib
import threading
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Self

from weir.edges.kube.lease import Lease
from weir.edges.slots import Slots
from weir.spec.errors import ClusterError

_LOOK: Final = 2.0
"""Seconds between two looks at a lease that somebody else holds."""
_SHORTEST: Final = 0.1
_GLANCES: Final = 10
"""Looks for a free slot in one lease's duration: the other watchers hold one for a moment whenever they try."""
_GLANCE: Final = 0.2
"""Seconds between two looks at our own state."""


class Leadership:
    """Tries for a lease and keeps it, in a thread of its own, from entering until leaving; leaving gives it up."""

    def __init__(self, lease: Lease, slots: Slots | None = None) -> None:
        """`slots` are this replica's, which it leads its share of the stacks with; None for a stack that is alone."""
        self._lease = lease
        self._slots = slots
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lease {lease.name}", daemon=True)
        self.problem = ""
        """Why the lease could not be tried for at last; empty when the cluster answered."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Another may lead from now on. When the cluster does not answer, the lease ends by itself."""
        self._stop.set()
        self._thread.join()

    def is_leader(self) -> bool:
        """Whether we lead for certain: false as soon as our time is over, whatever the thread is busy with."""
        return self._lease.remaining() > 0

    @property
    def token(self) -> int:
        """The number of the present hold, above those of all former ones; means nothing when we do not lead."""
        return self._lease.token

    @property
    def leader(self) -> str:
        """The holder's name as last seen, empty when nobody leads; our own while we do."""
        return self._lease.identity if self.is_leader() else self._lease.rival

    def wait(self, stop: threading.Event) -> bool:
        """Return when we lead (True), or when `stop` is set (False)."""
        while not self.is_leader():
            if stop.wait(_GLANCE):
                return False
        return True

    def _run(self) -> None:
        asked = time.monotonic()
        while not self._stop.is_set():
            with self._slot() as free:
                asking = free or time.monotonic() - asked >= self._lease.duration
                if asking and self._try():
                    self._lead()
                    asked = time.monotonic()
                    continue
            asked = time.monotonic() if asking else asked
            pause = self._lease.patience() or _LOOK if asking else self._lease.duration / _GLANCES
            self._stop.wait(max(_SHORTEST, min(_LOOK, pause)))

    def _slot(self) -> AbstractContextManager[bool]:
        """Hold a slot, and whether there was one."""
        return self._slots.take() if self._slots else contextlib.nullcontext(enter_result=True)

    def _try(self) -> bool:
        try:
            acquired = self._lease.try_acquire()
        except ClusterError as err:
            self.problem = str(err)
            return False
        self.problem = ""
        return acquired

    def _lead(self) -> None:
        """Keep the lease until it is lost, or given up at the end."""
        try:
            self._lease.keep(self._stop)
            self._lease.release()
        except ClusterError as err:
            self.problem = str(err)
