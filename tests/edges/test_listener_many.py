"""Many clients at once, slow ones among them."""

from __future__ import annotations

import operator
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support.kube import wait_for
from tests.support.serving import PATH, POST, Served, post_hook
from weir.watch import connections
from weir.watch.listener import MOST_CONNECTIONS


def test_slow_clients_do_not_keep_others_out(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    slow = [
        socket.create_connection(served.listener.address, timeout=10) for _ in range(2 * MOST_CONNECTIONS)
    ]
    try:
        for sock in slow:
            sock.sendall(POST)
        started = time.monotonic()
        assert served.ask("GET", "/page")[0] == HTTPStatus.OK
        assert time.monotonic() - started < 9, "before any of them ran into the limit for slow requests"
    finally:
        for sock in slow:
            sock.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No client is slow."""
    monkeypatch.setattr(connections, "PATIENCE", 60.0)


@pytest.mark.usefixtures("patient")
def test_64_clients_at_once_are_all_answered(served: Served) -> None:
    bodies = [b'{"n": %d}' % index for index in range(64)]
    with ThreadPoolExecutor(64) as pool:
        assert set(pool.map(lambda body: post_hook(served, body), bodies)) == {HTTPStatus.OK}
    assert len(served.asked) == 64


def test_clients_leave_no_threads_and_no_files_behind(served: Served) -> None:
    def used() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    served.ask("GET", "/page")
    wait_for(lambda: not len(served.listener.connections))
    before = used()
    for path in ["/page", "/nothing", "/fails", PATH] * 25:
        served.ask("GET", path)
    served.raw(b"x\r\n\r\n")
    wait_for(lambda: all(map(operator.le, used(), before)))


@pytest.mark.usefixtures("patient")
def test_the_same_delivery_64_times_at_once_asks_once(served: Served) -> None:
    with ThreadPoolExecutor(64) as pool:
        assert set(pool.map(lambda _: post_hook(served), range(64))) == {HTTPStatus.OK}
    assert len(served.asked) == 1


@pytest.mark.usefixtures("patient")
def test_only_so_many_are_served_at_once(served: Served) -> None:
    with ThreadPoolExecutor(MOST_CONNECTIONS + 4) as pool:
        answers = [pool.submit(served.ask, "GET", "/waits") for _ in range(MOST_CONNECTIONS + 4)]
        for _ in range(MOST_CONNECTIONS):
            assert served.busy.acquire(timeout=10)
        assert not served.busy.acquire(timeout=0.3)
        assert len(served.listener.connections) == MOST_CONNECTIONS
        served.wait.set()
        assert {answer.result()[0] for answer in answers} == {HTTPStatus.OK}
