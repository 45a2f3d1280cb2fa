"""What one run found out about its units, ready to be registered, planned or shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.git_repository import GitRepositorySpec, parse_git_repository
from weir.spec.identity import ObjectId, UnitId
from weir.spec.kustomization import KustomizationSpec, parse_kustomization


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOutcome:
    """One source after resolving: its artifact, or why there is none."""

    spec: GitRepositorySpec
    document: Document
    artifact: Artifact | None
    """The last good one when this run could not resolve (then `error` says why)."""
    error: str = ""
    verified: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def id(self) -> UnitId:
        """The unit."""
        return self.spec.id


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitOutcome:
    """One Kustomization after rendering: the digest of its objects, or why there are none."""

    spec: KustomizationSpec
    document: Document
    revision: str = ""
    digest: str = ""
    """`sha256:<hex>` of the rendered objects, empty when there are none."""
    error: str = ""
    warnings: tuple[str, ...] = ()
    secret_ids: frozenset[ObjectId] = frozenset()
    """Objects that hold values of secrets, although they may not be of kind Secret."""
    parent: str = ""
    """The unit that rendered this unit's document, empty for the stack's own."""
    variables: dict[str, str] = field(default_factory=dict)
    """Stack outputs used in substitution, secret ones left out."""
    seconds: float = 0.0

    @property
    def id(self) -> UnitId:
        """The unit."""
        return self.spec.id


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps the tree from being complete: nothing may be removed in such a run."""

    subject: str
    message: str


Outcome = SourceOutcome | UnitOutcome | Problem


def encode(outcome: Outcome) -> dict[str, Any]:
    """A JSON value that `decode` reads back."""
    if isinstance(outcome, Problem):
        return {"problem": [outcome.subject, outcome.message]}
    document = [outcome.document.file, outcome.document.index, outcome.document.data]
    common = {
        "document": document,
        "error": outcome.error,
        "warnings": outcome.warnings,
        "seconds": outcome.seconds,
    }
    if isinstance(outcome, SourceOutcome):
        artifact = outcome.artifact.as_props() if outcome.artifact else None
        return {"source": artifact, "verified": outcome.verified, **common}
    return {
        "unit": {"revision": outcome.revision, "digest": outcome.digest},
        "secrets": [item.entry for item in sorted(outcome.secret_ids)],
        "parent": outcome.parent,
        "variables": outcome.variables,
        **common,
    }


def decode(value: dict[str, Any]) -> Outcome:
    """The outcome that `encode` wrote."""
    if "problem" in value:
        return Problem(*value["problem"])
    document = Document(*value["document"])
    common = {
        "document": document,
        "error": value["error"],
        "warnings": tuple(value["warnings"]),
        "seconds": value["seconds"],
    }
    if "unit" not in value:
        artifact = Artifact(**value["source"]) if value["source"] else None
        return SourceOutcome(
            spec=parse_git_repository(document), artifact=artifact, verified=value["verified"], **common
        )
    return UnitOutcome(
        spec=parse_kustomization(document),
        secret_ids=frozenset(ObjectId.from_entry(entry) for entry in value["secrets"]),
        parent=value["parent"],
        variables=value["variables"],
        **value["unit"],
        **common,
    )
