"""A run that waits to be told to begin, as the watcher keeps one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.processes import kill, members
from tests.support.world import World


@contextmanager
def waiting(world: World) -> Iterator[subprocess.Popen[str]]:
    """The process, in a session of its own; whatever is left of it is killed."""
    words = ("--stack", world.stack.name, "--config-file", str(world.stack.config_file))
    process = subprocess.Popen(
        (sys.executable, "-m", "components.ready", *words),
        env=world.stack.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for one in members(world.stack.folder, process.pid):
            kill(one.pid)
        process.kill()
        process.communicate()
