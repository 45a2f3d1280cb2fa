"""The watcher of a stack under test, as its users start it: `weir watch` in a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.support.stack import StackRun


class WatcherRun:
    """`weir watch`, from `with` to its end; what it says is in `said`."""

    def __init__(
        self, stack: StackRun, *arguments: str, name: str = "watch", program: Sequence[str] = ("weir.cli",)
    ) -> None:
        """`name` tells several watchers of one stack apart; `program` is a module that starts it, and its arguments."""
        self.stack = stack
        self.log: Path = stack.folder / f"{name}.log"
        self._command = (sys.executable, "-m", *program, "watch", *stack.selection, *arguments)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGTERM, within=60.0)
        if error is not None:
            sys.stderr.write(self.said)

    def start(self) -> None:
        """Start it (again)."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self._command,
                cwd=Path(__file__).parents[2],
                env=self.stack.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Everything it said so far."""
        return self.log.read_text() if self.log.exists() else ""

    def address(self, what: str) -> str:
        """`host:port` of what it listens for: `webhooks`, `dashboard` or `probes and metrics`."""
        self.wait_for(lambda: f"{what} on " in self.said, f"listening for {what}")
        found: list[str] = re.findall(rf"{what} on (\S+)", self.said)
        return found[-1]

    def family(self) -> list[psutil.Process]:
        """The watcher and all that it started, the watcher first."""
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def kill_all(self) -> None:
        """SIGKILL for the watcher and everything it started."""
        assert self.process is not None
        family = self.family()
        for one in family:
            with contextlib.suppress(psutil.Error):
                one.kill()
        psutil.wait_procs(family, timeout=10)
        self.process.wait(10)

    def end(self, sign: signal.Signals, within: float) -> int:
        """Send a signal and give the exit code. Raises AssertionError when it goes on for longer than `within`."""
        assert self.process is not None
        os.kill(self.process.pid, sign)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired as err:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise AssertionError(f"the watcher did not end within {within} s:\n{self.said}") from err

    def wait_for(self, holds: Callable[[], bool], what: str, within: float = 200.0) -> float:
        """Seconds until something holds. Raises AssertionError with what the watcher said."""
        began = time.monotonic()
        while time.monotonic() - began < within:
            assert self.process is not None
            assert self.process.poll() is None, f"the watcher ended by itself:\n{self.said}"
            if holds():
                return time.monotonic() - began
            time.sleep(0.02)
        raise AssertionError(f"after {within:.0f} s still not: {what}; the watcher said:\n{self.said}")

    def wait_until_said(self, text: str, within: float = 200.0, times: int = 1) -> float:
        """Seconds until it said something so often."""
        return self.wait_for(lambda: self.said.count(text) >= times, f"said {text!r}", within)
