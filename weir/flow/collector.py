"""The cyclic garbage collector, kept from walking over thousands of objects while they are being read."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import threading
from collections.abc import Iterator
from typing import Final

_ARENA_MAX: Final = -8
_MMAP_THRESHOLD: Final = -3
"""Parameters of mallopt, by malloc.h of the GNU C library."""
_LARGE: Final = 256 * 1024
"""Bytes of a block that goes back to the system as soon as it is free."""


class _State:
    """How many blocks want quiet, whether the collector was on before the first, and whether the process lives on."""

    lock = threading.Lock()
    blocks = 0
    was_on = False
    lives_on = False


def live_on() -> None:
    """This process goes on after its work, as the watcher does: whatever it makes is collected some time.

    Its threads share one heap. The GNU C library gives each of the first sixteen one of its own, and what is free in
    one is of no use to the others: over a day a watcher would grow by half (mallopt(3)).
    """
    _State.lives_on = True
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Collect garbage, and give the memory that is free back to the system where the C library can.

    A look at 5,000 objects needs 50 MB for a moment, which a watcher would hold for ever.
    """
    gc.collect()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


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
