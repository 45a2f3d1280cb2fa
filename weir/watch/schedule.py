"""When each unit is looked at again: its interval with jitter, backoff after failures, at once when asked. Pure.

Rule: https://fluxcd.io/flux/components/kustomize/kustomizations/#interval and the `--interval-jitter-percentage`,
`--min-retry-delay` and `--max-retry-delay` of Flux's controllers. Times are seconds of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from weir.spec.identity import UnitId

JITTER: Final = 0.05
"""Part of an interval by which looks are spread. Retries are not."""
FIRST_RETRY: Final = 0.75
LONGEST_RETRY: Final = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What a unit says about its rhythm."""

    interval: float
    """Seconds."""
    retry: float = 0.0
    """Seconds between tries after a failure; 0 for an exponential backoff that ends at the interval."""


@dataclass(slots=True)
class _Entry:
    timing: Timing
    due: float
    failures: int = 0
    asked: bool = False
    """Whether somebody asked since the last look began."""


class Schedule:
    """Due times of all units. Not thread-safe."""

    def __init__(self, random: Callable[[], float]) -> None:
        """`random` gives numbers from 0 to 1."""
        self._random = random
        self._entries: dict[UnitId, _Entry] = {}

    def keep(self, timings: Mapping[UnitId, Timing], now: float) -> None:
        """Exactly these units from now on. New ones are due within their interval, spread over its jitter."""
        for unit in self._entries.keys() - timings.keys():
            del self._entries[unit]
        for unit, timing in timings.items():
            entry = self._entries.get(unit)
            if entry is None:
                self._entries[unit] = _Entry(timing, now + self._spread(timing.interval))
            elif entry.timing != timing:
                entry.timing = timing
                entry.due = min(entry.due, now + self._spread(timing.interval))

    def due(self, now: float) -> list[UnitId]:
        """Units whose time has come, the longest waiting first."""
        found = [(entry.due, unit) for unit, entry in self._entries.items() if entry.due <= now]
        return [unit for _, unit in sorted(found)]

    def wait(self, now: float) -> float:
        """Seconds until the next unit is due; an hour when there is none."""
        soonest = min((entry.due for entry in self._entries.values()), default=now + 3600.0)
        return max(soonest - now, 0.0)

    def next_due(self, unit: UnitId) -> float | None:
        """When a unit is due, None for one that is not kept."""
        entry = self._entries.get(unit)
        return entry.due if entry else None

    def started(self, unit: UnitId, now: float) -> None:
        """It is being looked at: not due again before it is done, or before its interval has passed once more."""
        if entry := self._entries.get(unit):
            entry.due, entry.asked = now + entry.timing.interval, False

    def done(self, unit: UnitId, now: float, *, ok: bool) -> None:
        """It was looked at: next time after its interval, or sooner when it failed."""
        entry = self._entries.get(unit)
        if entry is None:
            return
        entry.failures = 0 if ok else entry.failures + 1
        after = self._spread(entry.timing.interval) if ok else self._pause(entry)
        entry.due = now if entry.asked else now + after

    def ask(self, unit: UnitId, now: float) -> bool:
        """Have it looked at now; False for a unit that is not kept."""
        entry = self._entries.get(unit)
        if entry is not None:
            entry.due, entry.asked = min(entry.due, now), True
        return entry is not None

    def _spread(self, interval: float) -> float:
        return interval * (1.0 + JITTER * (2.0 * self._random() - 1.0))

    def _pause(self, entry: _Entry) -> float:
        if entry.timing.retry:
            return entry.timing.retry
        exponential = FIRST_RETRY * 2.0 ** min(entry.failures - 1, 30)
        return min(exponential, LONGEST_RETRY, max(entry.timing.interval, FIRST_RETRY))
