"""Reading a request from a socket within one time limit and one size, however slowly and however much comes."""

from __future__ import annotations

import io
import socket
import time
from typing import Final

_LINE: Final = 1024
"""Bytes of a line between chunks."""


class TooLargeError(Exception):
    """More bytes than allowed."""


class MalformedError(Exception):
    """Bytes that are no HTTP message."""


class DeadlineReader(io.RawIOBase):
    """A socket's bytes until a point in time, and not more than allowed.

    Raises TimeoutError after the deadline, TooLargeError after the last byte that is allowed.
    """

    def __init__(self, sock: socket.socket, seconds: float, allowed: int) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = time.monotonic() + seconds
        self.allowed = allowed

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # any buffer in typeshed
        """Fill the buffer with what there is."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self.allowed <= 0:
            raise TooLargeError
        self._sock.settimeout(left)
        count = self._sock.recv_into(memoryview(buffer)[: self.allowed])
        self.allowed -= count
        return count


def read_exactly(stream: io.BufferedIOBase, size: int) -> bytes:
    """So many bytes. Raises MalformedError when the stream ends before."""
    found = stream.read(size)
    if len(found) != size:
        raise MalformedError
    return found


def read_chunks(stream: io.BufferedIOBase, most: int) -> bytes:
    """The body that chunks hold; what follows the last one is left unread.

    Rule: https://www.rfc-editor.org/rfc/rfc9112#section-7.1

    Raises:
        TooLargeError: over `most` bytes.
        MalformedError: no chunks.
    """
    parts: list[bytes] = []
    total = 0
    while size := _chunk_size(stream.readline(_LINE)):
        total += size
        if total > most:
            raise TooLargeError
        parts.append(read_exactly(stream, size))
        if stream.readline(_LINE) not in (b"\r\n", b"\n"):
            raise MalformedError
    return b"".join(parts)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not line.endswith(b"\n") or not digits or digits.strip(b"0123456789abcdefABCDEF"):
        raise MalformedError
    return int(digits, 16)
