"""Locks of the file backend: `.pulumi/locks/organization/<project>/<stack>/<uuid>.json`.

Pulumi writes one file per running update, `{pid, username, hostname, timestamp}`, has no lease, and `pulumi cancel`
deletes them all (pkg/backend/diy/lock.go). Here a lock is removed only when its owner is proven dead:

- it was made on this host: the same host name, where that also means the same pids (see namespaces.py), and
- no process has its pid, or that process is a zombie, or its program is certainly not the Pulumi CLI under another name
  (see programs.py), or it was born more than 65 minutes after the lock was written (the pid was given out again; the
  margin covers a clock that was set by an hour since, because a process's birth is known only relative to the present
  clock);
- a lock made by Weir itself carries the birth of its process in ticks since boot, which no clock change moves: there
  the proof is exact.

Pulumi takes every file in the folder for a lock, a temporary one of a killed run too. A lock that is empty or no JSON
names no owner. It is removed when it is older than a minute by the clock of its own file system (or from the future:
the clock was set back) and no Pulumi CLI on this host works, or may work, on the same backend and project. Everything
else is respected: locks of other hosts always are, and so is a lock that cannot be read at present.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil

from weir.edges.birth import birth
from weir.edges.pulumi.namespaces import pids_prove, runs_inside
from weir.edges.pulumi.programs import Known, may_be_engine
from weir.edges.pulumi.project import EngineError, backend_folder, backend_url, find_project
from weir.spec.errors import WeirError

SKEW: Final = 65 * 60.0
"""Seconds that a clock may have been set since a lock was written."""
SETTLED: Final = 60.0
"""Seconds after which an unreadable lock is no longer being written."""
OURS: Final = "weir"
"""Key of the birth of our own process in our own locks; Pulumi ignores keys it does not know."""


class StackLockedError(EngineError):
    """Another run holds the stack; it is never broken. The command line ends with exit code 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What is known about the process that has a lock's pid now."""

    alive: bool
    name: str = ""
    engine: bool = True
    """Whether it may be the Pulumi CLI."""
    born: float = 0.0
    """Seconds since the epoch, by the present clock."""
    ticks: int | None = None
    """Birth in clock ticks since boot, where the system tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """One lock file. `pid` is 0 when its content names no owner."""

    path: Path
    pid: int = 0
    user: str = ""
    host: str = ""
    since: float = 0.0
    """Seconds since the epoch."""
    ticks: int | None = None
    ours: bool = False
    unread: str = ""
    """Why its content could not be read; it may have an owner."""

    def __str__(self) -> str:
        """`pid 41 of ann on build-7 since 2026-11-21T10:00:00Z`."""
        if self.unread:
            return f"the lock {self.path.name}, which cannot be read ({self.unread})"
        if not self.pid:
            return f"unreadable lock {self.path.name}"
        when = (
            datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            if self.since
            else "unknown"
        )
        return f"pid {self.pid} of {self.user or 'unknown'} on {self.host or 'unknown'} since {when}"


def proof_of_death(lock: Lock, process: Process, host: str) -> str:
    """Why the owner of a lock is certainly gone, or "" when it is not certain. Pure."""
    if not lock.pid or not lock.host or lock.host != host:
        return ""
    if not process.alive:
        return f"no process {lock.pid} runs on {host}"
    if lock.ours and lock.ticks is not None and process.ticks is not None:
        return "" if lock.ticks == process.ticks else f"pid {lock.pid} now belongs to a younger process"
    if not lock.ours and not process.engine:
        return f"pid {lock.pid} now belongs to {process.name}"
    if lock.since and process.born > lock.since + SKEW:
        return f"pid {lock.pid} now belongs to a younger process"
    return ""


def read_lock(path: Path) -> Lock:
    """The lock in a file; without an owner when the content is not one."""
    try:
        data: Any = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return Lock(path=path)
    except OSError as err:
        return Lock(path=path, unread=err.strerror or "unknown error")
    pid = data.get("pid") if isinstance(data, dict) else None
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return Lock(path=path)
    ticks = data.get(OURS)
    return Lock(
        path=path,
        pid=pid,
        user=str(data.get("username", "")),
        host=str(data.get("hostname", "")),
        since=_epoch(str(data.get("timestamp", ""))),
        ticks=ticks if isinstance(ticks, int) else None,
        ours=OURS in data,
    )


def break_dead_locks(folder: Path, *, keep: Path | None = None) -> tuple[str, ...]:
    """Remove the locks whose owners are proven dead and say which.

    Args:
        folder: the stack's lock folder; need not exist.
        keep: a lock of our own that is not looked at.

    Raises:
        StackLockedError: an owner lives, or is not proven dead. Names host, pid, user and since when.
    """
    told, held = [], []
    for path in sorted(folder.glob("*")):
        if path == keep or path.suffix == ".attrs" or not path.is_file():
            continue
        lock = read_lock(path)
        why = _why_dead(lock)
        if why:
            path.unlink(missing_ok=True)
            _sidecar(path).unlink(missing_ok=True)
            told.append(f"removed the stale lock of {lock}: {why}")
        elif path.exists():
            held.append(lock)
    if held:
        raise _locked(held)
    return tuple(told)


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold a lock of our own in Pulumi's form, so that no update starts meanwhile.

    Raises:
        StackLockedError: somebody else holds one.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{uuid.uuid4()}.json"
    write_whole(path, json.dumps(_own_content()).encode(), scratch=folder.parent)
    try:
        break_dead_locks(folder, keep=path)
        yield
    finally:
        path.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, mode: int = 0o600, scratch: Path | None = None) -> None:
    """Replace a file so that a reader, also after a power cut, sees the old or the new content, never a part.

    The temporary file is in `scratch`, by default beside the file; it must be on the same file system.
    """
    handle, temporary = tempfile.mkstemp(dir=scratch or path.parent, prefix=".weir-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _why_dead(lock: Lock) -> str:
    if lock.unread:
        return ""
    if lock.pid:
        host = socket.gethostname()
        why = proof_of_death(lock, look_up(lock.pid), host)
        return why if why and pids_prove(host) and not runs_inside(lock.pid, _counts(lock)) else ""
    if not _settled(lock.path):
        return ""
    known: Known = {}
    running = any(_may_hold(process, lock.path.parent, known) for process in psutil.process_iter())
    return "" if running else "it names no owner, and no Pulumi runs here on its project"


def _counts(lock: Lock) -> Callable[[int], bool]:
    """Which processes, by pid, may own a lock: Pulumi, and any for one of our own."""
    return (lambda _: True) if lock.ours else _is_engine_now


def _is_engine_now(pid: int) -> bool:
    process = look_up(pid)
    return process.alive and process.engine


def _may_hold(process: psutil.Process, folder: Path, known: Known) -> bool:
    """Whether a process is a Pulumi CLI that is not known to work on another backend or project."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE or not may_be_engine(process, known, unread=False):
            return False
        project = find_project(Path(process.cwd()))
        backend = backend_folder(backend_url(project, process.environ()), project.root)
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, WeirError, OSError):
        return True
    return (
        backend is not None
        and backend / ".pulumi" in folder.resolve().parents
        and project.name in folder.parts
    )


