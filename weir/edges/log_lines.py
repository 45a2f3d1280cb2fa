"""Lines of a log file that another process writes and now and then replaces."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_POLL: Final = 0.25
_LONGEST: Final = 1024 * 1024


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a file, without their ends; nothing of a file that is not there."""
    for line in follow_lines(path):
        if line is None:
            return
        yield line


def follow_lines(path: Path) -> Iterator[str | None]:
    """The lines of a file, then those that come later, for as long as they are taken; None when there are no more yet.

    A file that is replaced or cut is read from its start. A line without an end is not given yet.
    """
    while True:
        with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8", errors="replace") as file:
            rest = ""
            while True:
                rest += file.readline(_LONGEST)
                if rest.endswith("\n") or len(rest) >= _LONGEST:
                    yield rest.rstrip("\n")
                    rest = ""
                    continue
                yield None
                if _moved(path, file.fileno(), file.tell()):
                    break
                time.sleep(_POLL)
        yield None
        time.sleep(_POLL)


def _moved(path: Path, handle: int, place: int) -> bool:
    """Whether the name stands for another file by now, or for less than was read."""
    mine = os.fstat(handle)
    try:
        found = path.stat()
    except FileNotFoundError:
        return True
    return (found.st_dev, found.st_ino) != (mine.st_dev, mine.st_ino) or found.st_size < place
