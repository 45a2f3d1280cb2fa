"""The cyclic garbage collector, kept from walking over thousands of objects while they are being read."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator


class _State:
    """How many blocks want quiet, whether the collector was on before the first, and whether the process lives on."""

    lock = threading.Lock()
    blocks = 0
    was_on = False
    lives_on = False


def live_on() -> None:
    """This process goes on after its work, as the watcher does: whatever it makes is collected some time."""
    _State.lives_on = True


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """No collection until the last of the blocks that asked for it ends; afterwards none of what is there, either.

    Reading 1,000 Deployments makes half a million containers; the collector would look at all of them again and again,
    which takes as long as reading them. What is never collected ends with the process, unless that lives on.
    """
    with _State.lock:
        if _State.blocks == 0:
            _State.was_on = gc.isenabled()
            gc.disable()
        _State.blocks += 1
    try:
        yield
    finally:
        with _State.lock:
            _State.blocks -= 1
            if _State.blocks == 0 and _State.was_on:
                if not _State.lives_on:
                    gc.freeze()
                gc.enable()
