"""Objects that somebody else changes back again and again: repaired ever more seldom. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from weir.spec.identity import ObjectId

WINDOW: Final = 600.0
"""Seconds after which a repair counts no more."""
CALM: Final = 5
"""Repairs within the window that are taken for people at work."""
_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 300.0
_KEPT: Final = 64
_MOST_OBJECTS: Final = 10_000


@dataclass(slots=True)
class Flapping:
    """When objects were repaired. Not thread-safe; times are seconds of one monotonic clock."""

    _repairs: dict[ObjectId, deque[float]] = field(default_factory=dict)

    def repaired(self, item: ObjectId, now: float) -> None:
        """Note one repair."""
        times = self._repairs.pop(item, None) or deque(maxlen=_KEPT)
        if len(self._repairs) >= _MOST_OBJECTS:
            # in the order of their last repairs
            del self._repairs[next(iter(self._repairs))]
        times.append(now)
        self._repairs[item] = times

    def pause(self, item: ObjectId, now: float) -> float:
        """Seconds from now until the object may be repaired again; 0 for at once."""
        times = [moment for moment in self._repairs.get(item, ()) if moment > now - WINDOW]
        if len(times) < CALM:
            return 0.0
        pause = min(_FIRST_PAUSE * 2.0 ** (len(times) - CALM), _LONGEST_PAUSE)
        return max(times[-1] + pause - now, 0.0)

    def is_flapping(self, item: ObjectId, now: float) -> bool:
        """Whether the next repair of the object would come after a pause."""
        return len([moment for moment in self._repairs.get(item, ()) if moment > now - WINDOW]) >= CALM
