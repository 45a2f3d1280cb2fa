"""Runs in the background, and one that waits to be told to begin, as the watcher keeps it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.processes import kill, members
from tests.support.world import World


@contextmanager
def killed_at_last(world: World, process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Whatever is left of a run of the stack is killed in the end, by its number."""
    try:
        yield process
    finally:
        for one in members(world.stack.folder, process.pid):
            kill(one.pid)
        process.kill()
        process.communicate()


@contextmanager
def waiting(world: World) -> Iterator[subprocess.Popen[str]]:
    """A run that waits for a line on its input."""
    words = (sys.executable, "-m", "components.ready", *world.stack.selection)
    with killed_at_last(world, world.stack.start(*words, stdin=subprocess.PIPE)) as process:
        yield process
