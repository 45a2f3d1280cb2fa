"""The Secrets of receivers, read from the cluster seldom enough that a flood of webhooks never reaches it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from weir.notify.hooks import TOKEN
from weir.spec.errors import ClusterError, WeirError

FRESH: Final = 60.0
"""Seconds for which a Secret, or that there is none, is taken as known."""
PAUSE: Final = 5.0
"""Seconds for which a cluster that did not answer is not asked again."""

Secret = Mapping[str, bytes]
Lookup = Callable[[str, str], Secret | None]
"""The data of a Secret by namespace and name, None when there is none. Raises WeirError."""


@dataclass(frozen=True, slots=True)
class _Known:
    data: Secret = field(repr=False)
    problem: str
    until: float


class HookSecrets:
    """Secrets by namespace and name. Thread-safe; one reader asks the cluster, the others wait for what it learns."""

    def __init__(self, lookup: Lookup, clock: Callable[[], float]) -> None:
        self._lookup = lookup
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], _Known] = {}

    def read(self, namespace: str, name: str, report: Callable[[str], None]) -> Secret:
        """The data of a Secret, empty when there is none; `report` is told what is wrong when the cluster was asked.

        Raises:
            ClusterError: the cluster does not say.
        """
        key = (namespace, name)
        with self._lock:
            known = self._known.get(key)
            if known is None or self._clock() >= known.until:
                known = self._known[key] = self._ask(key, report)
        if known.problem:
            raise ClusterError(known.problem)
        return known.data

    def keep(self, wanted: set[tuple[str, str]]) -> None:
        """Forget every Secret but these."""
        with self._lock:
            self._known = {key: known for key, known in self._known.items() if key in wanted}

    def _ask(self, key: tuple[str, str], report: Callable[[str], None]) -> _Known:
        try:
            data = self._lookup(*key) or {}
        except WeirError as err:
            report(f"its Secret cannot be read: {err}")
            return _Known({}, str(err), self._clock() + PAUSE)
        if not data.get(TOKEN):
            report(f"Secret/{key[0]}/{key[1]}: found no {TOKEN}; until it has one, the receiver has no path")
        return _Known(data, "", self._clock() + FRESH)
