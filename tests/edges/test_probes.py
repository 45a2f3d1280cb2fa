"""Probes and metrics over real sockets: whom they answer, and how."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.support.stack_view import NOW, sample
from weir.watch.listener import Listener
from weir.watch.metrics import Metrics
from weir.watch.probes import probe_routes
from weir.watch.vitals import Vitals

NAMES = ("localhost:8081", "LOCALHOST", "127.0.0.1:8081", "[::1]:8081")
STRANGERS = ("evil.example:8081", "localhost.evil.example", "10.0.0.7:8081", "[::1", "")


@contextmanager
def served(host: str) -> Iterator[Listener]:
    vitals = Vitals()
    vitals.looked()
    routes = probe_routes(vitals, Metrics(sample, vitals, dict, lambda: NOW))
    with Listener(0, host=host, routes=routes, report=pytest.fail) as listener:
        yield listener


def ask(listener: Listener, path: str, host: str, method: str = "GET") -> tuple[int, bytes]:
    port = listener.address[1]
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=15)) as connection:
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
def test_on_loopback_metrics_are_for_this_machine_alone(address: str) -> None:
    with served(address) as listener:
        for name in NAMES:
            status, text = ask(listener, "/metrics", name)
            assert status == 200
            assert b"payments" in text
        for name in STRANGERS:
            status, text = ask(listener, "/metrics", name)
            assert status == 403
            assert b"payments" not in text


def test_beyond_loopback_metrics_answer_under_any_name() -> None:
    with served("0.0.0.0") as listener:
        for name in (*NAMES, *STRANGERS):
            assert ask(listener, "/metrics", name)[0] == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_probes_answer_under_any_name(address: str, path: str, method: str) -> None:
    with served(address) as listener:
        for name in (*NAMES, *STRANGERS):
            assert ask(listener, path, name, method) == (200, b"ok\n" if method == "GET" else b"")
