"""Kept-alive HTTP connections to one API server.

http.client rather than a pool library: a third less processor time per request (which counts at 1,000 writes), and a
request that hangs can be cut off from another thread.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

from weir.edges.kube.credentials import Credentials
from weir.edges.kube.kubeconfig import Access
from weir.spec.errors import ClusterError

LIMIT: Final = 16
"""Connections to one server at a time, watches not counted."""


class Connections:
    """A pool of connections. Thread-safe; who borrows one and fails with it must not give it back."""

    def __init__(self, access: Access, credentials: Credentials) -> None:
        self._access = access
        self._credentials = credentials
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._places = threading.BoundedSemaphore(LIMIT)
        self._lock = threading.Lock()
        self._busy: set[http.client.HTTPConnection] = set()
        weakref.finalize(self, _close_all, self._idle)

    @contextlib.contextmanager
    def borrow(self, timeout: float) -> Iterator[http.client.HTTPConnection]:
        """A connection, perhaps not connected yet; closed when the block raises. `timeout` in seconds, per read."""
        with self._places:
            connection = self._next(timeout)
            with self._lock:
                self._busy.add(connection)
            try:
                connection.timeout = timeout
                if connection.sock is not None:
                    connection.sock.settimeout(timeout)
                yield connection
            except BaseException:
                connection.close()
                raise
            else:
                self._idle.append(connection)
            finally:
                with self._lock:
                    self._busy.discard(connection)

    def _next(self, timeout: float) -> http.client.HTTPConnection:
        """An idle connection with the present TLS settings, or a new one: the server knows us by our certificate."""
        with contextlib.suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if getattr(connection, "_context", None) is self._credentials.tls():
                    return connection
                connection.close()
        return self.open(timeout)

    def open(self, timeout: float) -> http.client.HTTPConnection:
        """A new connection outside the pool, for a watch. Raises ClusterError for unusable credentials."""
        access = self._access
        parts = urlsplit(access.server)
        host, context = parts.hostname or "", self._credentials.tls()
        default = 443 if context else 80
        target = (host, parts.port or default)
        address = self._proxy() or target
        connection: http.client.HTTPConnection
        if context is None:
            connection = http.client.HTTPConnection(*address, timeout=timeout)
        elif access.tls_name and address == target:
            connection = _Renamed(*address, timeout=timeout, context=context)
            connection.tls_name = access.tls_name
        else:
            connection = http.client.HTTPSConnection(*address, timeout=timeout, context=context)
        if address != target:
            connection.set_tunnel(*target)
        return connection

    def _proxy(self) -> tuple[str, int] | None:
        if not self._access.proxy:
            return None
        parts = urlsplit(self._access.proxy)
        if parts.scheme != "http" or not parts.hostname or parts.username:
            where = f"{self._access.where}: cluster.proxy-url"
            raise ClusterError(f"{where}: found an unsupported form, expected http://host:port")
        return parts.hostname, parts.port or 80

    def abort(self) -> None:
        """Cut off every request in flight; their threads fail with a connection error at once."""
        with self._lock:
            busy = list(self._busy)
        for connection in busy:
            cut(connection)

    def drop_idle(self) -> None:
        """Close what nobody uses, for after the server went away."""
        _close_all(self._idle)


def _close_all(connections: deque[http.client.HTTPConnection]) -> None:
    with contextlib.suppress(IndexError):
        while True:
            connections.pop().close()


class _Renamed(http.client.HTTPSConnection):
    """A server whose certificate names it differently (tls-server-name)."""

    tls_name = ""

    def connect(self) -> None:
        """Connect, and check the certificate against that name."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.tls_name)  # type: ignore[attr-defined]


def send(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    payload: bytes | None = None,
) -> None:
    """Send one request; a name may come several times among the headers, as `Impersonate-Group` does."""
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    if payload is not None:
        connection.putheader("Content-Length", str(len(payload)))
    connection.endheaders(payload)


def cut(connection: http.client.HTTPConnection) -> None:
    """End a connection from another thread; a read in progress returns."""
    sock = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
