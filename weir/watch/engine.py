"""Runs of the engine, one at a time, each `weir up` in a process of its own: a run that dies takes nothing with it.

The process of the next run is there before it is needed, with everything loaded: docs/adr/0006-runs-that-wait.md.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, cast

from weir.flow.notices import WATCHED
from weir.spec.identity import UnitId

_PROGRESS: Final = "@ "
"""How Pulumi begins lines that say only that it is still at it."""
_LAST_WORDS: Final = 25.0
"""Seconds that a run gets to finish what it writes after it was asked to end."""


@dataclass(slots=True)
class Engine:
    """Starts runs and tells how they ended. `on_line` gets what they print."""

    stack: str
    cwd: Path
    config_file: Path | None
    on_line: Callable[[str], None]
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    _child: subprocess.Popen[str] | None = None
    _next: subprocess.Popen[str] | None = None
    """The process that waits to be the next run."""
    _thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a run is going on."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, targets: Sequence[UnitId], on_end: Callable[[int], None]) -> None:
        """Begin a run of these units, or of the whole stack; none may be going on. `on_end` gets its exit code."""
        request = json.dumps([str(unit) for unit in targets])
        try:
            self._child = self._begin(request)
        except BrokenPipeError:  # it was killed while it waited
            self._child = self._begin(request)
        self._thread = threading.Thread(
            target=self._follow, args=(self._child, on_end), name="engine", daemon=True
        )
        self._thread.start()

    def get_ready(self) -> subprocess.Popen[str]:
        """Have a process wait for the next run, unless one does."""
        if self._next is not None and self._next.poll() is None:
            return self._next
        arguments = [sys.executable, "-m", "components.ready", "--stack", self.stack, "--cwd", str(self.cwd)]
        if self.config_file:
            arguments += ["--config-file", str(self.config_file)]
        self._next = subprocess.Popen(
            arguments,
            env={**self.environ, WATCHED: "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        return self._next

    def _begin(self, request: str) -> subprocess.Popen[str]:
        """Make the process that waits a run. Raises BrokenPipeError when it does not wait any more."""
        child, self._next = self.get_ready(), None
        with cast("IO[str]", child.stdin) as told:
            told.write(f"{request}\n")
        return child

    def interrupt(self) -> None:
        """Ask the run to end soon: units that only wait stop waiting, objects are written whole or not at all."""
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End the run, with patience first, and let nothing wait."""
        if self._next is not None:
            self._next.kill()
            self._next.communicate()
            self._next = None
        self.interrupt()
        if self._thread is not None:
            self._thread.join(_LAST_WORDS)
        if self._child is not None and self._child.poll() is None:
            self._child.kill()

    def _follow(self, child: subprocess.Popen[str], on_end: Callable[[int], None]) -> None:
        output: IO[str] | None = child.stdout
        for line in output or ():
            text = line.rstrip()
            if text and not text.startswith(_PROGRESS):
                self.on_line(text)
        on_end(child.wait())
