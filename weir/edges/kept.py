"""Small things kept between runs: by key, private, checked against their digest when read, bounded.

Several processes may use one folder: entries are replaced whole, and one that was altered or cut short is not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from weir.edges.folders import private_folder

MAX_BYTES: Final = 256 * 1024**2
"""Of all entries together."""
MAX_ENTRIES: Final = 20_000
MAX_ENTRY: Final = 16 * 1024**2
"""Bytes of one entry; larger ones are not kept."""

_DIGEST: Final = 64
_TRIM_EVERY: Final = 64


@dataclass(slots=True)
class Kept:
    """Bytes by key, which is the name of a file, in a folder. Thread-safe.

    A bound may be passed by as many entries as are put between two looks.
    """

    folder: Path
    max_bytes: int = MAX_BYTES
    max_entries: int = MAX_ENTRIES
    max_entry: int = MAX_ENTRY
    trim_every: int = _TRIM_EVERY
    _puts: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def get(self, key: str) -> bytes | None:
        """What is kept under a key, None when it is not there or not as it was put."""
        path = self.folder / key
        try:
            content = path.read_bytes()
        except OSError:
            return None
        digest, payload = content[:_DIGEST], content[_DIGEST:]
        if _digest(key, payload) != digest:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return payload

    def put(self, key: str, payload: bytes) -> bool:
        """Keep bytes under a key; False when they cannot be kept. A full disk is not an error."""
        if len(payload) > self.max_entry:
            return False
        try:
            private_folder(self.folder)
            self._write(self.folder / key, _digest(key, payload) + payload)
            with self._lock:
                due = self._puts % self.trim_every == 0
                self._puts += 1
            if due:
                self._trim()
        except OSError:
            return False
        return True

    def _write(self, path: Path, content: bytes) -> None:
        # mkstemp gives mode 0600 whatever the umask
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise

    def _trim(self) -> None:
        """Remove what was not used for longest, and what a killed process left, until all fits."""
        found: list[tuple[float, int, Path]] = []
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        total, count = sum(size for _, size, _ in found), len(found)
        for _, size, path in sorted(found):
            if total <= self.max_bytes and count <= self.max_entries:
                return
            with contextlib.suppress(OSError):
                path.unlink()
            total, count = total - size, count - 1


def key_of(text: str) -> str:
    """A key for any text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(key: str, payload: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + payload).hexdigest().encode()
