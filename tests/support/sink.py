"""A service that is notified, on loopback: it remembers what came in, and answers, fails or hangs as it is told.

with running_sink() as sink:
    sink.answers[:] = [503, 429]
    ...
    assert sink.messages() == ["Deployment/prod/web configured"]
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Got:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    status: int
    """How it was answered; 0 when it was cut off."""

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass
class Sink:
    """A running service."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses of the next answers; 0 cuts the connection. After them everything is fine."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of answers that are not fine."""
    body: bytes = b"{}"
    down: bool = False
    """Every request is answered with 503."""
    hang: threading.Event | None = None
    """Requests are not answered before it is set."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def accepted(self) -> list[Got]:
        """What was answered well."""
        return [one for one in self.got if 200 <= one.status < 300]

    def messages(self) -> list[str]:
        """The messages of events that were answered well."""
        return [one.json["message"] for one in self.accepted()]

    def answer(self) -> int:
        """The status of the next answer."""
        with self.lock:
            if self.down:
                return 503
            return self.answers.pop(0) if self.answers else 200


class _Handler(http.server.BaseHTTPRequestHandler):
    sink: Sink
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.sink.hang:
            self.sink.hang.wait(30)
        status = self.sink.answer()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.sink.lock:
            self.sink.got.append(Got(self.command, self.path, headers, content, status))
        if not status:
            self.close_connection = True
            self.connection.close()
            return
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in self.sink.headers.items() if status >= 300 else ():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(self.sink.body)))
            self.end_headers()
            self.wfile.write(self.sink.body)

    do_GET = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815


@contextlib.contextmanager
def running_sink() -> Iterator[Sink]:
    """A service for the time of the block."""
    sink = Sink()
    handler = type("Handler", (_Handler,), {"sink": sink})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    sink.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield sink
    finally:
        if sink.hang:
            sink.hang.set()
        server.shutdown()
        server.server_close()
