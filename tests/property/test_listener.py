"""S33: whatever bytes the watcher's HTTP server gets, the client is to blame, and others are still served."""

from __future__ import annotations

import re
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.receivers import SECRET, TOKEN, receiver, units
from weir.notify.hooks import hook_path
from weir.watch.exchange import Response
from weir.watch.listener import Listener
from weir.watch.receivers import Receivers

pytestmark = pytest.mark.property

PATH = hook_path(TOKEN, "push", "apps").encode()
_LINES = st.sampled_from(
    [b"POST " + PATH + b" HTTP/1.1", b"POST " + PATH, b"GET /page HTTP/1.0", b"GET /page?a HTTP/1.1", b"PRI * HTTP/2.0",
     b"Content-Length: 3", b"Content-Length: 99", b"Content-Length: -1", b"Transfer-Encoding: chunked", b"3", b"abc",
     b"ffffffffffffffffffff", b"0", b"", b"X-Hub-Signature-256: sha256=00", b"Expect: 100-continue", b"Host: [",
     b"\x00", b": a", b" folded", b"X:"]
)  # fmt: skip
_BYTES = st.lists(_LINES | st.binary(max_size=20), max_size=10).map(b"\r\n".join) | st.binary(max_size=200)


@settings(max_examples=40)
@given(sent=st.lists(_BYTES, min_size=1, max_size=8))
def test_any_bytes_are_answered_or_ignored(sent: list[bytes]) -> None:
    asked: list[object] = []
    reports: list[str] = []
    receivers = Receivers(secret=lambda *_: SECRET, on_request=asked.append, report=lambda *_: None)
    receivers.serve([receiver()], units("fleet"))
    routes = {"/page": lambda _: Response(body=b"hello")}
    with Listener(0, routes=routes, hooks=receivers, report=reports.append) as listener:
        for data in sent:
            answer = _exchange(listener.address, data).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
            found = re.match(rb"HTTP/1\.1 ([0-9]{3}) ", answer)
            assert not answer or found
            if found:
                assert found[1].startswith(b"4") or found[1] in (b"200", b"505")
        assert _exchange(listener.address, b"GET /page HTTP/1.1\r\n\r\n").endswith(b"hello")
    assert not asked
    assert not reports


def _exchange(address: tuple[str, int], sent: bytes) -> bytes:
    parts = []
    with socket.create_connection(address, timeout=10) as sock:
        try:
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
            while part := sock.recv(65536):
                parts.append(part)
        except (ConnectionResetError, BrokenPipeError):
            pass
    return b"".join(parts)
