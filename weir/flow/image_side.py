"""The image side of a run's look ahead: policies choose, automations turn what they chose into commits.

An automation waits for its source, for whatever may still declare policies, and for the policies of its namespace.
What it would push becomes the source's artifact, so units are rendered from the commit before it is in Git; until then
the source and its units are held back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from weir.flow.outcome import AutomationOutcome, PolicyOutcome, SourceOutcome
from weir.flow.tree import Declared, UnitTree
from weir.spec.identity import UnitId
from weir.spec.kinds import IMAGE_AUTOMATION, IMAGE_POLICY, IMAGE_REPOSITORY

if TYPE_CHECKING:
    from weir.flow.images import Candidates
    from weir.flow.work import Worker
    from weir.spec.documents import Document
    from weir.spec.git_repository import GitRef
    from weir.spec.image_automation import ImageAutomationSpec
    from weir.spec.image_policy import ImagePolicySpec
    from weir.spec.image_repository import ImageRepositorySpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A policy's outcome with what automations ask of it."""

    outcome: PolicyOutcome
    candidates: Candidates | None = None
    """None when the policy could not be resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Automated:
    """What the automations of one source and branch do: one commit at most."""

    outcomes: tuple[AutomationOutcome, ...]
    source: SourceOutcome | None = None
    """The source as it is once the commit is pushed; None when it stays as it is."""


class ImageSide:
    """Policies and automations of one look ahead."""

    def __init__(self, tree: UnitTree, worker: Worker) -> None:
        self._tree = tree
        self._jobs = worker
        self._started: set[UnitId] = set()
        self._chosen: dict[UnitId, Chosen] = {}
        self._settled: set[UnitId] = set()

    def held(self) -> set[UnitId]:
        """Sources that an automation may still change."""
        return {spec.source for _, spec in self._automations() if spec.id not in self._settled}

    def policies(self, pool: ThreadPoolExecutor) -> Iterator[Future[Chosen]]:
        """Begin to resolve every policy whose repository is declared."""
        units = self._tree.units
        found = {unit: one.spec for unit, one in units.items() if unit.kind == IMAGE_REPOSITORY}
        repositories = cast("dict[UnitId, ImageRepositorySpec]", found)
        for unit, declared in list(units.items()):
            if unit.kind != IMAGE_POLICY or unit in self._started:
                continue
            if cast("ImagePolicySpec", declared.spec).repository in repositories:
                self._started.add(unit)
                yield pool.submit(self._jobs.images.policy, declared, repositories)

    def choose(self, chosen: Chosen) -> None:
        """Take note of what a policy chose."""
        self._chosen[chosen.outcome.id] = chosen

    def automations(
        self, pool: ThreadPoolExecutor, sources: Mapping[UnitId, SourceOutcome], *, last: bool
    ) -> Iterator[Future[Automated]]:
        """Begin automations whose inputs are there; `last` when nothing else is going on any more.

        To be asked when every policy is declared: an automation that began is not told of another.
        """
        groups: dict[tuple[str, ...], list[Declared]] = {}
        for declared, spec in self._automations():
            if spec.id not in self._started and spec.source in sources:
                place = _place(spec, sources[spec.source].spec.ref)
                groups.setdefault(place, []).append(declared)
        for place, group in groups.items():
            if last or all(self._ready(declared.spec.id.namespace) for declared in group):
                self._started |= {declared.spec.id for declared in group}
                source = sources[UnitId.parse(place[0])]
                documents = self._policy_documents()
                yield pool.submit(self._jobs.images.automate, group, source, self._candidates(), documents)

    def settle(self, automated: Automated) -> None:
        """Take note that automations are done with their source."""
        self._settled |= {outcome.id for outcome in automated.outcomes}

    def _automations(self) -> list[tuple[Declared, ImageAutomationSpec]]:
        found = (one for unit, one in self._tree.units.items() if unit.kind == IMAGE_AUTOMATION)
        ordered = sorted(found, key=lambda declared: declared.spec.id)
        return [(declared, cast("ImageAutomationSpec", declared.spec)) for declared in ordered]

    def _ready(self, namespace: str) -> bool:
        """Whether every policy of a namespace is resolved."""
        policies = (
            unit for unit in self._tree.units if unit.kind == IMAGE_POLICY and unit.namespace == namespace
        )
        return all(unit in self._chosen for unit in policies)

    def _policy_documents(self) -> list[Document]:
        return [
            one.acted_on
            for unit, one in self._tree.units.items()
            if unit.kind in (IMAGE_POLICY, IMAGE_REPOSITORY)
        ]

    def _candidates(self) -> dict[UnitId, Candidates]:
        return {unit: chosen.candidates for unit, chosen in self._chosen.items() if chosen.candidates}


def _place(spec: ImageAutomationSpec, ref: GitRef) -> tuple[str, ...]:
    """What automations have in common that share a commit: where it starts and where it goes, however they say so.

    `ref` is what the source follows: it counts where the automation names nothing.
    """
    from weir.flow.push_rules import followed

    start = spec.checkout or ref
    return (
        str(spec.source),
        followed(start) or repr(start),
        spec.push.branch or ("" if spec.push.refspec else start.head),
        spec.push.refspec,
        repr(sorted(spec.push.options.items())),
    )
