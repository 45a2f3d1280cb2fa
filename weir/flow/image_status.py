"""What image policies choose now, and when repositories were last scanned. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from weir.flow.image_list import chosen_images
from weir.flow.image_work import ImageWorker
from weir.flow.images import Registries
from weir.flow.look import Present
from weir.flow.outcome import PolicyOutcome
from weir.flow.tree import Declared
from weir.spec.errors import StopRequested, WeirError
from weir.spec.identity import UnitId
from weir.spec.image_policy import ImagePolicySpec
from weir.spec.image_repository import ImageRepositorySpec

_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatus:
    """An ImagePolicy: what is in use and what it chooses."""

    id: UnitId
    repository: UnitId
    in_use: str
    """What it chose at the last run; empty before the first."""
    chosen: str
    """What it chooses now; empty when that is nothing."""
    reason: str
    """What is not as usual: a tag that waits, that is gone, or that would mean going back."""
    warnings: tuple[str, ...]
    """Such as a tag that was pushed again with other content."""
    error: str
    suspended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryStatus:
    """An ImageRepository as this machine knows it."""

    id: UnitId
    image: str
    suspended: bool
    scanned: float | None
    """When its tags were last read, in epoch seconds."""
    tags: int
    """How many there were."""
    error: str


def policy_status(present: Present) -> Sequence[PolicyStatus]:
    """All policies of a stack, asked now. Raises ClusterError when it is not known what is in use."""
    session = present.session
    worker = ImageWorker(session.config, session.clusters, session.store)
    repositories = {spec.id: spec for spec in present.specs(ImageRepositorySpec)}
    in_use = chosen_images(session.clusters)

    def ask(declared: Declared) -> PolicyStatus:
        return status_of(worker.policy(declared, repositories).outcome, in_use.get(declared.spec.id, ""))

    declared = [present.units[spec.id] for spec in present.specs(ImagePolicySpec)]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="policies") as pool:
        return list(pool.map(ask, declared))


def status_of(outcome: PolicyOutcome, in_use: str) -> PolicyStatus:
    """A policy's outcome beside what is in use."""
    return PolicyStatus(
        id=outcome.id,
        repository=outcome.spec.repository,
        in_use=in_use,
        chosen=outcome.image,
        reason=outcome.reason,
        warnings=outcome.warnings,
        error=outcome.error,
        suspended=outcome.spec.suspend,
    )


def repository_status(present: Present) -> Sequence[RepositoryStatus]:
    """All image repositories of a stack, by the tags that were last read; no registry is asked."""
    registries = Registries(present.session.clusters)
    return [_last_scan(registries, spec) for spec in present.specs(ImageRepositorySpec)]


def _last_scan(registries: Registries, spec: ImageRepositorySpec) -> RepositoryStatus:
    status = RepositoryStatus(
        id=spec.id, image=spec.image, suspended=spec.suspend, scanned=None, tags=0, error=""
    )
    try:
        scan = registries.scan(replace(spec, suspend=True))
    except StopRequested:
        raise
    except WeirError as err:
        return replace(status, error=str(err))
    return replace(status, scanned=scan.at, tags=len(scan.tags))
