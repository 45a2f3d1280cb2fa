"""The connections a server has open: only so many, and a newcomer may take the place of one that dawdles."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Final

PATIENCE: Final = 2.0
"""Seconds for a request to arrive whole while others wait for its place."""
_LOOK: Final = 0.1
_CUT_BEFORE: Final = 0.3
"""Seconds before the end of a drain at which connections that are left are cut."""


@dataclass(slots=True)
class _Connection:
    since: float = field(default_factory=time.monotonic)
    whole: bool = False
    """Whether its request has arrived."""
    cut: bool = False


class Connections:
    """Open sockets, the oldest first. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._open: dict[socket.socket, _Connection] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def add(self, sock: socket.socket) -> bool:
        """Wait for room and take it; False once closed."""
        with self._changed:
            while not self._closed and len(self._open) >= self._most:
                self._cut_slowest()
                self._changed.wait(_LOOK)
            if not self._closed:
                self._open[sock] = _Connection()
            return not self._closed

    def whole(self, sock: socket.socket) -> None:
        """Its request has arrived: its place is its own until it is answered."""
        with self._changed:
            if sock in self._open:
                self._open[sock].whole = True

    def remove(self, sock: socket.socket) -> None:
        """Its place is free."""
        with self._changed:
            self._open.pop(sock, None)
            self._changed.notify_all()

    def close(self) -> None:
        """Let no more in."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Wait until all are gone, and cut off those that do not go by themselves."""
        end = time.monotonic() + seconds
        with self._changed:
            self._wait_empty(end - _CUT_BEFORE)
            for sock in self._open:
                _cut(sock)
            self._wait_empty(end)

    def _wait_empty(self, end: float) -> None:
        self._changed.wait_for(lambda: not self._open, max(0.0, end - time.monotonic()))

    def _cut_slowest(self) -> None:
        now = time.monotonic()
        for sock, connection in self._open.items():
            if not connection.whole and not connection.cut and now - connection.since > PATIENCE:
                connection.cut = True
                _cut(sock)
                return


def _cut(sock: socket.socket) -> None:
    """End a connection; its thread notices."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
