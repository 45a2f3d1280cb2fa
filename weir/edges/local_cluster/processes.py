"""Start, find and end the processes of a local cluster.

A process is remembered by pid and start time, so that a pid which the system has given to someone else is never
signalled. Each one leads its own process group.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import psutil

from weir.edges.local_cluster.layout import Layout

_PR_SET_PDEATHSIG: Final = 1
_STOP_SECONDS: Final = 10.0
_CLOCK_SECONDS: Final = 10.0
"""How far a start time may seem to move when the clock is set; the command line must match too."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A process as its pid file describes it."""

    pid: int
    started: float
    """Seconds since the epoch, as the system reports it."""

    @classmethod
    def load(cls, layout: Layout, name: str) -> Remembered | None:
        """The process of that name, or None when it was never started or has been ended."""
        path = layout.file(f"{name}.pid")
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            data = json.loads(path.read_text())
            return cls(int(data["pid"]), float(data["started"]))
        return None

    def find(self, layout: Layout) -> psutil.Process | None:
        """The live process, or None when it has ended or its pid belongs to another one now."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same_start = abs(process.create_time() - self.started) < _CLOCK_SECONDS
            if same_start and any(str(layout.root) in part for part in process.cmdline()):
                return process
        return None


def start(layout: Layout, name: str, command: Sequence[str], *, tied: bool) -> subprocess.Popen[bytes]:
    """Start one process with its log in the folder; `tied` ends it when the thread that called this ends (Linux)."""
    log = os.open(layout.file(f"{name}.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            command,
            cwd=layout.root,
            env={"HOME": str(layout.root), "PATH": os.defpath, "TMPDIR": str(layout.root)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
            preexec_fn=_die_with_parent() if tied else None,  # noqa: PLW1509 - nothing else reaches the child early enough
        )
    finally:
        os.close(log)
    started = psutil.Process(process.pid).create_time()
    layout.write(f"{name}.pid", json.dumps({"pid": process.pid, "started": started}))
    return process


def end(layout: Layout, names: Iterable[str]) -> None:
    """End these processes with their groups, at once, and forget them. What they stored is theirs to recover."""
    ended = []
    for name in names:
        remembered = Remembered.load(layout, name)
        process = remembered.find(layout) if remembered else None
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            ended.append(process)
    psutil.wait_procs(ended, timeout=_STOP_SECONDS)
    for name in names:
        layout.file(f"{name}.pid").unlink(missing_ok=True)


def _die_with_parent() -> Callable[[], None] | None:
    """A call for the child that asks the kernel to kill it with its parent; prepared here, since it runs after fork."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) and None
