"""How a run went, as the record keeps it: condition, history, and what an unchanged result need not write."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from weir.spec.errors import (
    ArtifactError,
    ClusterError,
    GuardError,
    HealthError,
    PathError,
    SourceError,
    SpecError,
    StopRequested,
    WeirError,
)
from weir.spec.record import CANCELED, UNHEALTHY, Condition, HistoryEntry, UnitRecord

SUCCEEDED: Final = "ReconciliationSucceeded"
FAILED: Final = "ReconciliationFailed"
NO_ARTIFACT: Final = "ArtifactFailed"
NOT_BUILT: Final = "BuildFailed"
NOT_READY: Final = "DependencyNotReady"
_KEPT: Final = 5
"""Results in the history, as in Kustomization status.history."""
_LONGEST: Final = 4000


class PruneError(ClusterError):
    """Owned objects could not be deleted; they stay in the inventory."""


def reason_of(err: WeirError, *, waiting: bool) -> str:
    """Flux's reason for an error."""
    if isinstance(err, PruneError | GuardError):
        return "PruneFailed"
    if waiting:
        return CANCELED if isinstance(err, StopRequested) else UNHEALTHY
    return UNHEALTHY if isinstance(err, HealthError) else FAILED


def reason_unrendered(err: Exception) -> str:
    """Flux's reason for an error that kept a unit from being rendered."""
    if isinstance(err, SourceError | ArtifactError | PathError):
        return NO_ARTIFACT
    return FAILED if isinstance(err, ClusterError | SpecError) else NOT_BUILT


def condition(old: UnitRecord | None, status: str, reason: str, message: str, now: datetime) -> Condition:
    """The Ready condition; its time is that of the last change of status or reason."""
    text = message if len(message) <= _LONGEST else message[: _LONGEST - 3] + "..."
    before = old.ready if old else None
    same = before is not None and (before.status, before.reason) == (status, reason)
    return Condition(
        status=status, reason=reason, message=text, at=before.at if before and same else stamp(now)
    )


def with_result(record: UnitRecord, began: datetime, seconds: float) -> UnitRecord:
    """The record with this result in its history: counted when it repeats the last one, else put first."""
    status = record.ready.reason if record.ready else ""
    latest = record.history[0] if record.history else None
    entry = HistoryEntry(
        revision=record.attempted,
        digest=record.digest,
        status=status,
        count=1,
        started=stamp(began),
        duration=round(seconds, 3),
    )
    if latest and (latest.digest, latest.status, latest.revision) == (entry.digest, status, entry.revision):
        return replace(record, history=(replace(entry, count=latest.count + 1), *record.history[1:]))
    return replace(record, history=(entry, *record.history)[:_KEPT])


def says_the_same(old: UnitRecord | None, new: UnitRecord) -> bool:
    """Whether two records differ in nothing but their history."""
    return old is not None and replace(old, history=()) == replace(new, history=())


def stamp(now: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
