"""Which of several watchers leads a stack: the one that holds the stack's watch lease.

Each stack has a lease of its own, so that several replicas share the stacks among them, and take over those of a
replica that ended.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from weir.edges.kube.lease import Lease
from weir.spec.errors import ClusterError

_LOOK: Final = 2.0
"""Seconds between two looks at a lease that somebody else holds."""
_SHORTEST: Final = 0.1
_GLANCE: Final = 0.2
"""Seconds between two looks at our own state."""


class Share:
    """How many stacks this replica leads, and how many it should. Thread-safe.

    A replica that leads its share already tries for a further stack only after one lease's duration: by then another
    replica has it, unless there is none.
    """

    def __init__(self, stacks: int, replicas: int) -> None:
        self._fair = math.ceil(stacks / replicas)
        self._lock = threading.Lock()
        self._led = 0

    @property
    def full(self) -> bool:
        """Whether this replica leads its share."""
        return self._led >= self._fair

    def attempt(self, acquire: Callable[[], bool], *, beyond: bool) -> bool:
        """Try for one stack more, `beyond` the share only if asked; one at a time, so that the count is right."""
        with self._lock:
            if self.full and not beyond:
                return False
            acquired = acquire()
            self._led += acquired
            return acquired

    def give(self) -> None:
        """Count one stack less."""
        with self._lock:
            self._led -= 1


class Leadership:
    """Tries for a lease and keeps it, in a thread of its own, from entering until leaving; leaving gives it up."""

    def __init__(self, lease: Lease, share: Share | None = None) -> None:
        self._lease = lease
        self._share = share or Share(1, 1)
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
        while not self._stop.is_set():
            beyond = self._share.full
            if beyond and self._stop.wait(self._lease.duration):
                return
            if self._share.attempt(self._try, beyond=beyond):
                self._lead()
            else:
                patience = self._lease.patience() or _LOOK
                self._stop.wait(max(_SHORTEST, min(_LOOK, patience)))

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
        finally:
            self._share.give()
