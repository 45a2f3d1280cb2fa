"""Identical events are told once in a while.

Rule: https://fluxcd.io/flux/components/notification/events/#rate-limiting
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from weir.spec.event import Event

INTERVAL: Final = 300.0
"""Seconds in which an event is told once."""
MAX_REMEMBERED: Final = 10_000
"""Events; beyond that the oldest are forgotten, and may be told again too soon."""


class RateLimit:
    """Remembers which events were told. Events are identical when unit, message and revision are."""

    def __init__(self, told: Mapping[str, float] | None = None) -> None:
        """`told` is what another one remembered."""
        self._told: dict[str, float] = dict(told or {})
        """When each was told first, in that order; keys are digests, so that long messages take no room."""

    @property
    def told(self) -> Mapping[str, float]:
        """What to remember for the next one."""
        return self._told

    def admits(self, event: Event, now: float) -> bool:
        """Whether to tell an event at a time in seconds, which never goes back. Remembers it if so."""
        self._forget(now)
        key = _key(event)
        if key in self._told:
            return False
        self._told[key] = now
        if len(self._told) > MAX_REMEMBERED:
            del self._told[next(iter(self._told))]
        return True

    def _forget(self, now: float) -> None:
        while self._told:
            oldest = next(iter(self._told))
            if now - self._told[oldest] < INTERVAL:
                return
            del self._told[oldest]


def _key(event: Event) -> str:
    parts = [event.stack, str(event.unit), event.message, event.metadata.get("revision", "")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
