"""A webhook that arrives again, because its sender repeats it or somebody recorded it, counts once for a while."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

WINDOW: Final = 300.0
"""Seconds for which a delivery is remembered."""
MOST: Final = 10_000
"""Deliveries remembered at once; the oldest is forgotten first."""


class ReplayWindow:
    """What was accepted of late. Knows no clock: times are seconds that never go back. Not thread-safe."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def first(self, key: bytes, now: float) -> bool:
        """Whether this is news; it is remembered then. The same again does not make it last longer."""
        while self._seen and now - next(iter(self._seen.values())) >= WINDOW:
            self._seen.popitem(last=False)
        if key in self._seen:
            return False
        if len(self._seen) >= MOST:
            self._seen.popitem(last=False)
        self._seen[key] = now
        return True

    def forget(self, key: bytes) -> None:
        """Let it count again: what it asked for was not done."""
        self._seen.pop(key, None)
