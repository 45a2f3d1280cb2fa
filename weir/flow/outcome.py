"""What one run found out about its units, ready to be registered, planned or shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.git_repository import GitRepositorySpec, parse_git_repository
from weir.spec.identity import ObjectId, UnitId
from weir.spec.kustomization import KustomizationSpec, parse_kustomization

if TYPE_CHECKING:
    from weir.spec.image_automation import ImageAutomationSpec
    from weir.spec.image_policy import ImagePolicySpec


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
    subject: str = ""
    """First line of the commit's message; empty when nothing was fetched."""
    automates: bool = False
    """Whether what it holds may declare an ImageUpdateAutomation. Known to the run that resolved it only."""

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
    reason: str = ""
    """Of the condition Ready, for an error of this unit alone."""
    warnings: tuple[str, ...] = ()
    secret_ids: frozenset[ObjectId] = frozenset()
    """Objects that hold values of secrets, although they may not be of kind Secret."""
    parent: str = ""
    """The unit that rendered this unit's document, empty for the stack's own."""
    children: tuple[UnitId, ...] = ()
    """The sources and units that it waits for, by spec.wait, as they are part of what it renders."""
    variables: dict[str, str] = field(default_factory=dict)
    """Stack outputs used in substitution, secret ones left out."""
    seconds: float = 0.0

    @property
    def id(self) -> UnitId:
        """The unit."""
        return self.spec.id


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyOutcome:
    """One ImagePolicy after its repository was scanned: the image it chose, or why there is none."""

    spec: ImagePolicySpec
    document: Document
    image: str = ""
    """`name:tag`, with `@digest` when the policy reflects it; during an outage, the last one."""
    reason: str = ""
    """What is not as usual with the choice: one sentence."""
    error: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def id(self) -> UnitId:
        """The unit."""
        return self.spec.id


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationOutcome:
    """One ImageUpdateAutomation after its repository was edited: the commit that it pushes, or why there is none."""

    spec: ImageAutomationSpec
    document: Document
    commit: str = ""
    """The commit that is built and not pushed yet; empty when nothing is to be written."""
    branch: str = ""
    """Where it goes."""
    changes: tuple[str, ...] = ()
    """One line for each move: `flux-system:podinfo  podinfo:6.5.0 -> podinfo:6.5.1  (2 places)`."""
    diff: str = ""
    """The commit as a unified diff, values of Secrets masked."""
    pending: dict[str, Any] = field(default_factory=dict)
    """What the push needs to know, in JSON; empty when another automation's push carries the commit."""
    proposal: str = ""
    """The commit that a pull request is to be open for, pushed already or not; empty when none is asked for."""
    before: dict[str, Any] = field(default_factory=dict)
    """The source as it is without the commit, encoded; empty when the source does not follow the branch."""
    error: str = ""
    warnings: tuple[str, ...] = ()
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


Certain = SourceOutcome | UnitOutcome | PolicyOutcome | AutomationOutcome
Outcome = Certain | Problem


def encode(outcome: Outcome) -> dict[str, Any]:
    """A JSON value that `decode` reads back."""
    if isinstance(outcome, Problem):
        return {"problem": [outcome.subject, outcome.message]}
    document = outcome.document
    common = {
        "document": [document.file, document.index, document.data, document.confidential],
        "suspend": outcome.spec.suspend,
        "error": outcome.error,
        "warnings": outcome.warnings,
        "seconds": outcome.seconds,
    }
    match outcome:
        case SourceOutcome():
            artifact = outcome.artifact.as_props() if outcome.artifact else None
            return {"source": artifact, "verified": outcome.verified, "subject": outcome.subject, **common}
        case PolicyOutcome():
            return {"policy": {"image": outcome.image, "reason": outcome.reason}, **common}
        case AutomationOutcome():
            return {"automation": {name: getattr(outcome, name) for name in _PUSHED}, **common}
        case UnitOutcome():
            return {
                "unit": {name: getattr(outcome, name) for name in ("revision", "digest", "reason")},
                "secrets": [item.entry for item in sorted(outcome.secret_ids)],
                "parent": outcome.parent,
                "children": [str(child) for child in outcome.children],
                "variables": outcome.variables,
                **common,
            }


_PUSHED: Final = ("commit", "branch", "changes", "diff", "pending", "proposal", "before")


def held(outcome: Certain) -> bool:
    """Whether the unit is suspended by hand, and not by its spec."""
    return outcome.spec.suspend and not outcome.document.data["spec"].get("suspend")


def decode(value: dict[str, Any]) -> Outcome:
    """The outcome that `encode` wrote."""
    if "problem" in value:
        return Problem(*value["problem"])
    found = _decode(value)
    if value["suspend"] == found.spec.suspend:
        return found
    return replace(found, spec=replace(found.spec, suspend=value["suspend"]))  # type: ignore[arg-type]


def _decode(value: dict[str, Any]) -> Certain:
    document = Document(*value["document"])
    common = {
        "document": document,
        "error": value["error"],
        "warnings": tuple(value["warnings"]),
        "seconds": value["seconds"],
    }
    if "source" in value:
        artifact = Artifact(**value["source"]) if value["source"] else None
        return SourceOutcome(
            spec=parse_git_repository(document),
            artifact=artifact,
            verified=value["verified"],
            subject=value["subject"],
            **common,
        )
    if "policy" in value:
        from weir.spec.image_policy import parse_image_policy

        return PolicyOutcome(spec=parse_image_policy(document), **value["policy"], **common)
    if "automation" in value:
        from weir.spec.image_automation import parse_image_automation

        found = {**value["automation"], "changes": tuple(value["automation"]["changes"])}
        return AutomationOutcome(spec=parse_image_automation(document), **found, **common)
    return UnitOutcome(
        spec=parse_kustomization(document),
        secret_ids=frozenset(ObjectId.from_entry(entry) for entry in value["secrets"]),
        parent=value["parent"],
        children=tuple(map(UnitId.parse, value["children"])),
        variables=value["variables"],
        **value["unit"],
        **common,
    )
