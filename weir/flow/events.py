"""Which events the results of a run give. Pure: what changed and what failed is told, a run without news gives none.

Rule: https://fluxcd.io/flux/components/kustomize/kustomizations/#events and its like for the other kinds. What changed
in one unit is one event, so that a commit is green only when everything it changed is applied and healthy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from weir.flow.reporting import SUCCEEDED
from weir.flow.resolved_record import latest_image
from weir.spec import kinds
from weir.spec.changes import Action, ObjectChange
from weir.spec.documents import Document
from weir.spec.errors import StopRequested, WeirError
from weir.spec.event import ANNOTATION, Event, Severity
from weir.spec.header import read_header
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import UNHEALTHY, Condition, UnitRecord

if TYPE_CHECKING:
    from weir.flow.apply import UnitResult

COMMIT_STATUS: Final = "commit_status"
"""Metadata key of an event that only the status of a commit follows: nothing changed but the revision."""
UPDATE: Final = "update"
NAMED: Final = 50
"""Objects named in one event."""
LONGEST: Final = 4000
"""Characters of a message."""

_WORDS: Final = {
    Action.CREATE: "created",
    Action.RECREATE: "created",
    Action.CONFIGURE: "configured",
    Action.ADOPT: "configured",
    Action.DELETE: "deleted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The unit that events are about."""

    unit: UnitId
    stack: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    """Those that become metadata of its events, by their full names."""

    def event(
        self,
        reason: str,
        message: str,
        at: str,
        *,
        revision: str = "",
        severity: Severity = Severity.INFO,
        more: Mapping[str, str] | None = None,
    ) -> Event:
        """An event of the unit; `more` is further metadata."""
        text = message if len(message) <= LONGEST else message[: LONGEST - 3] + "..."
        known = {"revision": revision} if revision else {}
        return Event(
            unit=self.unit,
            severity=severity,
            reason=reason,
            message=text,
            at=at,
            stack=self.stack,
            metadata={**self.annotations, **(more or {}), **known},
        )


def about(document: Document, stack: str) -> About:
    """The unit that a document declares. Raises SpecError."""
    header = read_header(document)
    told = {key: text for key, text in header.annotations.items() if key.startswith(ANNOTATION)}
    return About(unit=header.id, stack=stack, labels=header.labels, annotations=told)


def about_record(record: UnitRecord) -> About:
    """The unit of a record; without labels when the record holds no readable document."""
    try:
        return about(Document(f"record of {record.id}", 0, orjson.loads(record.document)), record.stack)
    except (WeirError, ValueError):
        return About(unit=record.id, stack=record.stack, labels={}, annotations={})


def unit_events(unit: About, result: UnitResult, at: str) -> tuple[Event, ...]:
    """What the apply of a unit gives: what it changed, why it failed, that it is well again, or nothing."""
    ready, before, revision = result.condition, result.before, result.record.attempted
    if isinstance(result.error, StopRequested) or result.record.suspended:
        return ()
    if result.error is not None:
        severity = Severity.ERROR
        return (unit.event(ready.reason, ready.message, at, revision=revision, severity=severity),)
    if changed := change_lines(result.changeset.changes):
        return (unit.event(SUCCEEDED, changed, at, revision=revision),)
    if before is None or before.ready is None or before.ready.status != "True":
        return (unit.event(SUCCEEDED, _well_again(before), at, revision=revision),)
    if before.revision != revision:
        more = {COMMIT_STATUS: UPDATE}
        return (unit.event(SUCCEEDED, ready.message, at, revision=revision, more=more),)
    return ()


def _well_again(before: UnitRecord | None) -> str:
    failed = before.ready.reason if before and before.ready else ""
    return "Health check passed" if failed.startswith("HealthCheck") else "Reconciliation finished"


