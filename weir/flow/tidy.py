"""Keep the caches of this machine bounded: artifacts that no source needs, Git caches that nobody used for long."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Final

from weir.edges.folders import cache_root, private_folder
from weir.edges.git.cache import prune_caches
from weir.edges.store import Store
from weir.flow.previous import remembered_digests
from weir.spec.errors import WeirError

PERIOD: Final = 24 * 3600.0
"""Seconds between two clean-ups on one machine."""
MOST: Final = 10 * 1024**3
"""Bytes that the store may hold after a clean-up, besides what is needed."""
MIN_AGE: Final = 3600.0
"""Seconds that fresh content is left alone: another process may be about to name it."""
UNUSED: Final = 30 * 24 * 3600.0
"""Seconds after which an unused Git cache goes."""
_GIT_CACHES: Final = ("git/repos", "git/outbox/repos")
"""Of sources, and of commits that wait to be pushed."""


def tidy(store: Store, now: float | None = None) -> bool:
    """Clean up when the last time was over a day ago; tell whether it did. Failing to is no error of a run."""
    moment = time.time() if now is None else now
    mark = private_folder(cache_root()) / "tidied"
    if not _due(mark, moment):
        return False
    with contextlib.suppress(WeirError, OSError):
        store.collect_garbage(remembered_digests(), max_bytes=MOST, min_age=MIN_AGE, now=moment)
        for folder in _GIT_CACHES:
            prune_caches(cache_root() / folder, older_than=moment - UNUSED)
        # last: a run that ended before this did leaves it to the next
        mark.touch()
        return True
    return False


def _due(mark: Path, now: float) -> bool:
    try:
        return now - mark.stat().st_mtime > PERIOD
    except OSError:
        with contextlib.suppress(OSError):
            mark.touch()
        return False
