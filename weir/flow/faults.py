"""Places where the fault suite kills the process: `WEIR_FAULT=phase:n` means the n-th time a phase is reached."""

from __future__ import annotations

import os
import signal
import threading
from typing import Final

PHASES: Final = ("inventory-written", "patched", "pruned", "record-written")
_LOCK: Final = threading.Lock()
_COUNTS: dict[str, int] = dict.fromkeys(PHASES, 0)


def fault(phase: str) -> None:
    """Kill this process when `$WEIR_FAULT` names this phase and this count; else only count."""
    wanted = os.environ.get("WEIR_FAULT")
    if not wanted:
        return
    name, _, count = wanted.partition(":")
    with _LOCK:
        _COUNTS[phase] += 1
        due = name == phase and count.isdigit() and _COUNTS[phase] == int(count)
    if due:
        os.kill(os.getpid(), signal.SIGKILL)
