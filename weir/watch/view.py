"""What people see of a stack: every unit with its sync and its health, two states that are never merged. Pure.

Sync says whether the cluster holds what Git says; health says whether what the cluster holds works. A unit that was not
looked at for three of its intervals has neither: old facts never look good. Times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from weir.flow.reporting import NO_ARTIFACT, NOT_BUILT, NOT_READY, SUCCEEDED
from weir.spec.identity import ObjectId, UnitId
from weir.spec.kinds import IMAGE_AUTOMATION, IMAGE_POLICY
from weir.spec.record import CANCELED, UNHEALTHY, Condition, HistoryEntry, UnitRecord

PATIENCE: Final = 3.0
"""Intervals after which a unit's states count no more."""
WAITING: Final = "waiting to be reconciled"
"""Flux's message for a unit without a Ready condition."""
_APPLIED: Final = ("Kustomization", "HelmRelease")
_HEALTH_REASONS: Final = (UNHEALTHY, CANCELED)
_NOT_BEGUN: Final = (NO_ARTIFACT, NOT_BUILT, NOT_READY)
"""Reasons of a unit that a run did not begin to apply: what an earlier one applied is as that one left it."""


class Sync(StrEnum):
    """Whether the cluster holds what Git says."""

    SYNCED = "Synced"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"


