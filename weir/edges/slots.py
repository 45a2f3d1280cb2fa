"""A number of slots for the processes of one machine: each is held by one at a time, and free when that one is gone."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class Slots:
    """The slots in a folder, a locked file each."""

    def __init__(self, folder: Path) -> None:
        """`folder` was made by `make`."""
        self._folder = folder

    @classmethod
    def make(cls, folder: Path, count: int) -> Slots:
        """So many free slots in an existing folder."""
        for number in range(count):
            (folder / str(number)).touch(0o600)
        return cls(folder)

    @contextlib.contextmanager
    def take(self) -> Iterator[bool]:
        """Hold a slot for as long as the context lasts; whether there was a free one. It does not wait."""
        with contextlib.ExitStack() as stack:
            yield any(self._take(path, stack) for path in sorted(self._folder.iterdir()))

    @staticmethod
    def _take(path: Path, stack: contextlib.ExitStack) -> bool:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        stack.callback(os.close, handle)
        return True
