"""The status of image policies and automations in the cluster, beside the units' records, for `weir get images`."""

from __future__ import annotations

from datetime import UTC, datetime

from weir.spec.identity import UnitId
from weir.spec.record import Condition, UnitRecord


def policy_record(
    unit: UnitId, stack: str, *, repository: str, image: str, reason: str, error: str, suspended: bool
) -> UnitRecord:
    """The record of an ImagePolicy after a run; `image` is what it chose, its revision."""
    message = error or "; ".join(filter(None, (f"Latest image is {image}" if image else "", reason)))
    return UnitRecord(
        id=unit,
        stack=stack,
        source=repository,
        revision=image,
        attempted=image,
        suspended=suspended,
        ready=_ready(message, failed="DependencyNotReady" if error else ""),
    )


def automation_record(
    unit: UnitId, stack: str, *, source: str, revision: str, error: str, suspended: bool
) -> UnitRecord:
    """The record of an ImageUpdateAutomation after a run; `revision` is what it pushed last, `branch@sha1:commit`."""
    message = error or (f"pushed commit {revision}" if revision else "repository up-to-date")
    return UnitRecord(
        id=unit,
        stack=stack,
        source=source,
        revision=revision,
        attempted=revision,
        suspended=suspended,
        ready=_ready(message, failed="GitOperationFailed" if error else ""),
    )


def _ready(message: str, *, failed: str) -> Condition:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Condition(
        status="False" if failed else "True", reason=failed or "Succeeded", message=message, at=now
    )
