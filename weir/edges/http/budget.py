"""How much one host is asked: a rate that sinks when it says 429, pauses it asks for, and a bounded number of retries.

Shared by all threads of a process, so that 200 policies on one host are one polite client. The figures are those of
Flux 1's registry scanner (https://fluxcd.io/legacy/flux/references/daemon/: `--registry-rps`, `--registry-burst`).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

RATE: Final = 50.0
"""Requests a second."""
BURST: Final = 125.0
"""Requests at once after a rest."""
LEAST_RATE: Final = 1.0
TRIES: Final = 4
"""For one request."""
RETRIES: Final = 20.0
"""For all requests to a host, refilled by one every `REFILL` seconds."""
REFILL: Final = 5.0

_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 8.0
_LONGEST_ASKED: Final = 24 * 3600.0
_SPREAD: Final = 0.1
_RANDOM: Final = random.SystemRandom()


@dataclass
class Budget:
    """For one host. Thread-safe; it never sleeps itself but says how long to wait."""

    clock: Callable[[], float] = time.monotonic
    spread: Callable[[float, float], float] = _RANDOM.uniform
    rate: float = RATE
    _tokens: float = BURST
    _retries: float = RETRIES
    _at: float | None = None
    _not_before: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self) -> float:
        """Reserve one request; the seconds to wait before it."""
        with self._lock:
            now = self._refill()
            self._tokens -= 1.0
            wait = max(0.0, -self._tokens / self.rate)
            asked = self._not_before - now
            return max(wait, asked + self.spread(0.0, 1.0) if asked > 0 else 0.0)

    def give_back(self) -> None:
        """What was reserved is not used."""
        with self._lock:
            self._tokens += 1.0

    def succeeded(self) -> None:
        """The host answered: speed up again, slowly."""
        with self._lock:
            self.rate = min(RATE, self.rate + 1.0)

    def failed(self, attempt: int, *, asked: float | None, slow_down: bool) -> float | None:
        """Seconds until the request may be tried again, None when it may not.

        `attempt` counts from 0; `asked` is the host's own Retry-After, which then holds for every other request too.
        """
        with self._lock:
            now = self._refill()
            if slow_down:
                self.rate = max(LEAST_RATE, self.rate / 2)
            pause = self._pause(attempt, asked)
            if asked is not None:
                self._not_before = max(self._not_before, now + min(asked, _LONGEST_ASKED))
            if attempt + 1 >= TRIES or self._retries < 1.0:
                return None
            self._retries -= 1.0
            return pause

    def _pause(self, attempt: int, asked: float | None) -> float:
        if asked is None:
            return min(_FIRST_PAUSE * 2.0**attempt, _LONGEST_PAUSE) * self.spread(0.5, 1.0)
        return asked + self.spread(0.0, max(_FIRST_PAUSE, asked * _SPREAD))

    def _refill(self) -> float:
        now = self.clock()
        passed = now - (now if self._at is None else self._at)
        self._at = now
        self._tokens = min(BURST, self._tokens + passed * self.rate)
        self._retries = min(RETRIES, self._retries + passed / REFILL)
        return now


_budgets: dict[str, Budget] = {}
_lock: Final = threading.Lock()


def shared_budget(host: str) -> Budget:
    """The one budget of this process for a host."""
    with _lock:
        return _budgets.setdefault(host, Budget())


def retry_after(value: str, now: float) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110 section 10.2.3); `now` in seconds since the epoch."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_ASKED)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, moment.timestamp() - now), _LONGEST_ASKED)
