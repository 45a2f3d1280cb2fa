"""Notifications of a stack delivered as long as the watcher lives: what a run left, and what the watcher tells."""

from __future__ import annotations

import threading
from typing import Final

from weir.flow import notices
from weir.flow.clusters import Clusters
from weir.spec.errors import WeirError
from weir.watch.journal import Journal

_PAUSE: Final = 3.0
"""Seconds between two looks at the outbox."""
_BUDGET: Final = 30.0
"""Seconds of one round of deliveries."""


class Delivery:
    """Looks into the outbox in a thread of its own, from `start` until `stop` is set."""

    def __init__(self, stack: str, clusters: Clusters, journal: Journal, stop: threading.Event) -> None:
        self._stack, self._clusters, self._journal, self._stop = stack, clusters, journal, stop
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread; `stop` must be set."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE):
            if not notices.kept(self._stack):
                continue
            try:
                self._deliver()
                self._said = ""
            except (WeirError, OSError) as err:
                self._say_once(f"notifications wait: {err}")

    def _deliver(self) -> None:
        # imported late: a stack without alerts needs none of it
        from weir.flow.deliver import deliver_kept

        done = deliver_kept(self._stack, lambda: self._clusters, budget_seconds=_BUDGET, stop=self._stop)
        for sentence in done.lost:
            self._journal.error(f"notification lost: {sentence}")

    def _say_once(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            self._journal.error(sentence)
