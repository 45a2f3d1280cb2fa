"""What is wrong with watched objects, for as long as it lasts: drift that stays, health that was lost. Pure.

Only objects with a finding are kept, and one sentence for each. Times are seconds of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from weir.flow.repair import Outcome, Repair
from weir.objects.health import Health
from weir.spec.identity import ObjectId, UnitId
from weir.watch.view import Finding, ObjectNote

_LONGEST: Final = 500
"""Characters of one sentence."""
_GONE: Final = Health("NotFound", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthNews:
    """What is to be told about the health of a unit's objects: a loss, or that it is over."""

    unit: UnitId
    lost: Mapping[ObjectId, str] = field(default_factory=dict)
    """Objects that were healthy and are not any more, and why."""
    regained: tuple[ObjectId, ...] = ()
    """Objects that were told of as lost, once all of these in the unit are healthy again."""


@dataclass(frozen=True, slots=True)
class _Ill:
    health: Health
    since: float
    lost: bool
    """Whether it was better before."""
    told: bool = False


@dataclass(slots=True)
class _Unit:
    digest: str
    patience: float
    unproven: set[ObjectId]
    """Objects of which nobody knows yet whether they ever were healthy."""
    drift: dict[ObjectId, ObjectNote] = field(default_factory=dict)
    ill: dict[ObjectId, _Ill] = field(default_factory=dict)
    regained: set[ObjectId] = field(default_factory=set)


@dataclass(slots=True)
class Findings:
    """Findings about the objects of held units. Not thread-safe."""

    _units: dict[UnitId, _Unit] = field(default_factory=dict)

    def keep(self, units: Collection[UnitId]) -> None:
        """Forget what is known of all other units."""
        self._units = {unit: state for unit, state in self._units.items() if unit in units}

    def knows(self, unit: UnitId, digest: str) -> bool:
        """Whether `begin` was called for these rendered objects of the unit."""
        state = self._units.get(unit)
        return state is not None and state.digest == digest

    def begin(
        self,
        unit: UnitId,
        digest: str,
        items: Collection[ObjectId],
        unproven: set[ObjectId],
        patience: float,
    ) -> None:
        """Other objects of the unit were applied; `unproven` are those whose health was not waited for.

        An object that was healthy may be in progress for `patience` seconds before its health counts as lost. Drift is
        known until the object is seen again. What was told of as lost stays, so that its recovery is told too.
        """
        before = self._units.get(unit) or _Unit(digest, patience, set())
        ill = {item: one for item, one in before.ill.items() if one.told and item in items}
        self._units[unit] = _Unit(
            digest,
            patience,
            unproven=unproven - ill.keys(),
            drift={item: note for item, note in before.drift.items() if item in items},
            ill=ill,
            regained={item for item in before.regained if item in items},
        )

    def drifted(self, unit: UnitId, found: Repair) -> bool:
        """Note drift that stays; whether that is news."""
        finding = Finding.MISSING if found.missing else Finding.DRIFTED
        text = f"not corrected: {found.text}" if found.outcome is Outcome.REFUSED else found.text
        return self._note(unit, found.id, ObjectNote(finding, text[:_LONGEST]))

    def paused(self, unit: UnitId, item: ObjectId) -> None:
        """Note drift that is left alone for a while, for somebody brings it about again and again."""
        self._note(
            unit, item, ObjectNote(Finding.DRIFTED, "is changed again and again: left alone for a while")
        )

    def settled(self, unit: UnitId, item: ObjectId) -> None:
        """The object is as desired."""
        if state := self._units.get(unit):
            state.drift.pop(item, None)

    def judged(self, unit: UnitId, item: ObjectId, health: Health, now: float) -> bool:
        """Note the health of an object as it was seen now; whether there may be news of it."""
        state = self._units.get(unit)
        if state is None:
            return False
        unproven = item in state.unproven
        state.unproven.discard(item)
        known = state.ill.pop(item, None)
        if health.status == "Current":
            if known and known.told:
                state.regained.add(item)
            return known is not None
        health = replace(health, message=health.message[:_LONGEST])
        if known is None:
            state.ill[item] = _Ill(health, now, lost=not unproven)
        else:
            worse = (known.health.status, health.status) == ("InProgress", "Failed")
            state.ill[item] = replace(known, health=health, lost=known.lost or worse)
        return True

    def gone(self, unit: UnitId, item: ObjectId) -> None:
        """The object was deleted, which is drift and has no health; a loss that was told stays one."""
        state = self._units.get(unit)
        known = state.ill.pop(item, None) if state else None
        if state is None or known is None:
            return
        if known.told:
            state.ill[item] = replace(known, health=_GONE)
        elif not known.lost:
            state.unproven.add(item)

    def news(self, now: float) -> list[HealthNews]:
        """What is to be told now; each loss and each recovery is given once."""
        return [one for unit, state in self._units.items() if (one := _news(unit, state, now))]

    def wait(self, now: float) -> float | None:
        """Seconds until `news` may give more although nothing is noted meanwhile; None for never."""
        due = [
            one.since + state.patience
            for state in self._units.values()
            for one in state.ill.values()
            if one.lost and not one.told
        ]
        return max(min(due) - now, 0.0) if due else None

    def notes(self, unit: UnitId) -> Mapping[ObjectId, tuple[ObjectNote, ...]]:
        """What is not as it should be with objects of a unit: for each its drift, its health, or both."""
        found: dict[ObjectId, tuple[ObjectNote, ...]] = {}
        state = self._units.get(unit)
        for item, note in (*state.drift.items(), *_health_notes(state)) if state else ():
            found[item] = (*found.get(item, ()), note)
        return found

    def _note(self, unit: UnitId, item: ObjectId, note: ObjectNote) -> bool:
        state = self._units.get(unit)
        before = state.drift.get(item) if state else None
        if state:
            state.drift[item] = note
        return note != before


def _news(unit: UnitId, state: _Unit, now: float) -> HealthNews | None:
    lost = {item: one for item, one in state.ill.items() if _is_due(one, now - state.patience)}
    state.ill |= {item: replace(one, told=True) for item, one in lost.items()}
    state.regained -= lost.keys()
    regained: set[ObjectId] = set()
    if state.regained and not any(one.told for one in state.ill.values()):
        regained, state.regained = state.regained, set()
    if not lost and not regained:
        return None
    texts = {item: lost[item].health.message for item in sorted(lost)}
    return HealthNews(unit=unit, lost=texts, regained=tuple(sorted(regained)))


def _is_due(one: _Ill, latest: float) -> bool:
    """Whether a loss is to be told: at once when the object failed, else when it lasted since `latest`."""
    return one.lost and not one.told and (one.health.status == "Failed" or one.since <= latest)


def _health_notes(state: _Unit) -> Iterator[tuple[ObjectId, ObjectNote]]:
    for item, one in state.ill.items():
        if one.health is not _GONE:
            failed = one.told or one.health.status == "Failed"
            finding = Finding.FAILED if failed else Finding.PROGRESSING
            yield item, ObjectNote(finding, one.health.message)
