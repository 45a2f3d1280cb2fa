"""The C library's heap in a process that lives for weeks: what is free goes back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from typing import Final

_ARENA_MAX: Final = -8
_MMAP_THRESHOLD: Final = -3
"""Parameters of mallopt, by malloc.h of the GNU C library; others have no such function."""
_LARGE: Final = 256 * 1024
"""Bytes of a block that goes back to the system as soon as it is free."""


def share_one() -> None:
    """Let all threads share one heap.

    The GNU C library gives each of the first sixteen one of its own, and what is free in one is of no use to the
    others: over a day a watcher would grow by half (mallopt(3)).
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Collect garbage, and give the memory that is free back to the system.

    A look at 5,000 objects needs 50 MB for a moment, which a watcher would hold for ever.
    """
    gc.collect()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
