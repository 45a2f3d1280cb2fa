"""Many calls to one server at once, with one rule for errors and one for stopping."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
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
    with ThreadPoolExecutor(max_workers=max(1, min(THREADS, len(todo)))) as pool:
        futures = [pool.submit(work, item) for item in todo]
        try:
            _wait(kube, futures, stop)
        finally:
            for future in futures:
                future.cancel()
    for future in futures:
        if not future.cancelled() and future.exception() is not None:
            future.result()
    if any(future.cancelled() for future in futures):
        raise StopRequested("the run was cancelled", hint="run again to finish")
    return [future.result() for future in futures]


def _wait(kube: Kube, futures: Sequence[Future[R]], stop: threading.Event | None) -> None:
    pending: set[Future[R]] = set(futures)
    while pending and not (stop and stop.is_set()):
        done, pending = wait(pending, timeout=_POLL if stop else None, return_when=FIRST_EXCEPTION)
        if any(future.exception() for future in done):
            break
    for future in futures:
        future.cancel()
    running = {future for future in futures if not future.done()}
    if stop is None:
        return
    while running and not stop.is_set():
        _, running = wait(running, timeout=_POLL)
    if running and wait(running, timeout=_GRACE).not_done:
        kube.abort()
