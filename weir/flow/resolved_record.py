"""The status of units that are resolved and not applied, in the cluster beside the others' records, for `weir get`."""

from __future__ import annotations

from datetime import UTC, datetime

from weir.flow.reporting import NOT_READY, stamp
from weir.spec.identity import UnitId
from weir.spec.record import Condition, UnitRecord


def source_record(
    unit: UnitId, stack: str, *, revision: str, digest: str, error: str, suspended: bool
) -> UnitRecord:
    """The record of a source after a run."""
    ready = _ready(error, "GitOperationFailed", f"stored artifact for revision '{revision}'")
    return _record(unit, stack, ready, revision=revision, digest=digest, suspended=suspended)


def policy_record(
    unit: UnitId, stack: str, *, repository: str, image: str, reason: str, error: str, suspended: bool
) -> UnitRecord:
    """The record of an ImagePolicy after a run; `image` is what it chose, its revision."""
    told = "; ".join(filter(None, (latest_image(image) if image else "", reason)))
    ready = _ready(error, NOT_READY, told)
    return _record(unit, stack, ready, source=repository, revision=image, suspended=suspended)


def latest_image(image: str) -> str:
    """What a policy chose, in Flux's words; `image` is `registry/repository:tag`, maybe with a digest."""
    rest, _, digest = image.partition("@")
    name, _, tag = rest.rpartition(":")
    return f"Latest image tag for {name} resolved to {tag}" + (f" with digest {digest}" if digest else "")


def automation_record(
    unit: UnitId, stack: str, *, source: str, revision: str, error: str, suspended: bool
) -> UnitRecord:
    """The record of an ImageUpdateAutomation after a run; `revision` is what it pushed last, `branch@sha1:commit`."""
    told = f"pushed commit {revision}" if revision else "repository up-to-date"
    ready = _ready(error, "GitOperationFailed", told)
    return _record(unit, stack, ready, source=source, revision=revision, suspended=suspended)


def _record(
    unit: UnitId,
    stack: str,
    ready: Condition,
    *,
    source: str = "",
    revision: str,
    digest: str = "",
    suspended: bool,
) -> UnitRecord:
    return UnitRecord(
        id=unit,
        stack=stack,
        source=source,
        revision=revision,
        attempted=revision,
        digest=digest,
        suspended=suspended,
        ready=ready,
    )


def _ready(error: str, failed: str, told: str) -> Condition:
    """In Flux's words: Succeeded and what is told, or the reason `failed` and the error."""
    return Condition(
        status="False" if error else "True",
        reason=failed if error else "Succeeded",
        message=error or told,
        at=stamp(datetime.now(UTC)),
    )
