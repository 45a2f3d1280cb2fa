"""The watcher's HTTP server: webhooks and read-only pages, bounded in time, size and connections.

One connection is one request. Nothing that a client sends comes back to it, no error says more than its status, and a
page that fails fails alone.
"""

from __future__ import annotations

import contextlib
import io
import selectors
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self, TypeVar, cast

from weir.notify.hooks import PREFIX
from weir.spec import loopback
from weir.spec.errors import WeirError
from weir.watch.connections import Connections
from weir.watch.deadline import DeadlineReader, MalformedError, TooLargeError, read_chunks, read_exactly
from weir.watch.exchange import Handler, Hooks, Request, Response

LOOPBACK: Final = "127.0.0.1"
MOST_BODY: Final = 3 * 1024 * 1024
"""Bytes; as Flux's notification-controller."""
MOST_HEAD: Final = 64 * 1024
"""Bytes of the request line and all headers."""
MOST_CONNECTIONS: Final = 32
READ_SECONDS: Final = 10.0
"""For a whole request."""
WRITE_SECONDS: Final = 10.0
"""For a whole answer."""
_STOP_SECONDS: Final = 0.9
_LINGER_SECONDS: Final = 1.0
"""For a client that still sends what is not read any more, so that it sees the answer."""
_CHUNK: Final = 64 * 1024
_DIGITS: Final = 18
_READS: Final = ("GET", "HEAD")
_ALWAYS: Final = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "X-Content-Type-Options": "nosniff",
}

T = TypeVar("T")
Report = Callable[[str], None]
"""Told what failed in words without values."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Who answers, and what may be sent to it."""

    what: str
    handler: Handler
    most_body: int
    """Bytes."""


class Listener:
    """A server on one address. `start` and `stop`, or a `with` block."""

    def __init__(
        self,
        port: int,
        *,
        host: str = LOOPBACK,
        routes: Mapping[str, Handler] = MappingProxyType({}),
        hooks: Hooks | None = None,
        report: Report,
    ) -> None:
        """`routes` answer GET and HEAD by path; one that ends with `/` also for all paths below it, but `/` alone.

        `hooks` answers POST below `/hook/`. Port 0 takes a free one. Raises WeirError when the address is taken.
        """
        self.routes = dict(routes)
        self.hooks = hooks
        self.report = report
        self.local = host in loopback.LOOPBACK
        self.connections = Connections(MOST_CONNECTIONS)
        try:
            self._server = _Server(host, port, self)
        except (OSError, OverflowError) as err:
            reason = getattr(err, "strerror", None) or "not an address"
            raise WeirError(f"{host}:{port}: cannot listen: {reason}", hint="choose another address") from err
        self._thread = threading.Thread(target=self._server.accept, name="listener", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, the real one where 0 was asked for."""
        host, port = self._server.socket.getsockname()[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more. Requests in progress get a moment, then their connections end."""
        self.connections.close()
        self._server.end()
        if self._thread.is_alive():
            self._thread.join()
        self._server.server_close()
        self.connections.drain(_STOP_SECONDS)

    def admit(self, method: str, path: str) -> Admission | Response:
        """Who answers a request, or why nobody does: decided by its head alone, so that few may send a body."""
        if self.hooks is not None and path.startswith(PREFIX):
            if method != "POST":
                return _not_allowed("POST")
            return self.hooks.refusal(path) or Admission("webhook", self.hooks.handle, MOST_BODY)
        page = self._page(path)
        if page is None:
            return _plain(HTTPStatus.NOT_FOUND)
        return Admission("page", page, 0) if method in _READS else _not_allowed(", ".join(_READS))

    def _page(self, path: str) -> Handler | None:
        if path in self.routes:
            return self.routes[path]
        below = [
            route
            for route in self.routes
            if len(route) > 1 and route.endswith("/") and path.startswith(route)
        ]
        return self.routes[max(below, key=len)] if below else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(socketserver.TCPServer):
    """Accepts connections as long as there is room, each in a thread of its own."""

    allow_reuse_address = True
    request_queue_size = 128
    timeout = 0

    def __init__(self, host: str, port: int, listener: Listener) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = listener
        self._end, self._ended = socket.socketpair()
        super().__init__((host, port), _Exchange)

    def accept(self) -> None:
        """Accept until `end`. It sleeps meanwhile: `serve_forever` would wake ten times a second, for years."""
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._ended, selectors.EVENT_READ)
            while all(key.fileobj is self for key, _ in selector.select()):
                self.handle_request()

    def end(self) -> None:
        """Accept no more. May be called before `accept`."""
        self._end.close()

    def server_close(self) -> None:
        """Give the address back."""
        super().server_close()
        self._end.close()
        self._ended.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, as soon as there is room."""
        connections = self.listener.connections
        if not connections.add(request):
            self.shutdown_request(request)
            return
        thread = threading.Thread(target=self._serve, args=(request, client_address), daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads
            connections.remove(request)
            raise

    def _serve(self, request: socket.socket, client_address: Any) -> None:
        try:
            with contextlib.suppress(OSError):
                self.finish_request(request, client_address)
        finally:
            self.shutdown_request(request)
            self.listener.connections.remove(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the standard library would print the stack."""


