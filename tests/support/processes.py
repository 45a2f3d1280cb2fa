"""Which processes belong to a run: found through /proc by session, or by the stack's folder in what they were given."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Spied:
    """One process as /proc shows it."""

    pid: int
    name: str
    session: int
    parent: int
    arguments: bytes
    """Separated by NUL."""
    environment: bytes
    """As it was given at its start, separated by NUL."""


def processes() -> Iterator[Spied]:
    """Every process of this user that is alive (zombies are not) and not the calling one."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            fields = (entry / "stat").read_text(errors="replace")
            name, rest = fields.partition("(")[2].rpartition(")")[0], fields.rpartition(")")[2].split()
            if rest[0] in "ZX":
                continue
            arguments, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            yield Spied(int(entry.name), name, int(rest[3]), int(rest[1]), arguments, environment)
        except (OSError, IndexError):
            continue


def members(folder: str | Path, session: int = 0) -> list[Spied]:
    """Processes of a session, those that name a stack's folder in their arguments or environment, and their children.

    The test runner itself and its control plane name no stack's folder.
    """
    mark = os.fsencode(folder)
    everybody = list(processes())
    found = {
        one.pid: one
        for one in everybody
        if (session and one.session == session)
        or (mark and (mark in one.arguments or mark in one.environment))
    }
    while more := {one.pid: one for one in everybody if one.parent in found and one.pid not in found}:
        found |= more
    return list(found.values())


def kill(pid: int) -> None:
    """SIGKILL one process and nobody else; gone already is fine."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
