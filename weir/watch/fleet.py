"""Watchers of several stacks, each in a process of its own: one that fails or hangs harms no other.

Children end when this process does, however it ends: their standard input is a pipe that nobody else holds.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Final

_FIRST: Final = 1.0
"""Seconds until a watcher that ended by itself is started again; twice as long each time that it did not last."""
_LONGEST: Final = 60.0
"""Seconds at most, and after which one lasted."""
_LAST_WORDS: Final = 60.0
"""Seconds that all get to end their runs."""


@dataclass(slots=True)
class Fleet:
    """Keeps one process per stack alive until `end`."""

    commands: Mapping[str, Sequence[str]]
    """Stack -> the command that watches it."""
    environ: Mapping[str, str]
    say: Callable[[str], None]
    """Gets every line that they say, with the stack before it. Called by several threads."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _children: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Return when all have ended after `end`."""
        threads = [
            threading.Thread(target=self._keep, args=(stack, command), name=f"watch {stack}", daemon=True)
            for stack, command in self.commands.items()
        ]
        for thread in threads:
            thread.start()
        self._stop.wait()
        until = time.monotonic() + _LAST_WORDS
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0.0))
        for child in self._children.values():
            if child.poll() is None:
                child.kill()

    def end(self) -> None:
        """Stop soon. May be called from a signal handler."""
        self._stop.set()
        for child in list(self._children.values()):
            child.terminate()

    def _keep(self, stack: str, command: Sequence[str]) -> None:
        pause = _FIRST
        while True:
            began = time.monotonic()
            child = self._start(stack, command)
            if child is None:
                return
            self._relay(stack, child.stdout)
            code = child.wait()
            if self._stop.is_set():
                return
            pause = _FIRST if time.monotonic() - began > _LONGEST else pause
            self.say(f"[{stack}] the watcher ended with exit code {code}; started again in {pause:.0f} s")
            self._stop.wait(pause)
            pause = min(pause * 2, _LONGEST)

    def _start(self, stack: str, command: Sequence[str]) -> subprocess.Popen[str] | None:
        """A new process, None when it is the end."""
        with self._starting:
            if self._stop.is_set():
                return None
            child = subprocess.Popen(
                command,
                env=dict(self.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            self._children[stack] = child
            if self._stop.is_set():
                # told to end while it started, when it was not among the children yet
                child.terminate()
            return child

    def _relay(self, stack: str, output: IO[str] | None) -> None:
        for line in output or ():
            self.say(f"[{stack}] {line.rstrip()}")
