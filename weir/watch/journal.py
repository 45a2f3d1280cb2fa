"""What the watcher says: one line for people on standard error, one JSON object a line in a file for `weir logs`."""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from weir.edges.folders import cache_root, private_folder
from weir.spec.identity import UnitId

LARGEST: Final = 16 * 1024 * 1024
"""Bytes after which a new file is begun; one older file is kept."""
_LONGEST: Final = 4000
_SIGNS: Final = {"info": "►", "error": "✗"}


class Journal:
    """The log of one stack's watcher. Thread-safe."""

    def __init__(self, stack: str, *, quiet: bool = False) -> None:
        """`quiet` leaves out the lines for people."""
        self.path = log_file(stack)
        self._quiet = quiet
        self._lock = threading.Lock()

    def info(self, message: str, unit: UnitId | None = None) -> None:
        """Something happened."""
        self._write("info", message, unit)

    def error(self, message: str, unit: UnitId | None = None) -> None:
        """Something failed."""
        self._write("error", message, unit)

    def _write(self, level: str, message: str, unit: UnitId | None) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = message[:_LONGEST]
        entry = {"ts": now, "level": level, "unit": str(unit or ""), "msg": text}
        with self._lock:
            self._append(orjson.dumps(entry) + b"\n")
            if not self._quiet:
                where = f"{unit}: " if unit else ""
                sys.stderr.write(f"{now[11:19]} {_SIGNS[level]} {where}{text}\n")
                sys.stderr.flush()

    def _append(self, line: bytes) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line)
            full = os.fstat(handle).st_size > LARGEST
        finally:
            os.close(handle)
        if full:
            self.path.replace(self.path.with_suffix(".old.jsonl"))


def log_file(stack: str) -> Path:
    """Where the watcher of a stack writes its log."""
    return private_folder(cache_root() / "logs") / f"{stack}.jsonl"