def look_up(pid: int) -> Process:
    """The process that has a pid now, as far as the system tells."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return Process(alive=False)
        return Process(
            alive=True,
            name=process.name(),
            engine=may_be_engine(process, {}),
            born=process.create_time(),
            ticks=birth(pid),
        )
    except psutil.Error:  # another user's process may be hidden, as by hidepid=2
        return Process(alive=not _is_free(pid))


def _is_free(pid: int) -> bool:
    """Whether the kernel knows no process of this pid, hidden or not."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False


def _settled(path: Path) -> bool:
    """Whether a file was last written more than a minute ago, or in the future, by its file system's own clock."""
    try:
        written = path.stat().st_mtime
        with tempfile.NamedTemporaryFile(dir=path.parent.parent, prefix=".weir-", suffix=".tmp") as probe:
            age = os.fstat(probe.fileno()).st_mtime - written
    except OSError:
        return False
    return age > SETTLED or age < -SETTLED


def _own_content() -> dict[str, object]:
    stamp = datetime.fromtimestamp(time.time(), UTC).isoformat()
    return {
        "pid": os.getpid(),
        "username": getpass.getuser(),
        "hostname": socket.gethostname(),
        "timestamp": stamp,
        OURS: birth(os.getpid()),
    }


def _locked(locks: Sequence[Lock]) -> StackLockedError:
    holders = ", ".join(str(lock) for lock in locks)
    hint, here = "wait for it to end", socket.gethostname()
    if any(lock.host != here for lock in locks):
        hint += "; if that machine is gone, remove the lock with `pulumi cancel`"
    elif not pids_prove(here):
        hint += (
            "; if that run is gone, which cannot be told from this container, remove it with `pulumi cancel`"
        )
    return StackLockedError(f"the stack is locked by {holders} ({locks[0].path.parent})", hint=hint)


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.attrs")


def _epoch(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
