"""What a run would change in a unit, asked of the cluster when somebody looks at the unit, and only read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from weir.flow.plan import plan_unit
from weir.flow.repair import Held
from weir.spec.changes import ChangeSet
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord

KEPT: Final = 15.0
"""Seconds for which a plan is shown again, however many look."""
_MOST: Final = 32
_PATIENCE: Final = 10.0
"""Seconds for one request to the cluster."""
_LATER: Final = ChangeSet(warnings=("no plan yet: another one is being made",))


@dataclass(frozen=True, slots=True)
class _Made:
    at: float
    """When it was ready."""
    plan: ChangeSet


@dataclass(slots=True)
class Plans:
    """Plans of one stack's units, one made at a time. Thread-safe."""

    held: Callable[[UnitId], Held | None]
    """What a unit renders to; None for one that is not applied, or does not render at present."""
    record: Callable[[UnitId], UnitRecord | None]
    clock: Callable[[], float] = time.monotonic
    _made: dict[tuple[UnitId, str], _Made] = field(default_factory=dict)
    """By unit and digest."""
    _making: threading.Lock = field(default_factory=threading.Lock)

    def of(self, unit: UnitId) -> ChangeSet | None:
        """The plan, None when there is nothing to plan with. Why it could not be made is its warning.

        Nobody waits for somebody else's plan: what is known of the unit is shown meanwhile.
        """
        held = self.held(unit)
        if held is None:
            return None
        if self._making.acquire(blocking=False):
            try:
                return self._plan_of(unit, held)
            finally:
                self._making.release()
        known = self._made.get((unit, held.digest))
        return known.plan if known else _LATER

    def _plan_of(self, unit: UnitId, held: Held) -> ChangeSet:
        key = (unit, held.digest)
        known = self._made.get(key)
        if known is None or self.clock() - known.at > KEPT:
            plan = _plan(held, self.record(unit))
            self._made.pop(key, None)
            while len(self._made) >= _MOST:
                del self._made[next(iter(self._made))]
            known = self._made[key] = _Made(self.clock(), plan)
        return known.plan


def _plan(held: Held, record: UnitRecord | None) -> ChangeSet:
    request = replace(held.request, kube=held.request.kube.in_a_hurry(_PATIENCE))
    objects = [found.desired for item in held.placed if (found := held.find(item))]
    try:
        return plan_unit(request, objects, record).changeset
    except WeirError as err:
        return ChangeSet(warnings=(f"no plan: {err}",))
