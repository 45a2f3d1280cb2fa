"""A command that somebody waits for: its output comes while it runs, and it never outlives the waiting."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Final

_GRACE: Final = 60.0
"""Seconds for a command that was asked to end: the engine finishes the writes that it has begun."""
_KILLED: Final = 10.0
"""Seconds until the output of a killed command ends."""


class Child:
    """A process that leads its own group, with its output piped."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Read its output from now on, in a thread, so that whoever waits for a line can be interrupted."""
        self._process = process
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def code(self) -> int:
        """Its exit code, once `lines` came to their end."""
        return self._process.wait()

    def lines(self, seconds: float) -> Iterator[str]:
        """What it prints until it has ended. Raises TimeoutError when that takes longer."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError from None
            if line is None:
                self._lines.put(None)
                return
            yield line

    def end(self) -> None:
        """Ask it to end and wait until it has; kill it when it does not hear.

        SIGTERM, since a script's background job and all that it starts ignore SIGINT.
        """
        self._process.terminate()
        try:
            for _ in self.lines(_GRACE):
                pass
        except TimeoutError:
            self.kill()

    def kill(self) -> str:
        """Kill its whole process group; what it printed and nobody read yet."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        rest = list[str]()
        with contextlib.suppress(TimeoutError):
            rest.extend(self.lines(_KILLED))
        return "".join(rest)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._lines.put(line)
        self._process.wait()
        self._lines.put(None)
