"""What a process holds on to, looked at again and again: memory, open files, threads, and files in its folders."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import psutil

_EVERY: Final = 0.5
"""Seconds between two looks."""
_FILES_EVERY: Final = 8
"""Looks between two counts of files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One look."""

    hour: float
    rss: int
    """Bytes."""
    fds: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One hour: what there was at its median, for some of it the most there ever was, and files when fewest."""

    rss: float
    """MiB."""
    fds: int
    most_fds: int
    threads: int
    most_threads: int
    files: Mapping[str, int]

    def __str__(self) -> str:
        files = " ".join(f"{name} {count}" for name, count in self.files.items())
        held = f"{self.fds}-{self.most_fds} fds, {self.threads}-{self.most_threads} threads"
        return f"{self.rss:.1f} MiB, {held}, files: {files}"


@dataclass
class VitalSigns:
    """Looks at one process in a thread of its own, in a `with` block. `hour` is the time that the process lives in."""

    pid: int
    folders: Mapping[str, Path]
    hour: Callable[[], float]
    _signs: list[Sign] = field(default_factory=list)
    _files: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="vital signs", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()

    def hours(self) -> list[Hour]:
        """The hours that were lived, the first one first."""
        last = int(max(sign.hour for sign in self._signs))
        return [self._of(number) for number in range(last + 1)]

    def _of(self, number: int) -> Hour:
        signs = [sign for sign in self._signs if int(sign.hour) == number]
        counts = [found for hour, found in self._files if int(hour) == number]
        return Hour(
            rss=statistics.median(sign.rss for sign in signs) / 2**20,
            fds=statistics.median_low(sign.fds for sign in signs),
            most_fds=max(sign.fds for sign in signs),
            threads=statistics.median_low(sign.threads for sign in signs),
            most_threads=max(sign.threads for sign in signs),
            files={name: min((found[name] for found in counts), default=0) for name in self.folders},
        )

    def _run(self) -> None:
        process, number = psutil.Process(self.pid), 0
        while not self._ended.is_set():
            with contextlib.suppress(psutil.Error):
                self._look(process)
            if number % _FILES_EVERY == 0:
                found = {name: _count(folder) for name, folder in self.folders.items()}
                self._files.append((self.hour(), found))
            number += 1
            time.sleep(_EVERY)

    def _look(self, process: psutil.Process) -> None:
        with process.oneshot():
            rss, threads = process.memory_info().rss, process.num_threads()
        self._signs.append(Sign(hour=self.hour(), rss=rss, fds=process.num_fds(), threads=threads))


def growth(values: Sequence[float]) -> float:
    """How much a straight line through these values grows from its first to its last, as a part of their mean."""
    slope = statistics.linear_regression(range(len(values)), values).slope
    return slope * (len(values) - 1) / statistics.mean(values)


def _count(folder: Path) -> int:
    """Files and folders below a folder; they may come and go meanwhile."""
    count = 0
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            count += 1 + (_count(path) if path.is_dir() and not path.is_symlink() else 0)
    return count
