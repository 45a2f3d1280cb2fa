"""The tree of units while it grows: documents become units, units render further documents, to any depth."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from weir.flow.outcome import Problem
from weir.spec import kinds
from weir.spec.confidential import open_text
from weir.spec.documents import Document
from weir.spec.errors import SpecError, WeirError
from weir.spec.git_repository import GitRepositorySpec, parse_git_repository
from weir.spec.header import FLUX_KINDS, read_header
from weir.spec.identity import UnitId
from weir.spec.kustomization import KustomizationSpec, check_references, parse_kustomization

if TYPE_CHECKING:
    from weir.spec.image_automation import ImageAutomationSpec
    from weir.spec.image_policy import ImagePolicySpec
    from weir.spec.image_repository import ImageRepositorySpec

    Spec = GitRepositorySpec | KustomizationSpec | ImageRepositorySpec | ImagePolicySpec | ImageAutomationSpec

LIMIT = 10_000
"""Units in one stack."""
NOTICES: Final = ("Alert", "Provider", "Receiver")
"""Kinds of Flux's notification group. They are no units: whoever delivers or listens reads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A unit's document and who declared it."""

    spec: Spec
    document: Document
    parent: str

    @property
    def acted_on(self) -> Document:
        """The document as this run goes by it: suspended by hand is suspended."""
        body = self.document.data["spec"]
        if self.spec.suspend == bool(body.get("suspend")):
            return self.document
        return replace(self.document, data={**self.document.data, "spec": {**body, "suspend": True}})


@dataclass(slots=True)
class UnitTree:
    """Every unit declared so far, each once, and every problem met."""

    units: dict[UnitId, Declared] = field(default_factory=dict)
    held: frozenset[UnitId] = frozenset()
    """Units that are suspended by hand, in the cluster: to this run their specs say so."""
    problems: list[Problem] = field(default_factory=list)
    unsupported: dict[UnitId, str] = field(default_factory=dict)
    """Flux kinds that this version does not act on: unit -> where it was declared."""
    notices: dict[UnitId, Document] = field(default_factory=dict)
    """Alerts, Providers and Receivers, as they are declared: unread, so that most stacks pay nothing for them."""
    _children: dict[str, dict[UnitId, None]] = field(default_factory=dict)
    """The units that each declared, in order."""

    def declare(self, documents: Iterable[Document], parent: str = "") -> list[Declared]:
        """Add documents; new units come back. A bad document is a problem and leaves the others alone."""
        fresh = []
        for document in documents:
            try:
                declared = self._add(document, parent)
            except WeirError as err:
                self.problems.append(Problem(document.where, open_text(document, str(err))))
                continue
            if declared:
                fresh.append(declared)
        return fresh

    def _add(self, document: Document, parent: str) -> Declared | None:
        header = read_header(document)
        if _is_notice(document):
            self.notices[header.id] = document
            return None
        spec = self._parse(document)
        if spec is None:
            _check_kind(document)
            self.unsupported[header.id] = document.where
            return None
        known = self.units.get(spec.id)
        if known is not None:
            self._same_again(known, document, parent)
            return None
        if len(self.units) >= LIMIT:
            raise SpecError.at(
                document.where, "", found=f"over {LIMIT} units", expected="fewer units in one stack"
            )
        if spec.id in self.held:
            spec = replace(spec, suspend=True)
        declared = Declared(spec=spec, document=document, parent=parent)
        self.units[spec.id] = declared
        self._children.setdefault(parent, {})[spec.id] = None
        return declared

    def forget(self, units: Collection[UnitId]) -> None:
        """Drop units that are about to be declared again by those that render them."""
        for unit in units:
            if known := self.units.pop(unit, None):
                del self._children[known.parent][unit]

    def awaited(self, spec: KustomizationSpec) -> tuple[UnitId, ...]:
        """The sources and units that a unit with spec.wait declares: with its objects, they are to become ready."""
        kinds = ("GitRepository", "Kustomization")
        children = self._children.get(str(spec.id), ()) if spec.wait else ()
        return tuple(child for child in children if child.kind in kinds)

    def _parse(self, document: Document) -> Spec | None:
        group = str(document.data.get("apiVersion", "")).partition("/")[0]
        kind = document.data.get("kind")
        if (group, kind) == ("source.toolkit.fluxcd.io", "GitRepository"):
            return parse_git_repository(document)
        if (group, kind) == ("kustomize.toolkit.fluxcd.io", "Kustomization"):
            spec = parse_kustomization(document)
            check_references(spec)
            return spec
        return _parse_image(document, str(kind)) if group == "image.toolkit.fluxcd.io" else None

    def _same_again(self, known: Declared, document: Document, parent: str) -> None:
        """The same unit twice is fine when it says the same (a bootstrap repository declares itself).

        A suspended unit says what was applied once, and contradicts nobody.
        """
        by = self.units.get(UnitId.parse(parent)) if parent else None
        if by and by.spec.suspend:
            return
        if known.document.data.get("spec") != document.data.get("spec"):
            raise SpecError(
                f"{document.where}: declared twice with different specs, first in {known.document.file}",
                hint="remove or rename one of the two",
            )


def _check_kind(document: Document) -> None:
    """Refuse a kind that Flux does not know: a unit with a misspelt kind would look like one that left Git."""
    group = str(document.data.get("apiVersion", "")).partition("/")[0]
    kind = document.data.get("kind")
    if kind not in FLUX_KINDS.get(group, ()):
        known = ", ".join(FLUX_KINDS.get(group, ())) or "a kind of Flux"
        raise SpecError.at(document.where, "kind", found=kind, expected=f"{known} in {group}")


def _is_notice(document: Document) -> bool:
    group = str(document.data.get("apiVersion", "")).partition("/")[0]
    return group == "notification.toolkit.fluxcd.io" and document.data.get("kind") in NOTICES


def _parse_image(document: Document, kind: str) -> Spec | None:
    """An object of image automation. Imported late: most stacks have none."""
    from weir.spec import image_automation, image_policy, image_repository

    match kind:
        case kinds.IMAGE_REPOSITORY:
            return image_repository.parse_image_repository(document)
        case kinds.IMAGE_POLICY:
            return image_policy.parse_image_policy(document)
        case kinds.IMAGE_AUTOMATION:
            return image_automation.parse_image_automation(document)
        case _:
            return None
