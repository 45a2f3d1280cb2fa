"""What was told last is not told again for a while.

Rule: https://fluxcd.io/flux/components/notification/events/#rate-limiting. Unlike there, the last word is always told:
a failure makes way for the success after it, and the other way round.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from weir.spec.event import Event, Severity

INTERVAL: Final = 300.0
"""Seconds in which an event is told once."""
MAX_REMEMBERED: Final = 10_000
"""Events; beyond that the oldest are forgotten, and may be told again too soon."""

_FAILURE: Final = "failure"
_SUCCESS: Final = "success"
_OPPOSITE: Final = {_FAILURE: _SUCCESS, _SUCCESS: _FAILURE}


class RateLimit:
    """Remembers which events were told. Events are identical when unit, message and revision are."""

    def __init__(self, told: Mapping[str, float] | None = None) -> None:
        """`told` is what another one remembered."""
        self._told: dict[str, float] = dict(told or {})
        """When each was told first, in that order; keys are digests, so that long messages take no room.

        Those of failures and successes begin with what they say of which unit. In files of earlier versions none
        does: such keys stand for nothing and go with time.
        """

    @property
    def told(self) -> Mapping[str, float]:
        """What to remember for the next one."""
        return self._told

    def admits(self, event: Event, now: float) -> bool:
        """Whether to tell an event at a time in seconds, which never goes back. Remembers it if so."""
        self._forget(now)
        says = _says(event)
        key = _about(event, says) + _digest(*_unit(event), event.message, event.metadata.get("revision", ""))
        if key in self._told:
            return False
        if says:
            self._unsay(_about(event, _OPPOSITE[says]))
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

    def _unsay(self, prefix: str) -> None:
        """Forget what is not true any more."""
        for key in [key for key in self._told if key.startswith(prefix)]:
            del self._told[key]


def _says(event: Event) -> str:
    """Whether a unit failed or is well; empty when the event says neither."""
    if event.severity is Severity.ERROR:
        return _FAILURE
    return _SUCCESS if event.reason.endswith("Succeeded") else ""


def _about(event: Event, says: str) -> str:
    """How the keys of what is said about the event's unit begin."""
    return f"{says}-{_digest(*_unit(event))[:16]}-" if says else ""


def _unit(event: Event) -> tuple[str, str]:
    return event.stack, str(event.unit)


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
