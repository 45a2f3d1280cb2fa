"""The Secrets of receivers, read from the cluster seldom enough that a flood of webhooks never reaches it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from weir.spec.errors import WeirError

FRESH: Final = 60.0
"""Seconds for which a Secret, or that there is none, is taken as known."""
PAUSE: Final = 5.0
"""Seconds for which a cluster that did not answer is not asked again."""

Secret = Mapping[str, bytes]
Lookup = Callable[[str, str], Secret | None]
"""The data of a Secret by namespace and name, None when there is none. Raises WeirError."""


@dataclass(frozen=True, slots=True)
class _Known:
    data: Secret | None = field(repr=False)
    error: WeirError | None
    until: float


class HookSecrets:
    """Secrets by namespace and name. Thread-safe; one reader asks the cluster, the others wait for what it learns."""

    def __init__(self, lookup: Lookup, clock: Callable[[], float]) -> None:
        self._lookup = lookup
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], _Known] = {}

    def read(self, namespace: str, name: str) -> Secret | None:
        """The data of a Secret, None when there is none. Raises WeirError while the cluster does not say."""
        key = (namespace, name)
        with self._lock:
            known = self._known.get(key)
            if known is None or self._clock() >= known.until:
                known = self._known[key] = self._ask(key)
        if known.error is not None:
            raise known.error
        return known.data

    def keep(self, wanted: set[tuple[str, str]]) -> None:
        """Forget every Secret but these."""
        with self._lock:
            self._known = {key: known for key, known in self._known.items() if key in wanted}

    def _ask(self, key: tuple[str, str]) -> _Known:
        try:
            return _Known(self._lookup(*key), None, self._clock() + FRESH)
        except WeirError as err:
            return _Known(None, err, self._clock() + PAUSE)
