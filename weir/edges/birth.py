"""When a process was started, by a clock that nobody sets."""

from __future__ import annotations

import contextlib
from pathlib import Path


def birth(pid: int) -> int | None:
    """When a process was started, in ticks since boot (field 22 of /proc/<pid>/stat), or None."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return None