class _Exchange(BaseHTTPRequestHandler):
    """Reads one request, writes one answer. The standard library parses the head."""

    protocol_version = "HTTP/1.1"
    connection: socket.socket

    def setup(self) -> None:
        """Read within limits, and write at once."""
        self.connection = self.request
        self._raw = DeadlineReader(self.connection, READ_SECONDS, MOST_HEAD)
        self.rfile = io.BufferedReader(self._raw)
        self._too_large = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        self._waits_for_continue = False
        self.command = ""

    def finish(self) -> None:
        """Nothing is left to be written."""

    def handle(self) -> None:
        """One request, one answer."""
        try:
            response = self._exchange()
        except TimeoutError:
            return
        except TooLargeError:
            self._send(_plain(self._too_large))
            self._linger()
        except MalformedError:
            self._send(_plain(HTTPStatus.BAD_REQUEST))
            self._linger()
        else:
            if response is not None:
                self._send(response)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - what the standard library would tell quotes the request
        """What a head that cannot be parsed gets: its status and no word more."""
        self._send(_plain(HTTPStatus(code)))
        self._linger()

    def handle_expect_100(self) -> bool:
        """Let the size decide first."""
        self._waits_for_continue = True
        return True

    def _exchange(self) -> Response | None:
        """What the request gets, None when it has been answered or never came."""
        self.raw_requestline = self.rfile.readline(MOST_HEAD)
        if not self.raw_requestline or not self.parse_request():
            return None
        self._too_large = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        path, _, query = self.path.partition("?")
        admitted = self._safely("request", lambda: self._listener.admit(self.command, path))
        if isinstance(admitted, Response):
            self._send(admitted)
            self._linger()
            return None
        request = self._request(path, query, self._body(admitted.most_body))
        self._listener.connections.whole(self.connection)
        return self._safely(admitted.what, lambda: admitted.handler(request))

    def _safely(self, what: str, step: Callable[[], T]) -> T | Response:
        """The result of a step; a 500 without a word when it fails."""
        try:
            return step()
        except Exception as err:  # noqa: BLE001 - one page that fails must not end the watcher
            self._listener.report(f"{what} failed: {type(err).__name__}")
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR)

    @property
    def _listener(self) -> Listener:
        return cast("_Server", self.server).listener

    def _request(self, path: str, query: str, body: bytes) -> Request:
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        local = self._listener.local
        return Request(method=self.command, path=path, query=query, headers=headers, body=body, local=local)

    def _body(self, most: int) -> bytes:
        codings = self.headers.get_all("Transfer-Encoding", [])
        lengths = self.headers.get_all("Content-Length", [])
        if codings:
            # both would let a proxy and this server see two different requests
            if lengths or [coding.strip().lower() for coding in codings] != ["chunked"]:
                raise MalformedError
            self._go_on(2 * most + _CHUNK)
            return read_chunks(self.rfile, most)
        size = _length(lengths)
        if size > most:
            raise TooLargeError
        self._go_on(size)
        return read_exactly(self.rfile, size)

    def _go_on(self, allowed: int) -> None:
        self._raw.allowed = allowed
        if self._waits_for_continue:
            self.connection.settimeout(WRITE_SECONDS)
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _send(self, response: Response) -> None:
        headers = {
            **_ALWAYS,
            "Content-Type": response.content_type,
            "Content-Length": str(len(response.body)),
            **response.headers,
        }
        lines = [f"{name}: {value}" for name, value in headers.items()]
        if any("\r" in line or "\n" in line for line in lines):
            return self._send(_plain(HTTPStatus.INTERNAL_SERVER_ERROR))
        status = HTTPStatus(response.status)
        head = "\r\n".join([f"HTTP/1.1 {status.value} {status.phrase}", *lines, "", ""])
        self.connection.settimeout(WRITE_SECONDS)
        body = b"" if self.command == "HEAD" else response.body
        return self.connection.sendall(head.encode("latin-1", "replace") + body)

    def _linger(self) -> None:
        """Read on for a moment, or the answer would be lost on a client that is still sending."""
        end = time.monotonic() + _LINGER_SECONDS
        self.connection.shutdown(socket.SHUT_WR)
        while (left := end - time.monotonic()) > 0:
            self.connection.settimeout(left)
            if not self.connection.recv(_CHUNK):
                return


def _length(lengths: list[str]) -> int:
    if not lengths:
        return 0
    text = lengths[0].strip()
    if len(lengths) > 1 or not text.isascii() or not text.isdecimal():
        raise MalformedError
    if len(text) > _DIGITS:
        raise TooLargeError
    return int(text)


def _not_allowed(methods: str) -> Response:
    status = HTTPStatus.METHOD_NOT_ALLOWED
    return Response(status=status, body=_plain(status).body, headers={"Allow": methods})


def _plain(status: HTTPStatus) -> Response:
    return Response(status=status, body=f"{status.phrase}\n".encode())
