"""Connections that end when their time is up, however slowly the bytes come, and that lead nowhere they must not.

The address is judged once the connection stands, so that no name, redirect or changing DNS answer gets around it:
link-local addresses (cloud metadata) never, loopback only where the caller says so.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from types import TracebackType
from typing import Final, Self

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from weir.edges.http.alarm import Alarm, Alarms

_current: Final = threading.local()
_ALARMS: Final = Alarms()


class ForbiddenAddressError(OSError):
    """The name leads to an address that no server of ours is reached at."""


class Limit:
    """A time limit for the exchange that this thread makes within the block."""

    def __init__(self, seconds: float, *, loopback: bool, proxied: bool) -> None:
        self.loopback = loopback
        self.proxied = proxied
        self.expired = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._seconds = seconds
        self._alarm: Alarm | None = None

    def add(self, sock: socket.socket) -> None:
        """Cut this socket off too."""
        with self._lock:
            self._sockets.append(sock)
            expired = self.expired
        if expired:
            self._expire()

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            sockets, self._sockets = self._sockets, []
        for sock in sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        _current.limit = self
        self._alarm = _ALARMS.after(self._seconds, self._expire)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        _current.limit = None


def is_forbidden(address: str, *, loopback: bool) -> bool:
    """Whether an IP address is no place for a server of ours."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    if mapped.is_loopback:
        return not loopback
    return bool(mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified)


def _judge(sock: socket.socket) -> socket.socket:
    limit: Limit | None = getattr(_current, "limit", None)
    if limit is not None and not limit.proxied:
        address = str(sock.getpeername()[0])
        if is_forbidden(address, loopback=limit.loopback):
            sock.close()
            raise ForbiddenAddressError(address)
    return sock


def _watch(connection: HTTPConnection) -> None:
    limit: Limit | None = getattr(_current, "limit", None)
    sock = connection.sock
    if limit is not None and sock is not None:
        limit.add(sock)


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _judge(super()._new_conn())

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        _watch(self)
        return super().getresponse()


class _Secure(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _judge(super()._new_conn())

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        _watch(self)
        return super().getresponse()


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


def guarded(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    """The same manager, making such connections."""
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
    return manager
