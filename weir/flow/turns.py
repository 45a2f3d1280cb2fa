"""Runs of one stack take turns: each holds the stack's run lease in the cluster, and waits for whoever holds it.

The lease is `weir-run-<stack>` in the record namespace. It is what watchers, CI runs and people on different machines
and backends have in common. Plain `pulumi up` does not know it; Pulumi's own lock is beside it in every case.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from weir.edges.holder import own_identity, shown
from weir.edges.pulumi.lock import StackLockedError
from weir.spec.duration import format_duration
from weir.spec.errors import ClusterError, SpecError, WeirError

if TYPE_CHECKING:
    from weir.edges.kube.lease import Lease

_LOOK: Final = 1.0
"""Seconds between two looks at what somebody else holds."""
_SHORTEST: Final = 0.1
_SAY: Final = 10.0
"""Seconds between two lines about it."""


class Patience:
    """How long to wait for others, from when there is something to wait for, and the lines that say so."""

    def __init__(self, seconds: float, say: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._say = say
        self._end = 0.0
        self._next = 0.0

    def rest(self, reason: str, longest: float = _LOOK) -> bool:
        """Sleep for a moment, `longest` seconds at most; False, at once, when there is no patience left."""
        now = time.monotonic()
        self._end = self._end or now + self._seconds
        if now >= self._end:
            return False
        if now >= self._next:
            self._say(f"waiting up to {format_duration(round(self._end - now))}: {reason}")
            self._next = now + _SAY
        time.sleep(min(_LOOK, max(longest, _SHORTEST), self._end - now))
        return True


def open_run_lease(stack: str, settings: Path) -> Lease | None:
    """The run lease of a stack for this process, not asked for yet; None when the settings are none that can be read.

    Raises:
        ClusterError: there is no usable kubeconfig.
    """
    # imported late: a thread loads them while the state is looked at, and a preview needs none of them
    from weir.edges.kube.client import Kube
    from weir.edges.kube.kubeconfig import load
    from weir.edges.kube.lease import Lease, lease_name
    from weir.flow.settings import read_settings_file

    try:
        cluster = read_settings_file(stack, settings).cluster
    except SpecError:  # the program itself says what is wrong with them
        return None
    kube = Kube(load(cluster.kubeconfig, cluster.context))
    return Lease(kube, cluster.record_namespace, lease_name("run", stack), own_identity())


class Turn:
    """One run's hold of its stack. Entering starts to take the lease in a thread, so that other work goes on meanwhile.

    When the cluster cannot be reached, or does not allow leases, that is said once and the run goes on without.
    """

    def __init__(self, connect: Callable[[], Lease | None], say: Callable[[str], None]) -> None:
        """`connect` gives the lease, in that thread; None when none is wanted, a WeirError when none can be had."""
        self._connect = connect
        self._say = say
        self._stop = threading.Event()
        self._lease: Lease | None = None
        self._problem: WeirError | OSError | None = None
        self._acquired = False
        self._tried = threading.Event()
        self._thread = threading.Thread(target=self._first, name="run-lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lease up; if that fails it ends by itself."""
        self._stop.set()
        self._thread.join()
        if self._lease is not None:
            with contextlib.suppress(ClusterError):
                self._lease.release()

    def wait(self, patience: Patience) -> bool:
        """Return when it is our turn; whether another run had it meanwhile, so that what we know may be old.

        Raises:
            StackLockedError: another run still holds the stack when the patience ends.
        """
        self._tried.wait()
        if self._problem is not None:
            self._say(f"other runners do not see this run: {self._problem}")
        if self._lease is None or self._acquired:
            return False
        while not self._acquired:
            reason = f"{shown(self._lease.rival) or 'another run'} holds the stack ({self._lease.name})"
            if not patience.rest(reason, self._lease.patience()):
                hint = "wait for it to end, or longer with --lock-timeout"
                raise StackLockedError(f"the stack is locked: {reason}", hint=hint)
            with contextlib.suppress(ClusterError):
                self._acquired = self._lease.try_acquire()
        self._thread = threading.Thread(target=self._lease.keep, args=(self._stop,), daemon=True)
        self._thread.start()
        return True

    def _first(self) -> None:
        lease = None
        try:
            lease = self._connect()
            self._acquired = lease is not None and lease.try_acquire()
            self._lease = lease
        except (WeirError, OSError) as err:
            self._problem = err
        finally:
            self._tried.set()
        if lease is not None and self._acquired:
            lease.keep(self._stop)
