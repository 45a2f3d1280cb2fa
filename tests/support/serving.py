"""A listener that serves pages and one receiver, for tests to ask."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import closing
from typing import Final

from tests.support.receivers import SECRET, TOKEN, genuine, receiver, units
from weir.notify.hooks import hook_path
from weir.watch.exchange import Request, Response
from weir.watch.listener import Listener
from weir.watch.receivers import Receivers

CANARY: Final = "CANARY-31337"
PATH: Final = hook_path(TOKEN, "push", "apps")
POST: Final = f"POST {PATH} HTTP/1.1\r\n".encode()


class Served:
    """A listener with a page, a page that fails, a page that waits, and one receiver."""

    def __init__(self) -> None:
        self.reports: list[str] = []
        self.asked: list[object] = []
        self.seen: list[Request] = []
        self.wait = threading.Event()
        self.busy = threading.Semaphore(0)
        self.receivers = Receivers(
            secret=lambda *_: SECRET,
            on_request=self.asked.append,
            report=lambda _, why: self.reports.append(why),
        )
        self.receivers.serve([receiver()], units("fleet"))
        routes = {"/page": self._page, "/below/": self._page, "/fails": self._fails, "/waits": self._waits}
        self.listener = Listener(0, routes=routes, hooks=self.receivers, report=self.reports.append)

    def _page(self, request: Request) -> Response:
        self.seen.append(request)
        return Response(body=b"hello", content_type="text/html; charset=utf-8", headers={"X-Own": "1"})

    def _fails(self, _: Request) -> Response:
        raise KeyError(CANARY)

    def _waits(self, _: Request) -> Response:
        self.busy.release()
        self.wait.wait(20)
        return Response(body=b"done")

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Status, body and headers of one answer."""
        with closing(http.client.HTTPConnection(*self.listener.address, timeout=15)) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers

    def raw(self, sent: bytes, timeout: float = 15.0) -> bytes:
        """Everything that comes back until the server ends the connection."""
        with socket.create_connection(self.listener.address, timeout=timeout) as sock:
            sock.sendall(sent)
            return read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    """What comes until the other side ends the connection."""
    parts = []
    while part := sock.recv(65536):
        parts.append(part)
    return b"".join(parts)


def post_hook(served: Served, body: bytes | None = None) -> int:
    """The status of one delivery to the receiver."""
    request = genuine("github", body)
    return served.ask("POST", PATH, request.body, dict(request.headers))[0]
