"""The jobs of a run's image side: choose for one policy, build the commit of one source's automations, push it.

registry tags -> policy -> image -> edited files -> commit (built, not pushed) -> artifact -> units
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from weir.edges.store import Store
from weir.edit.image import Image
from weir.edit.summary import format_moves, moves
from weir.flow.image_edits import ImageEdits, edit_images
from weir.flow.image_side import Automated, Chosen
from weir.flow.images import Candidates, Registries
from weir.flow.outcome import AutomationOutcome, PolicyOutcome, SourceOutcome, encode
from weir.flow.tree import Declared
from weir.spec.documents import Document
from weir.spec.errors import ClusterError, SourceError, SpecError, StopRequested, WeirError
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.identity import UnitId
from weir.spec.image_automation import ImageAutomationSpec, check_branches
from weir.spec.image_policy import ImagePolicySpec
from weir.spec.image_repository import ImageRepositorySpec
from weir.spec.kinds import IMAGE_POLICY
from weir.spec.stack import StackConfig

if TYPE_CHECKING:
    from weir.edges.git.writing import Base, Signer
    from weir.flow.clusters import Clusters
    from weir.flow.holds import Hands
    from weir.flow.write_back import Access, Edits, Prepared, Target

Policies = Mapping[UnitId, Candidates]


class ImageWorker:
    """Does the image jobs of one run. Thread-safe; never raises a WeirError but StopRequested."""

    def __init__(
        self, config: StackConfig, clusters: Clusters, store: Store, hands: Hands | None = None
    ) -> None:
        self._clusters = clusters
        self._hands = hands
        self._store = store
        self._options = config.options
        self.registries = Registries(clusters, same_namespace=config.options.no_cross_namespace_refs)

    @cached_property
    def _in_use(self) -> Mapping[UnitId, str]:
        """What each policy chose last, as the cluster remembers it."""
        try:
            records = self._clusters.records.read_all("")
        except WeirError:
            return {}
        return {record.id: record.revision for record in records if record.id.kind == IMAGE_POLICY}

    def policy(self, declared: Declared, repositories: Mapping[UnitId, ImageRepositorySpec]) -> Chosen:
        """The image that a policy chooses now."""
        spec = declared.spec
        if not isinstance(spec, ImagePolicySpec):
            raise TypeError(spec)
        started = time.monotonic()
        outcome = PolicyOutcome(spec=spec, document=declared.document, image=self._in_use.get(spec.id, ""))
        candidates: Candidates | None = None
        try:
            if self._hands and self._hands.holds(spec.id):
                spec = replace(spec, suspend=True)
                outcome = replace(outcome, spec=spec)
            current = Image.parse(outcome.image) if outcome.image else None
            candidates = self.registries.candidates(spec, repositories)
            choice = candidates.choose(current)
            outcome = replace(
                outcome,
                image=str(choice.image or ""),
                reason=choice.decision.reason,
                warnings=choice.warnings,
            )
        except WeirError as err:
            _reraise_stop(err)
            outcome = replace(outcome, error=str(err))
        except Exception as err:  # noqa: BLE001 - an escaped error would end the run for every unit
            outcome = replace(outcome, error=f"{spec.where}: unexpected {type(err).__name__}")
        if not outcome.error and (refused := self._other_stack(spec.id)):
            outcome = replace(outcome, error=str(refused))
        return Chosen(outcome=replace(outcome, seconds=time.monotonic() - started), candidates=candidates)

    def _other_stack(self, unit: UnitId) -> ClusterError | None:
        """Why the record of a policy or automation cannot be kept."""
        try:
            if self._hands:
                self._hands.refuse_others(unit)
        except ClusterError as err:
            return err
        return None

    def automate(
        self,
        group: Sequence[Declared],
        source: SourceOutcome,
        policies: Policies,
        documents: Sequence[Document],
    ) -> Automated:
        """Build the one commit of automations that write to the same branch; nothing is pushed.

        `documents` are what the policies stand in: a push that has to do the edit again reads them.
        """
        started = time.monotonic()
        outcomes = {
            declared.spec.id: AutomationOutcome(spec=_automation(declared), document=declared.document)
            for declared in group
        }
        refused = {unit: str(err) for unit in outcomes if (err := self._other_stack(unit))}
        group = [declared for declared in group if declared.spec.id not in refused]
        job = Commit(group, source.spec, lambda: policies, self.registries)
        after: SourceOutcome | None = None
        try:
            if job.active:
                prepared = self._prepare(job, source)
                if prepared:
                    after = None if prepared.published else _after(source, prepared)
                    given = [source.document, *(declared.acted_on for declared in group), *documents]
                    _announce(outcomes, job, prepared, source, given)
            for id_, edits in job.edits.items():
                told = (*map(str, edits.problems), *edits.notes)
                outcomes[id_] = replace(outcomes[id_], warnings=told)
        except WeirError as err:
            _reraise_stop(err)
            outcomes = _failing(outcomes, str(err))
        except Exception as err:  # noqa: BLE001 - an escaped error would end the run for every unit
            outcomes = _failing(outcomes, f"{source.spec.where}: unexpected {type(err).__name__}")
        mistakes = refused | {id_: str(err) for id_, err in job.mistakes.items()}
        outcomes |= {id_: replace(outcomes[id_], error=text) for id_, text in mistakes.items()}
        seconds = time.monotonic() - started
        done = tuple(replace(one, seconds=seconds) for one in outcomes.values())
        return Automated(outcomes=done, source=after)

    def _prepare(self, job: Commit, source: SourceOutcome) -> Prepared | None:
        from weir.flow.write_back import prepare

        if source.artifact is None:
            raise SourceError(f"{job.active[0].where}: {source.id} has no artifact: {source.error}")
        return prepare(
            job.target(self._clusters),
            job.edit,
            store=self._store,
            includes={},
            access=access(self._clusters, allow_file_urls=self._options.allow_file_urls),
            now=int(time.time()),
        )


@dataclass(slots=True)
class Commit:
    """The one commit of a group of automations on one source and branch."""

    group: Sequence[Declared]
    source: GitRepositorySpec
    policies: Callable[[], Policies]
    """Asked when an edit is done: in another process than the one that chose, most pushes do none."""
    registries: Registries
    _edits: dict[UnitId, ImageEdits] = field(default_factory=dict)
    _refused: dict[UnitId, WeirError] = field(default_factory=dict)
    _failed: dict[UnitId, WeirError] = field(default_factory=dict)

    @property
    def active(self) -> list[ImageAutomationSpec]:
        """The automations that are not suspended."""
        return [spec for spec in map(_automation, self.group) if not spec.suspend]

    @property
    def edits(self) -> dict[UnitId, ImageEdits]:
        """What each automation did in the last edit; nothing of one that could not be followed."""
        return self._edits

    @property
    def mistakes(self) -> dict[UnitId, WeirError]:
        """Why automations could not be followed. The others were."""
        return self._refused | self._failed

    @property
    def carrier(self) -> ImageAutomationSpec:
        """The automation that pushes the commit of them all: the first that wants a pull request, or else the first.

        Those that change something come before those that change nothing.
        """
        done = [spec for spec in self.active if spec.id in self._edits]
        writing = [spec for spec in done if self._edits[spec.id].files]
        return next((spec for spec in (*writing, *done) if spec.pull_request), writing[0])

    @property
    def branch(self) -> str:
        """The branch that gets the commit, or the refspec when there is none."""
        spec = self.active[0]
        ref = spec.checkout or self.source.ref
        return spec.push.branch or spec.push.refspec or ref.head

    def target(self, clusters: Clusters) -> Target:
        """Who commits, and where to: as the first automation says that can. Raises WeirError when none can."""
        found: Target | None = None
        self._refused = {}
        for spec in self.active:
            try:
                check_branches(spec, spec.checkout or self.source.ref)
                found = found or self._target(spec, clusters)
            except WeirError as err:
                _reraise_stop(err)
                self._refused[spec.id] = err
        if found is None:
            raise next(iter(self._refused.values()))
        return found

    def _target(self, spec: ImageAutomationSpec, clusters: Clusters) -> Target:
        from weir.flow.write_back import Target

        return Target(
            where=spec.where,
            spec=self.source,
            checkout=spec.checkout,
            push=spec.push,
            author=spec.author,
            signer=signer_of(spec, clusters),
        )

    def edit(self, base: Base) -> Edits | None:
        """The edits of all automations that can be followed, each on top of those before."""
        from weir.flow.write_back import Edits

        named = {f"{unit.namespace}:{unit.name}": found for unit, found in self.policies().items()}
        layered = Layered(base, {})
        self._edits, self._failed = {}, {}
        for spec in self.active:
            if spec.id in self._refused:
                continue
            try:
                done = edit_images(layered, spec, named, self.registries.choose_for)
            except SpecError as err:
                self._failed[spec.id] = err
                continue
            layered.edited.update(done.files)
            self._edits[spec.id] = done
        messages = [done.message for done in self._edits.values() if done.files]
        if not messages:
            return None
        return Edits(files=layered.edited, message="\n\n".join(dict.fromkeys(messages)))


@dataclass(frozen=True, slots=True)
class Layered:
    """The files of a commit with some edited."""

    base: Base
    edited: dict[str, bytes]

    def files(self, prefix: str) -> tuple[str, ...]:
        """The paths of all files below a folder."""
        return self.base.files(prefix)

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        return self.edited[path] if path in self.edited else self.base.read(path)


def _announce(
    outcomes: dict[UnitId, AutomationOutcome],
    job: Commit,
    prepared: Prepared,
    source: SourceOutcome,
    documents: Sequence[Document],
) -> None:
    """Put the commit into the outcome of the automation that carries it, with the changes of them all."""
    carrier = job.carrier
    commit = "" if prepared.published else prepared.commit
    if not commit and not carrier.pull_request:
        return
    changes = [change for edits in job.edits.values() for change in edits.changes]
    outcomes[carrier.id] = replace(
        outcomes[carrier.id],
        commit=commit,
        branch=job.branch,
        changes=tuple(format_moves(moves(changes)).splitlines()) if commit else (),
        diff=prepared.diff,
        pending={
            "prepared": prepared.as_json(),
            "documents": [[item.file, item.index, item.data] for item in documents],
        },
        proposal=prepared.commit if carrier.pull_request else "",
        before=encode(source) if commit and prepared.same_branch else {},
    )


def _failing(outcomes: Mapping[UnitId, AutomationOutcome], error: str) -> dict[UnitId, AutomationOutcome]:
    """The outcomes when there is no commit: an error of each that is not suspended."""
    return {id_: one if one.spec.suspend else replace(one, error=error) for id_, one in outcomes.items()}


def access(clusters: Clusters, *, allow_file_urls: bool) -> Access:
    """How repositories are reached: with the Secrets of the cluster."""
    from weir.flow.write_back import Access

    return Access(secrets=clusters.secret, allow_file_urls=allow_file_urls)


def _after(source: SourceOutcome, prepared: Prepared) -> SourceOutcome | None:
    """The source once the commit is in Git; None when it does not follow the branch."""
    return replace(source, artifact=prepared.artifact) if prepared.same_branch else None


def _automation(declared: Declared) -> ImageAutomationSpec:
    if not isinstance(declared.spec, ImageAutomationSpec):
        raise TypeError(declared.spec)
    return declared.spec


def signer_of(spec: ImageAutomationSpec, clusters: Clusters) -> Signer | None:
    """What signs the commits of an automation, None for nothing. Raises WeirError when the key cannot be read."""
    if spec.signing is None:
        return None
    from weir.edges.git.signing import read_signer

    return read_signer(spec.signing.kind, clusters.secret(spec.id.namespace, spec.signing.secret))


def _reraise_stop(err: WeirError) -> None:
    if isinstance(err, StopRequested):
        raise err
