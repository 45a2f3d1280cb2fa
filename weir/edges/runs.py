"""The folder of one run: what the program resolved and rendered ahead, for the providers of the same CLI process.

A run is one process of the Pulumi CLI (or of `weir`), named by its pid and start time: preview and update of one
`pulumi up` share it, so both use the same commits. Rendered objects may hold Secret data: folders are 0700, files
0600, and everything is removed when the process is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import psutil

from weir.edges.birth import birth
from weir.edges.folders import cache_root, private_folder
from weir.spec.identity import UnitId

_JANITOR: Final = 'while kill -0 "$1" 2>/dev/null; do sleep 0.5; done; rm -rf -- "$2"'
_CLI: Final = "pulumi"
_ENGINE: Final[ContextVar[int]] = ContextVar("engine", default=0)
"""Process id of the run's engine where it is no ancestor, 0 where it is."""


def engine_is(pid: int) -> None:
    """In this context the run is that of the Pulumi CLI with this process id, which called us back."""
    _ENGINE.set(pid)


@dataclass(frozen=True, slots=True)
class Run:
    """One run's folder."""

    root: Path
    pid: int

    @classmethod
    def current(cls) -> Run:
        """The run we belong to: that of the CLI which `engine_is` named, or is our nearest ancestor, else our own."""
        engine = _ENGINE.get()
        process = psutil.Process(engine) if engine else _engine_ancestor() or psutil.Process()
        name = f"{process.pid}-{_started(process)}"
        return cls(private_folder(cache_root() / "runs" / name), process.pid)

    def write(self, name: str, payload: bytes) -> None:
        """Put bytes under a name, atomically."""
        handle, temporary = tempfile.mkstemp(dir=self.root)
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
        Path(temporary).rename(self.root / name)

    def read(self, name: str) -> bytes | None:
        """The bytes under a name, or None."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, suffix: str) -> list[str]:
        """All names that end so."""
        return sorted(path.name for path in self.root.glob(f"*{suffix}"))

    def write_json(self, name: str, value: object) -> None:
        """Put a JSON value under a name."""
        self.write(name, orjson.dumps(value))

    def read_json(self, name: str) -> object | None:
        """The JSON value under a name, or None."""
        payload = self.read(name)
        return None if payload is None else orjson.loads(payload)

    def scratch(self) -> Path:
        """A new private folder inside the run."""
        return Path(tempfile.mkdtemp(dir=self.root, prefix="scratch-"))

    def guard(self) -> None:
        """Remove this run's folder when its process ends, and the folders of runs that are gone already."""
        if self.read("guarded") is None:
            self.write("guarded", b"")
            if self.pid != os.getpid():
                self._start_janitor()
        sweep(self.root.parent)

    def _start_janitor(self) -> None:
        subprocess.Popen(
            ["/bin/sh", "-c", _JANITOR, "weir-janitor", str(self.pid), str(self.root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={"PATH": os.defpath},
        )

    def remove(self) -> None:
        """Remove the folder now."""
        shutil.rmtree(self.root, ignore_errors=True)


def unit_file(unit: UnitId) -> str:
    """Name of a unit's outcome in the run folder."""
    return f"{unit.key}.json"


def objects_file(unit: UnitId) -> str:
    """Name of a unit's rendered objects in the run folder."""
    return f"{unit.key}.objects.json"


def claims_file(unit: UnitId) -> str:
    """Name of the list of objects that a unit renders, in the run folder."""
    return f"{unit.key}.claims.json"


def sweep(folder: Path) -> None:
    """Remove the folders of runs whose process is gone."""
    for path in folder.iterdir():
        pid, _, started = path.name.partition("-")
        if not _alive(int(pid) if pid.isdigit() else 0, started):
            shutil.rmtree(path, ignore_errors=True)


def _alive(pid: int, started: str) -> bool:
    with contextlib.suppress(psutil.Error, ValueError):
        return pid > 0 and _started(psutil.Process(pid)) == int(started)
    return False


def _started(process: psutil.Process) -> int:
    """What tells a process from a later one with its pid: its start, where possible by a clock that nobody sets."""
    ticks = birth(process.pid)
    return int(process.create_time() * 100) if ticks is None else ticks


def _engine_ancestor() -> psutil.Process | None:
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process().parents():
            if process.name() == _CLI:
                return process
    return None
