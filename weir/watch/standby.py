"""What a watcher does while another one leads: it knows the stack's receivers, and passes on what they ask for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from weir.flow.asking import request_time
from weir.flow.clusters import Clusters
from weir.flow.session import Session
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId
from weir.spec.image_policy import ImagePolicySpec
from weir.spec.kinds import IMAGE_REPOSITORY
from weir.watch.journal import Journal
from weir.watch.looking import Looked, look

_EVERY: Final = 600.0
"""Seconds between two looks at what the stack declares."""
_RETRY: Final = 30.0


@dataclass(slots=True)
class Standby:
    """`keep` is called again and again by one thread; `pass_on` may be called by any."""

    clusters: Clusters
    journal: Journal
    open_session: Callable[[], Session]
    on_look: Callable[[Looked], None]
    on_trouble: Callable[[str], None]
    stop: threading.Event
    looked: Looked | None = None
    """What the last look that succeeded found."""
    _due: float = 0.0
    _thread: threading.Thread | None = None

    def keep(self) -> None:
        """Look at the stack when it is time to, in a thread."""
        now = time.monotonic()
        if now >= self._due and not (self._thread and self._thread.is_alive()):
            self._due = now + _EVERY
            self._thread = threading.Thread(target=self._look, name="standby", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        try:
            self.looked = look(self.open_session, self.clusters, self.stop)
            self.on_look(self.looked)
        except WeirError as err:
            self._due = time.monotonic() + _RETRY
            self.on_trouble(str(err))

    def pass_on(self, units: Sequence[UnitId]) -> None:
        """Leave requests in the units' records, where the leader sees them.

        Raises:
            WeirError: some have no record, or it cannot be written; the others are passed on.
        """
        recorded, failed = self._recorded(units), 0
        for unit in recorded:
            try:
                self.clusters.records.request(unit, request_time())
            except WeirError as err:
                failed += 1
                self.journal.error(f"a webhook cannot be passed on: {err}", unit)
        if failed:
            raise WeirError(f"a webhook cannot be passed on to {failed} of {len(recorded)} units")

    def _recorded(self, units: Sequence[UnitId]) -> Sequence[UnitId]:
        """Image repositories have no records: their policies, whose tags are listed anew as well, stand for them."""
        if self.looked is None:
            return units
        specs = [one.spec for one in self.looked.declared.values()]
        policies = [spec for spec in specs if isinstance(spec, ImagePolicySpec)]
        found = {unit for unit in units if unit.kind != IMAGE_REPOSITORY}
        found |= {spec.id for spec in policies if spec.repository in units}
        return sorted(found)