class Health(StrEnum):
    """Whether what the cluster holds works."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    SUSPENDED = "Suspended"
    MISSING = "Missing"
    UNKNOWN = "Unknown"


class Finding(StrEnum):
    """What is not as it should be with one object."""

    DRIFTED = "drifted"
    MISSING = "missing"
    PROGRESSING = "not ready yet"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ObjectNote:
    """One finding, and in a few words what it is: the field that drifted, or why the object is not ready."""

    finding: Finding
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectView:
    """One object that a unit owns."""

    id: ObjectId
    version: str
    """API version without group."""
    notes: tuple[ObjectNote, ...] = ()
    """Findings; none when it is as it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the loop knows about a unit beside its record."""

    interval: float
    """Seconds between two looks."""
    checked: float | None = None
    """When it was last looked at with success; None when never."""
    due: float | None = None
    """When it is looked at next; None when nobody plans to."""
    wanted: str = ""
    """The revision that Git has now; empty when that is not known."""
    behind: bool = False
    """Whether what Git says differs from what was applied; health does not count."""
    error: str = ""
    """Why the unit cannot be resolved or rendered at present."""
    dependencies: tuple[UnitId, ...] = ()
    notes: Mapping[ObjectId, tuple[ObjectNote, ...]] = field(default_factory=dict)
    """Findings about objects; those without one are as they should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitView:
    """One unit as people see it."""

    id: UnitId
    source: UnitId | None
    revision: str
    """Last applied."""
    attempted: str
    """Last attempted."""
    wanted: str
    """What Git has now; empty when that is not known."""
    error: str
    """Why the unit cannot be resolved or rendered at present."""
    behind: bool
    """Whether what Git says differs from what was applied."""
    held: str
    """Who suspended the unit by hand, when and why; empty when nobody did."""
    ready: Condition | None
    suspended: bool
    sync: Sync
    health: Health
    objects: tuple[ObjectView, ...]
    history: tuple[HistoryEntry, ...]
    interval: float
    checked: float | None
    due: float | None
    dependencies: tuple[UnitId, ...]

    @property
    def message(self) -> str:
        """What is wrong now, who suspended the unit, else the Ready condition's message."""
        if self.held:
            return f"suspended by {self.held}"
        ready = self.ready.message if self.ready else WAITING
        return self.error or (ready if self.failed else self._finding) or ready

    @property
    def noted(self) -> tuple[ObjectView, ...]:
        """The objects with findings."""
        return tuple(one for one in self.objects if one.notes)

    @property
    def _finding(self) -> str:
        """The first object's findings, and how many objects more have some; empty when none has."""
        noted = self.noted
        if not noted:
            return ""
        found = "; ".join(f"{note.finding.value}: {note.text}" for note in noted[0].notes)
        more = f"; and {len(noted) - 1} more of its objects" if len(noted) > 1 else ""
        return f"{noted[0].id} {found}{more}"

    @property
    def failed(self) -> bool:
        """Whether the last run of the unit went wrong, or the next one would."""
        return bool(self.error) or (self.ready is not None and self.ready.status == "False")

    def aged(self, now: float) -> UnitView:
        """The same at a later time: both states are unknown once the facts are too old. Suspension is no finding."""
        if self.checked is not None and now - self.checked <= PATIENCE * self.interval:
            return self
        health = self.health if self.health is Health.SUSPENDED else Health.UNKNOWN
        return replace(self, sync=Sync.UNKNOWN, health=health)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackView:
    """One stack as people see it."""

    stack: str
    leader: str
    """Who keeps the stack converged; empty when nobody does."""
    at: float
    """When the facts were read from the cluster; 0 before the first look."""
    units: tuple[UnitView, ...]
    """By kind, namespace and name."""
    unsynced_since: float | None
    """Since when not everything is synced; None while everything is."""
    problems: tuple[str, ...] = ()
    """What could not be read, and why no look succeeds: there may be more than the units show."""

    @property
    def settled(self) -> bool:
        """Whether there is something, all of it is synced, and nothing could not be read."""
        return bool(self.units) and not self.problems and all(unit.sync is Sync.SYNCED for unit in self.units)

    @property
    def image_policies(self) -> tuple[UnitView, ...]:
        """What was chosen for images."""
        return tuple(unit for unit in self.units if unit.id.kind == IMAGE_POLICY)

    @property
    def image_automations(self) -> tuple[UnitView, ...]:
        """What writes chosen images to Git."""
        return tuple(unit for unit in self.units if unit.id.kind == IMAGE_AUTOMATION)

    def age(self, now: float) -> float | None:
        """Seconds since the facts were read; None before the first look."""
        return max(now - self.at, 0.0) if self.at else None

    def aged(self, now: float) -> StackView:
        """The same at a later time."""
        return replace(self, units=tuple(unit.aged(now) for unit in self.units))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the cluster tells about a stack."""

    stack: str
    leader: str
    """Who keeps it converged; empty when nobody does."""
    at: float
    """When the records were read; 0 before the first look."""
    records: Sequence[UnitRecord]
    problems: tuple[str, ...] = ()
    """Of the looks at what Git says."""


def view_of(
    known: Known, watched: Mapping[UnitId, Watched], now: float, before: StackView | None = None
) -> StackView:
    """The stack as the cluster and the loop tell it.

    Units that are watched and have no record yet are missing, not absent. `before` is the view that this one follows.
    """
    records = {record.id: record for record in known.records}
    units = [
        _unit(records.get(unit) or UnitRecord(id=unit, stack=known.stack), watched.get(unit), known.at).aged(
            now
        )
        for unit in sorted({*records, *watched})
    ]
    settled = not known.problems and all(unit.sync is Sync.SYNCED for unit in units)
    since = before.unsynced_since if before else None
    return StackView(
        stack=known.stack,
        leader=known.leader,
        at=known.at,
        units=tuple(units),
        unsynced_since=None if settled else since or now,
        problems=known.problems,
    )


def source_of(record: UnitRecord) -> UnitId | None:
    """The unit that a record names as its source."""
    parts = record.source.split("/")
    return UnitId(*parts) if len(parts) == 3 and all(parts) else None  # noqa: PLR2004 - kind, namespace, name


def _unit(record: UnitRecord, seen: Watched | None, at: float) -> UnitView:
    """One unit, whatever its age. Facts are as old as the oldest of them: the look, or the record."""
    watched = seen or Watched(interval=0.0)
    objects = tuple(
        ObjectView(id=item, version=version, notes=watched.notes.get(item, ()))
        for item, version in record.inventory
    )
    checked = None if watched.checked is None else min(watched.checked, at)
    return UnitView(
        id=record.id,
        source=source_of(record),
        revision=record.revision,
        attempted=record.attempted,
        wanted=watched.wanted,
        error=watched.error,
        behind=watched.behind,
        held=record.held,
        ready=record.ready,
        suspended=record.suspended,
        sync=_sync(record, watched),
        health=_health(record, watched),
        objects=objects,
        history=record.history,
        interval=watched.interval,
        checked=checked,
        due=watched.due,
        dependencies=watched.dependencies,
    )


def _sync(record: UnitRecord, watched: Watched) -> Sync:
    """A unit that cannot be read from Git may or may not have moved; one that is known to be off is off."""
    ready = record.ready
    tried = ready is not None and ready.reason not in (*_HEALTH_REASONS, *_NOT_BEGUN)
    failed = ready is not None and ready.status == "False" and (tried or record.id.kind not in _APPLIED)
    if record.id.kind in _APPLIED:
        off = failed or not record.revision or record.attempted != record.revision or _is_off(record, watched)
        unread = bool(watched.error)
    else:
        unread = failed or ready is None or bool(watched.error)
        off = not unread and _is_off(record, watched)
    if off:
        return Sync.OUT_OF_SYNC
    return Sync.UNKNOWN if unread else Sync.SYNCED


def _is_off(record: UnitRecord, watched: Watched) -> bool:
    """Whether the loop knows of a difference between Git and the cluster."""
    findings = _findings(watched)
    moved = watched.behind or watched.wanted not in ("", record.revision)
    return moved or not findings.isdisjoint({Finding.DRIFTED, Finding.MISSING})


def _findings(watched: Watched) -> set[Finding]:
    return {note.finding for notes in watched.notes.values() for note in notes}


def _health(record: UnitRecord, watched: Watched) -> Health:
    if record.suspended:
        return Health.SUSPENDED
    findings = _findings(watched)
    for finding, health in _WORST_FIRST.items():
        if finding in findings:
            return health
    if record.ready is None:
        return Health.MISSING
    if record.ready.status == "False":
        return _health_of_failed(record, record.ready)
    return Health.HEALTHY if record.ready.status == "True" else Health.PROGRESSING


def _health_of_failed(record: UnitRecord, ready: Condition) -> Health:
    """A run that failed before it could look at health says nothing about what an earlier run applied."""
    reason = record.history[0].status if ready.reason in _NOT_BEGUN and record.history else ready.reason
    if record.id.kind not in _APPLIED or reason in _HEALTH_REASONS:
        return Health.DEGRADED
    if reason == SUCCEEDED:
        return Health.HEALTHY
    return Health.UNKNOWN if record.revision else Health.MISSING


_WORST_FIRST: Final = {
    Finding.FAILED: Health.DEGRADED,
    Finding.MISSING: Health.MISSING,
    Finding.PROGRESSING: Health.PROGRESSING,
}
