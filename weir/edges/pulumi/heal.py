"""What is put right before the engine starts, in a file:// backend: layout note, locks, state, pending operations.

Nothing is ever thrown away: a corrupt file gets another name, and what replaces it is the newest whole copy. Every
write happens under a lock of our own in Pulumi's form, and is whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from weir.edges.pulumi.integrity import Checkpoint, CorruptError, UncheckedError, is_gzip
from weir.edges.pulumi.lock import StackLockedError, break_dead_locks, hold, write_whole
from weir.edges.pulumi.project import EngineError
from weir.edges.pulumi.state import (
    StackFiles,
    md5,
    noted_md5,
    replace_state,
    set_aside,
    sidecar,
    write_checkpoint,
)

_OURS: Final = ("weir:", "pulumi-python:dynamic", "pulumi:providers:", "pulumi:pulumi:")
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_META: Final = re.compile(rb"version:[ \t]*[0-9]+")


@dataclass(slots=True)
class Healing:
    """What was found and done."""

    checkpoint: Checkpoint | None = None
    """The state that the engine will start from; None when there is none or it could not be checked."""
    exists: bool = False
    """Whether the stack has a state file now."""
    lost: bool = False
    """A stack that was known has no state any more: units come back from the records in the cluster."""
    told: list[str] = field(default_factory=list)
    """Sentences for the person who runs this."""


def heal(files: StackFiles, *, check_salt: Callable[[str], None], only_reading: bool = False) -> Healing:
    """Put right what would stop or mislead the engine.

    Args:
        files: the stack's files.
        check_salt: called with the salt of a state before it is written; raises to stop.
        only_reading: for a preview, which takes no lock: only what keeps it from running is put right.

    Raises:
        StackLockedError: another run holds the stack and this one would have to write.
    """
    done = Healing()
    try:
        done.told += break_dead_locks(files.locks)
        _heal_layout(files, done)
    except StackLockedError:
        if not only_reading:
            raise
    problem = _examine(files, done)
    if problem:
        with hold(files.locks):
            problem = _examine(files, done)
            if problem:
                _recover(files, done, problem, check_salt)
    if done.checkpoint and done.checkpoint.pending and not only_reading:
        _drop_pending(files, done, check_salt)
    _warn_if_older(files, done)
    return done


def _heal_layout(files: StackFiles, done: Healing) -> None:
    """`meta.yaml` cut off keeps every command from running; the folders themselves show the layout."""
    for path in (files.meta, files.state):
        note = sidecar(path)
        if note.is_file() and not _is_json(note.read_bytes()):
            note.unlink()
            done.told.append(f"removed the unreadable note {note.name}")
    if files.meta.is_file() and files.folder.is_dir() and not _META.match(files.meta.read_bytes().strip()):
        write_whole(files.meta, b"version: 1\n", files.meta.stat().st_mode & 0o777)
        sidecar(files.meta).unlink(missing_ok=True)
        done.told.append(f"{files.meta} was not readable; wrote it anew")


def _is_json(raw: bytes) -> bool:
    with contextlib.suppress(ValueError):
        return isinstance(json.loads(raw), dict)
    return False


def _examine(files: StackFiles, done: Healing) -> str:
    """Read the state into `done`; why it needs to be recovered, or ""."""
    path = files.state
    done.checkpoint, done.exists = None, path.exists()
    try:
        done.checkpoint = files.read(path)
    except FileNotFoundError:
        return "is missing" if files.copies() or files.asides() else ""
    except UncheckedError as err:
        done.told.append(f"{path}: not checked: {err}")
    except CorruptError as err:
        return f"is corrupt ({err})"
    return ""


def _recover(files: StackFiles, done: Healing, problem: str, check_salt: Callable[[str], None]) -> None:
    path = files.state
    told = f"the state {path} {problem}"
    removed = _was_removed(files)
    copy = None if removed else _newest_copy(files, told)
    if copy:
        check_salt(copy[1].salt)
    if path.exists():
        told += f"; it is kept as {set_aside(path, keep=copy is not None).name}"
    if copy is None:
        done.exists, done.lost = False, True
        why = "it has no history either" if removed else "no copy is whole"
        done.told.append(f"{told}; {why}, so the stack starts empty and adopts what is in the cluster")
        return
    source, done.checkpoint = copy
    raw = source.read_bytes()
    restored = files.folder / f"{files.stack}{'.json.gz' if is_gzip(raw) else '.json'}"
    replace_state(restored, raw)
    if restored != path:
        path.unlink(missing_ok=True)
    done.exists = True
    taken = done.checkpoint.time.strftime(_TIME) if done.checkpoint.latest else "before its first update"
    done.told.append(f"{told}; recovered from {source.relative_to(files.backend)} of {taken}")


def _was_removed(files: StackFiles) -> bool:
    """Whether there is neither a state nor a history, which is what `pulumi stack rm` leaves beside old copies.

    So does a stack that was lost while its first update ran: what it made is in the cluster's records only.
    """
    return not files.state.exists() and not files.history()


def _newest_copy(files: StackFiles, told: str) -> tuple[Path, Checkpoint] | None:
    try:
        return files.newest_copy()
    except UncheckedError as err:
        raise EngineError(
            f"{told}; {err}, which cannot be checked here", hint="put a copy in its place"
        ) from err


def _drop_pending(files: StackFiles, done: Healing, check_salt: Callable[[str], None]) -> None:
    """Forget operations that a killed run left: ours are done again from the start, which changes nothing twice."""
    if done.checkpoint is None or not any(map(_is_ours, done.checkpoint.pending)):
        return
    check_salt(done.checkpoint.salt)
    with hold(files.locks):
        try:
            checkpoint = files.read(files.state)
        except (CorruptError, UncheckedError) as err:
            raise EngineError(
                f"{files.state}: changed meanwhile: {err}", hint="run the command again"
            ) from err
        dropped = [operation for operation in checkpoint.pending if _is_ours(operation)]
        kept = [operation for operation in checkpoint.pending if not _is_ours(operation)]
        checkpoint.latest["pending_operations"] = kept
        if not kept:
            del checkpoint.latest["pending_operations"]
        backup = files.state.with_name(f"{files.state.name}.bak")
        replace_state(backup, files.state.read_bytes())
        write_checkpoint(files.state, checkpoint)
    done.checkpoint = checkpoint
    for operation in dropped:
        urn, kind = operation["resource"].get("urn", ""), operation.get("type", "")
        done.told.append(f"a killed run was {kind} {urn}; it will be done again")


def _is_ours(operation: dict[str, object]) -> bool:
    resource = operation.get("resource")
    if not isinstance(resource, dict):
        return False
    return not resource.get("custom") or str(resource.get("type", "")).startswith(_OURS)


def _warn_if_older(files: StackFiles, done: Healing) -> None:
    """An old copy put in place is respected, but said: units made since are known to the cluster's records only."""
    history = files.history()[:1]
    if done.checkpoint is None or not history:
        return
    if noted_md5(history[0]) == md5(files.state.read_bytes()):
        return
    with contextlib.suppress(CorruptError, UncheckedError, OSError):
        newest = files.read(history[0])
        if newest.time > done.checkpoint.time:
            name, taken = history[0].relative_to(files.backend), newest.time.strftime(_TIME)
            done.told.append(f"the state is older than {name} of {taken}; going on with the state as it is")