def removal_event(unit: About, changes: Sequence[ObjectChange], at: str, *, revision: str) -> Event:
    """That a unit was removed, and what went with it."""
    gone = change_lines(changes) or "no object was deleted"
    return unit.event(SUCCEEDED, f"{unit.unit} was removed\n{gone}", at, revision=revision)


def failure_event(unit: About, reason: str, message: str, at: str, *, revision: str = "") -> Event:
    """That something failed before the apply could say why, or in the removal of a unit."""
    return unit.event(reason, message, at, revision=revision, severity=Severity.ERROR)


def drift_event(unit: About, text: str, at: str, *, revision: str, corrected: bool) -> Event:
    """That an object drifted: `text` names it and its fields. The watcher corrected it, or only tells."""
    return unit.event("DriftCorrected" if corrected else "DriftDetected", text, at, revision=revision)


def drift_refused_event(unit: About, text: str, at: str, *, revision: str) -> Event:
    """That the watcher was not let correct an object that drifted: `text` names it and says by what."""
    return unit.event("DriftCorrectionFailed", text, at, revision=revision, severity=Severity.ERROR)


def health_lost_event(unit: About, lost: Mapping[ObjectId, str], at: str, *, revision: str) -> Event:
    """That objects of the unit are not healthy any more, and why; in the words of a health check that failed."""
    told = _bounded([f"{item} is not healthy any more: {text}" for item, text in lost.items()])
    return unit.event(UNHEALTHY, told, at, revision=revision, severity=Severity.ERROR)


def health_regained_event(unit: About, regained: Sequence[ObjectId], at: str, *, revision: str) -> Event:
    """That the objects are healthy again which were told of as lost."""
    return unit.event(
        SUCCEEDED, _bounded([f"{item} is healthy again" for item in regained]), at, revision=revision
    )


def change_lines(changes: Sequence[ObjectChange]) -> str:
    """`Kind/namespace/name created` and so on, a line for each object that was written, and how many are left out."""
    return _bounded([f"{change.id} {_WORDS[change.action]}" for change in changes if change.action in _WORDS])


def _bounded(lines: Sequence[str]) -> str:
    more = [f"... and {len(lines) - NAMED} more"] if len(lines) > NAMED else []
    return "\n".join([*lines[:NAMED], *more])


def resolved_events(
    unit: About, before: Mapping[str, str], after: Mapping[str, str], ready: Condition, subject: str = ""
) -> tuple[Event, ...]:
    """What a source, an image policy or an automation gives, from the texts that are kept of it between runs.

    `subject` is the first line of a source's new commit.
    """
    at, revision = ready.at, after.get("revision", "")
    if after["error"]:
        if after["error"] == before.get("error"):
            return ()
        return (failure_event(unit, ready.reason, after["error"], at, revision=revision),)
    yields = _YIELDS[unit.unit.kind]
    if after[yields] and any(after.get(key) != before.get(key) for key in (yields, "digest")):
        reason, message = _yielded(unit.unit.kind, before, after, ready, subject)
        return (unit.event(reason, message, at, revision=revision),)
    if before.get("error"):
        return (unit.event(ready.reason, ready.message, at, revision=revision),)
    return ()


_YIELDS: Final = {
    "GitRepository": "revision",
    kinds.IMAGE_POLICY: "image",
    kinds.IMAGE_AUTOMATION: "revision",
}
"""By kind, what it is there for."""


def _yielded(
    kind: str, before: Mapping[str, str], after: Mapping[str, str], ready: Condition, subject: str
) -> tuple[str, str]:
    """Reason and message, in Flux's words."""
    if kind == "GitRepository":
        return "NewArtifact", f"stored artifact for commit '{subject}'" if subject else ready.message
    if kind == kinds.IMAGE_POLICY:
        told = latest_image(after["image"])
        return ready.reason, f"{told} (previously {before['image']})" if before.get("image") else told
    request = after.get("pull_request", "")
    return ready.reason, f"{ready.message}\npull request: {request}" if request else ready.message
