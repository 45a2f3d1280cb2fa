"""The watcher's HTTP server over real sockets: statuses, limits, slow and many clients, and a clean stop."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.receivers import FLEET, genuine
from tests.support.serving import CANARY, PATH, POST, Served, post_hook, read_all
from weir.spec.errors import WeirError
from weir.watch import listener as module
from weir.watch.exchange import Response
from weir.watch.listener import MOST_BODY, MOST_HEAD, Listener


def drip(sock: socket.socket) -> NoReturn:
    while True:
        sock.sendall(b"X-A: b\r\n")
        time.sleep(0.05)


def test_a_webhook_arrives(served: Served) -> None:
    assert post_hook(served) == HTTPStatus.OK
    assert served.asked == [(FLEET,)]


def test_a_page_is_served_with_its_headers_and_the_usual_ones(served: Served) -> None:
    status, body, headers = served.ask("GET", "/page?a=%3Cb%3E", headers={"X-A": "1"})
    assert (status, body) == (HTTPStatus.OK, b"hello")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Own"] == "1"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "Server" not in headers
    (request,) = served.seen
    assert (request.path, request.query, request.headers["x-a"]) == ("/page", "a=%3Cb%3E", "1")


@pytest.mark.parametrize(
    ("method", "path", "want"),
    [
        ("GET", "/below/deep/er", 200),
        ("GET", "/below", 404),
        ("GET", "/", 404),
        ("GET", "/page/", 404),
        ("GET", "/nothing", 404),
        ("POST", "/nothing", 404),
        ("POST", "/hook/" + "0" * 64, 404),
        ("POST", "/hook/../page", 404),
        ("GET", PATH, 405),
        ("PUT", PATH, 405),
        ("DELETE", PATH, 405),
        ("HEAD", "/page", 200),
        ("HEAD", PATH, 405),
        ("POST", "/page", 405),
        ("NONSENSE", "/page", 405),
        ("POST", PATH, 400),
    ],
    ids=str,
)
def test_statuses(served: Served, method: str, path: str, want: int) -> None:
    status, _, headers = served.ask(method, path)
    assert status == want
    assert headers.get("Allow") == ({"/page": "GET, HEAD", PATH: "POST"}[path] if want == 405 else None)
    assert not served.asked


def test_a_head_is_that_of_the_page_without_the_page(served: Served) -> None:
    for path in (b"/page", b"/fails", b"/nothing"):
        line = b"HEAD " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        answer, _, body = served.raw(line).partition(b"\r\n\r\n")
        whole, _, page = served.raw(line.replace(b"HEAD", b"GET")).partition(b"\r\n\r\n")
        assert (answer, body) == (whole, b"")
        assert page


def test_a_page_that_fails_is_a_500_without_a_word(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    status, body, _ = served.ask("GET", "/fails")
    assert (status, body) == (500, b"Internal Server Error\n")
    assert served.reports == ["page failed: KeyError"]
    assert served.ask("GET", "/page")[0] == HTTPStatus.OK
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"CANARY-31337\r\n\r\n",
        b"GET CANARY-31337 NOT/HTTP\r\n\r\n",
        b"GET /page HTTP/9.CANARY-31337\r\n\r\n",
        b"GET /page HTTP/2.0\r\n\r\n",
        POST + b"Content-Length: CANARY-31337\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nCANARY-31337\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n",
        b"GET /page HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % index for index in range(200)) + b"\r\n",
        b"GET /page HTTP/1.1\r\nX: " + b"a" * MOST_HEAD + b"\r\n\r\n",
        b"GET /" + b"a" * MOST_HEAD + b" HTTP/1.1\r\n\r\n",
        bytes(range(256)) * 10 + b"\r\n\r\n",
    ],
    ids=range(16),
)
def test_what_is_no_request_is_refused_without_an_echo(
    served: Served, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = served.raw(sent)
    assert re.match(rb"HTTP/1\.1 (400|414|431|505) ", answer) or not answer
    assert CANARY.encode() not in answer
    assert served.ask("GET", "/page")[0] == HTTPStatus.OK
    assert capfd.readouterr() == ("", "")


def test_the_largest_body_arrives_and_a_larger_one_is_a_413(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LINGER_SECONDS", 20.0)
    largest = b'{"a": "' + b"x" * (MOST_BODY - 9) + b'"}'
    assert len(largest) == MOST_BODY
    assert post_hook(served, largest) == HTTPStatus.OK
    assert post_hook(served, largest + b" ") == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    answer = served.raw(POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert len(served.asked) == 1


@pytest.mark.parametrize(
    "line",
    [b"POST /hook/" + b"0" * 64, b"POST /nothing", b"PUT " + PATH.encode(), b"POST /page"],
    ids=range(4),
)
def test_who_has_no_path_cannot_make_it_read_a_body(served: Served, line: bytes) -> None:
    """The answer comes although the body never does, and nobody is told to go on."""
    head = line + b" HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3000000\r\n\r\n"
    assert re.match(rb"HTTP/1\.1 40[45] ", served.raw(head, timeout=5))


def test_a_page_takes_no_body(served: Served) -> None:
    assert served.ask("GET", "/page", b"x")[0] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert not served.seen


def test_a_body_in_chunks_arrives_and_is_bounded_too(served: Served) -> None:
    request = genuine("github")
    head = f"POST {PATH} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    first, second = request.body[:5], request.body[5:]
    chunks = b"%x;a=b\r\n%s\r\n%X\r\n%s\r\n0\r\n\r\n" % (len(first), first, len(second), second)
    assert served.raw(head.encode() + b"\r\n" + chunks).startswith(b"HTTP/1.1 200 OK\r\n")
    assert served.asked == [(FLEET,)]
    large = b"%x\r\n" % (MOST_BODY + 1)
    assert served.raw(head.encode() + b"\r\n" + large).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(served: Served) -> None:
    head = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(served.listener.address, timeout=10) as sock:
        sock.sendall(head % 1)
        assert sock.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"x")
        assert read_all(sock).startswith(b"HTTP/1.1 400 ")
    assert served.raw(head % (MOST_BODY + 1)).startswith(b"HTTP/1.1 413 ")


def test_a_slow_client_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """However regularly a byte comes: the limit is for the whole request."""
    monkeypatch.setattr(module, "READ_SECONDS", 0.6)
    started = time.monotonic()
    with socket.create_connection(served.listener.address, timeout=10) as sock:
        sock.sendall(POST)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            drip(sock)
    assert 0.5 < time.monotonic() - started < 5


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /", POST + b"Content-Length: 9\r\n\r\nx"],
    ids=["all", "line", "body"],
)
def test_a_client_that_falls_silent_is_cut_off(
    served: Served, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.4)
    assert served.raw(sent, timeout=5) == b""


def test_it_stops_without_waiting_for_a_page_and_frees_its_port() -> None:
    served = Served()
    served.listener.start()
    address = served.listener.address
    idle = [socket.create_connection(address, timeout=5) for _ in range(3)]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(served.ask, "GET", "/waits")
        assert served.busy.acquire(timeout=10)
        started = time.monotonic()
        served.listener.stop()
        assert time.monotonic() - started < 10
        served.wait.set()
        with pytest.raises((OSError, http.client.HTTPException)):
            waiting.result(timeout=10)
    for sock in idle:
        assert sock.recv(1) == b""
        sock.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


def test_a_request_in_progress_is_finished_before_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STOP_SECONDS", 20.0)
    served = Served()
    served.listener.start()
    address = served.listener.address

    def go_on_once_it_stops() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                socket.create_connection(address, timeout=5).close()
                time.sleep(0.01)
        served.wait.set()

    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(served.ask, "GET", "/waits")
        assert served.busy.acquire(timeout=10)
        pool.submit(go_on_once_it_stops)
        served.listener.stop()
        assert waiting.result()[:2] == (HTTPStatus.OK, b"done")


def test_it_listens_on_loopback_and_may_be_stopped_before_it_starts() -> None:
    served = Served()
    assert served.listener.address[0] == "127.0.0.1"
    served.listener.stop()


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
def test_it_listens_on_the_other_loopback_too() -> None:
    served = Served()
    listener = Listener(0, host="::1", hooks=served.receivers, report=served.reports.append)
    served.listener.stop()
    served.listener = listener
    with listener:
        assert listener.address[0] == "::1"
        assert post_hook(served) == HTTPStatus.OK


def test_an_address_that_is_taken_is_an_error_that_names_it() -> None:
    served = Served()
    port = served.listener.address[1]
    with pytest.raises(WeirError, match=rf"127\.0\.0\.1:{port}: cannot listen: Address already in use"):
        Listener(port, report=served.reports.append)
    with pytest.raises(WeirError, match=r"127\.0\.0\.1:70000: cannot listen"):
        Listener(70000, report=served.reports.append)
    served.listener.stop()


def test_a_header_with_a_line_break_never_leaves(served: Served) -> None:
    served.listener.routes["/split"] = lambda _: Response(headers={"X-A": "b\r\nSet-Cookie: c"})
    status, _, headers = served.ask("GET", "/split")
    assert status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert "Set-Cookie" not in headers


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux counts how often a thread wakes")
def test_a_listener_that_nobody_asks_sleeps(served: Served) -> None:
    assert served.ask("GET", "/page")[0] == HTTPStatus.OK
    before = wakes("listener")
    time.sleep(1.0)
    assert wakes("listener") - before <= 2
    assert served.ask("GET", "/page")[0] == HTTPStatus.OK


def wakes(name: str) -> int:
    """How often the threads of a name began to run."""
    numbers = [thread.native_id for thread in threading.enumerate() if thread.name == name]
    texts = [Path(f"/proc/self/task/{number}/status").read_text() for number in numbers]
    return sum(int(re.findall(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.MULTILINE)[0]) for text in texts)
