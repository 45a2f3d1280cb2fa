"""Many calls to one server at once, with one rule for errors and one for stopping."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from weir.edges.kube.client import Kube
from weir.spec.errors import StopRequested

T = TypeVar("T")
R = TypeVar("R")

THREADS: Final = 8
_GRACE: Final = 1.0
"""Seconds that requests in flight get to finish after a stop, before their connections are cut."""
_POLL: Final = 0.1


def each(
    kube: Kube, work: Callable[[T], R], items: Iterable[T], stop: threading.Event | None = None
) -> Sequence[R]:
    """The results of `work` for all items, in their order.

    After the first exception no further item is begun, those begun are finished, and it is raised. No thread is left
    behind: when `stop` is set, requests that do not finish within a second are cut off and StopRequested is raised.
    """
    todo = list(items)
    if len(todo) <= 1 and stop is None:
        return [work(item) for item in todo]
    rest = deque(enumerate(todo))
    results: dict[int, R] = {}
    errors: dict[int, BaseException] = {}

    def take_turns() -> None:
        while rest and not errors:
            try:
                index, item = rest.popleft()
            except IndexError:  # another thread took the last one
                return
            try:
                results[index] = work(item)
            except BaseException as err:  # noqa: BLE001 - raised by the caller's thread
                errors[index] = err

    threads = max(1, min(THREADS, len(todo)))
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            _wait(kube, [pool.submit(take_turns) for _ in range(threads)], rest, stop)
        finally:
            rest.clear()
    if errors:
        raise errors[min(errors)]
    if len(results) < len(todo):
        raise StopRequested("the run was cancelled", hint="run again to finish")
    return [results[index] for index in range(len(todo))]


def _wait(
    kube: Kube, threads: Iterable[Future[None]], rest: deque[tuple[int, T]], stop: threading.Event | None
) -> None:
    """Wait for the threads; once `stop` is set nothing more is begun, and what hangs is cut off."""
    pending = set(threads)
    while pending and not (stop and stop.is_set()):
        _, pending = wait(pending, timeout=_POLL if stop else None)
    rest.clear()
    if pending and wait(pending, timeout=_GRACE).not_done:
        kube.abort()
