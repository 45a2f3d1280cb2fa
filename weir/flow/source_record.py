"""A source's status in the cluster, beside the units' records, for `weir get sources`."""

from __future__ import annotations

from datetime import UTC, datetime

from weir.spec.identity import UnitId
from weir.spec.record import Condition, UnitRecord


def source_record(
    unit: UnitId, stack: str, *, revision: str, digest: str, error: str, suspended: bool
) -> UnitRecord:
    """The record of a source after a run, in Flux's words (reasons Succeeded and GitOperationFailed)."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    message = error or f"stored artifact for revision '{revision}'"
    ready = Condition(
        status="False" if error else "True",
        reason="GitOperationFailed" if error else "Succeeded",
        message=message,
        at=now,
    )
    return UnitRecord(
        id=unit,
        stack=stack,
        revision=revision,
        attempted=revision,
        digest=digest,
        suspended=suspended,
        ready=ready,
    )
