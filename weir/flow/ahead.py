"""Resolve and render everything ahead, in parallel, once per run.

The engine calls providers' `check` one at a time and runs the program twice; so all sources are resolved and all
units rendered here, before anything is registered, and both passes read the same results from the run's folder.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any, Final, cast

from weir.edges.runs import Run, unit_file
from weir.flow.holds import Holds
from weir.flow.image_side import Automated, Chosen, ImageSide
from weir.flow.load import Loaded
from weir.flow.moves import Missing, keep_unrendered
from weir.flow.notices import announce
from weir.flow.outcome import (
    AutomationOutcome,
    Certain,
    Outcome,
    PolicyOutcome,
    Problem,
    SourceOutcome,
    UnitOutcome,
    decode,
    encode,
)
from weir.flow.ownership import Claims
from weir.flow.reporting import NOT_READY
from weir.flow.stuck import dependency_error, why_stuck
from weir.flow.tree import Declared, UnitTree
from weir.flow.work import RenderedUnit, Worker
from weir.spec import kinds
from weir.spec.documents import Document
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.identity import UnitId
from weir.spec.kustomization import KustomizationSpec

GRACE: Final = 0.2
"""Seconds without news after which units of finished sources go on without those of hanging ones."""
_RESULTS: Final = "ahead.json"
_IMAGES: Final = (kinds.IMAGE_POLICY, kinds.IMAGE_AUTOMATION)

Job = Future[Any]
Pushed = Callable[[AutomationOutcome], bool]
"""Whether an automation's commit is in Git now as announced; a preview says yes."""


class Ahead:
    """One run's look ahead. Iterating yields each outcome once, dependencies before their dependents."""

    def __init__(
        self,
        worker: Worker,
        run: Run,
        load: Callable[[], Loaded],
        *,
        automate: bool = True,
        holds: Holds = frozenset,
    ) -> None:
        """Without `automate`, policies and automations are left out: everything is as Git has it.

        `holds` tells the units that are suspended by hand; it is asked in a thread while `load` works.
        """
        self._worker = worker
        self._run = run
        self._load = load
        self._holds = holds
        self._tree = UnitTree()
        self._sources: dict[UnitId, SourceOutcome] = {}
        self._rendered: dict[UnitId, RenderedUnit] = {}
        self._started: set[UnitId] = set()
        self._yielded: dict[UnitId, Outcome] = {}
        self._claims = Claims()
        self._announced = 0
        self._order: list[Outcome] = []
        self._automated: list[Automated] = []
        self._chosen: list[PolicyOutcome] = []
        self._declaring: set[Job] = set()
        self._images = ImageSide(self._tree, worker)
        self._sealed = not automate

    @property
    def unsupported(self) -> dict[UnitId, str]:
        """Units of Flux kinds that this version does not act on."""
        return self._tree.unsupported

    @property
    def notices(self) -> Mapping[UnitId, Document]:
        """The Alerts, Providers and Receivers that this pass met."""
        return self._tree.notices

    @property
    def units(self) -> Mapping[UnitId, Declared]:
        """Everything that is declared; complete when the outcomes are out."""
        return self._tree.units

    def __iter__(self) -> Iterator[Outcome]:
        """Yield outcomes as they become certain, as if every commit of an automation were pushed."""
        return self.outcomes(lambda _: True)

    def outcomes(self, pushed: Pushed) -> Iterator[Outcome]:
        """Yield outcomes as they become certain; a second pass of the same run replays the first.

        `pushed` is asked after an automation with a commit was yielded. When it says no, the source stays as it is.
        """
        replay = self._run.read_json(_RESULTS)
        if isinstance(replay, list):
            yield from self._replayed([decode(value) for value in replay], pushed)
            return
        for outcome in self._fresh(pushed):
            self._order.append(outcome)
            yield outcome
        self._run.write_json(_RESULTS, [encode(outcome) for outcome in self._order])
        self._worker.finish()

    def _replayed(self, outcomes: Sequence[Outcome], pushed: Pushed) -> Iterator[Outcome]:
        """The outcomes of the first pass; once a commit is not in Git after all, all that rests on it anew."""
        for outcome in outcomes:
            if isinstance(outcome, SourceOutcome):
                self._sources.setdefault(outcome.id, outcome)
        for outcome in outcomes:
            certain = not self._sealed or isinstance(outcome, PolicyOutcome | AutomationOutcome)
            if not certain or isinstance(outcome, Problem):
                continue
            yield outcome
            self._yielded[outcome.id] = outcome
            if isinstance(outcome, AutomationOutcome) and outcome.before and not pushed(outcome):
                before = cast("SourceOutcome", decode(outcome.before))
                self._sources[before.id] = before
                self._sealed = True
        if self._sealed:
            self._started |= self._sources.keys()
            yield from self._fresh(pushed)
        else:
            yield from (outcome for outcome in outcomes if isinstance(outcome, Problem))

    def _fresh(self, pushed: Pushed) -> Iterator[Outcome]:
        yield from self._until_rendered(pushed)
        self._keep_unrendered(pending=False)
        yield from self._certain(waiting=False)
        yield from self._tree.problems

    def _until_rendered(self, pushed: Pushed) -> Iterator[Outcome]:
        """Resolve and render everything; what is certain meanwhile comes out."""
        with ThreadPoolExecutor(16, thread_name_prefix="ahead") as pool:
            held = pool.submit(self._holds)
            loaded = self._load()
            self._tree.problems.extend(loaded.problems)
            self._tree.held = held.result()
            jobs = self._start(pool, self._tree.declare(loaded.documents))
            while jobs:
                done, jobs = wait(jobs, timeout=GRACE, return_when=FIRST_COMPLETED)
                for job in done:
                    jobs |= self._finish(pool, job.result())
                jobs |= self._start(pool, ())
                self._declaring &= jobs
                if not self._declaring:
                    jobs |= self._automate(pool, last=not jobs)
                jobs |= yield from self._write_back(pool, pushed)
                yield from self._new_sources(waiting=not done)
                if not done:
                    self._keep_unrendered(pending=True)
                    yield from self._certain(waiting=True)

    def _keep_unrendered(self, *, pending: bool) -> None:
        """Say which declared units are not rendered, or failed to be, before units come out that delete something."""
        done = {unit for unit, result in self._rendered.items() if not result.outcome.error}
        missing = [
            Missing(str(spec.id), str(spec.source), spec.path)
            for unit, declared in self._tree.units.items()
            if unit not in done and isinstance(spec := declared.spec, KustomizationSpec)
        ]
        keep_unrendered(self._run, missing, pending=pending)

    def _start(self, pool: ThreadPoolExecutor, fresh: Iterable[Declared]) -> set[Job]:
        """Begin every job whose inputs are there: new sources at once, units when their source and variables are."""
        if len(self._tree.notices) > self._announced:
            self._announced = len(self._tree.notices)
            announce(self._run, self._tree.notices.values())
        jobs: set[Job] = set()
        for declared in (*fresh, *self._tree.units.values()):
            if declared.spec.id in self._started:
                continue
            if isinstance(declared.spec, GitRepositorySpec):
                if all(include in self._sources for include in self._includes(declared.spec)):
                    jobs.add(pool.submit(self._worker.source, declared, dict(self._sources)))
                    self._started.add(declared.spec.id)
            elif isinstance(declared.spec, KustomizationSpec) and self._ready(declared.spec):
                source = self._sources[declared.spec.source]
                before = [
                    self._rendered[unit] for unit in self._before(declared.spec) if unit in self._rendered
                ]
                jobs.add(pool.submit(self._worker.unit, declared, source, before))
                self._started.add(declared.spec.id)
        self._declaring |= jobs
        return jobs | (set(self._images.policies(pool)) if self._has_images() else set())

    def _has_images(self) -> bool:
        return not self._sealed and any(unit.kind in _IMAGES for unit in self._tree.units)

    def _automate(self, pool: ThreadPoolExecutor, *, last: bool) -> set[Job]:
        """Begin automations. Nothing may be going on then that could still declare a policy of theirs."""
        return set(self._images.automations(pool, self._sources, last=last)) if self._has_images() else set()

    def _includes(self, spec: GitRepositorySpec) -> list[UnitId]:
        units = [UnitId(spec.id.kind, spec.id.namespace, include.repository) for include in spec.include]
        return [unit for unit in units if unit in self._tree.units and unit != spec.id]

    def _before(self, spec: KustomizationSpec) -> list[UnitId]:
        """Units whose rendered ConfigMaps and Secrets this unit may take variables from."""
        return (
            [
                item.id
                for item in spec.depends_on
                if item.id in self._tree.units and item.id.kind == spec.id.kind
            ]
            if spec.substitute_from
            else []
        )

    def _ready(self, spec: KustomizationSpec) -> bool:
        return spec.source in self._sources and all(unit in self._rendered for unit in self._before(spec))

    def _finish(
        self, pool: ThreadPoolExecutor, result: SourceOutcome | RenderedUnit | Chosen | Automated
    ) -> set[Job]:
        if isinstance(result, SourceOutcome):
            self._sources[result.id] = result
            self._run.write_json(unit_file(result.id), encode(result))
        elif isinstance(result, RenderedUnit):
            self._rendered[result.outcome.id] = result
            self._claims.add(result)
            return self._start(pool, self._tree.declare(result.children, str(result.outcome.id)))
        elif isinstance(result, Chosen):
            self._images.choose(result)
            self._chosen.append(result.outcome)
        else:
            self._automated.append(result)
        return set()

    def _write_back(self, pool: ThreadPoolExecutor, pushed: Pushed) -> Generator[Outcome, None, set[Job]]:
        """Yield policies and finished automations; what rests on a source that their commit changes starts anew."""
        jobs: set[Job] = set()
        for chosen in self._chosen:
            yield self._emit(chosen)
        self._chosen.clear()
        while self._automated:
            automated = self._automated.pop(0)
            for outcome in automated.outcomes:
                yield self._emit(outcome)
            pushing = [outcome for outcome in automated.outcomes if outcome.pending]
            if automated.source and all(pushed(outcome) for outcome in pushing):
                self._replace(automated.source)
                jobs |= self._start(pool, ())
            self._images.settle(automated)
        return jobs

    def _replace(self, source: SourceOutcome) -> None:
        """Let a source have another artifact: its units, what they declare and what takes variables from them."""
        self._sources[source.id] = source
        self._run.write_json(unit_file(source.id), encode(source))
        affected: set[UnitId] = set()
        found = {unit for unit, one in self._rendered.items() if one.outcome.spec.source == source.id}
        while found:
            affected |= found
            names = {str(unit) for unit in affected}
            found = {
                unit
                for unit, one in self._tree.units.items()
                if one.parent in names
                or (isinstance(one.spec, KustomizationSpec) and affected.intersection(self._before(one.spec)))
            } - affected
        affected -= self._yielded.keys()
        self._tree.forget({unit for unit in affected if self._tree.units[unit].parent in map(str, affected)})
        for unit in affected:
            if unit.kind == "Kustomization":
                self._started.discard(unit)
                self._rendered.pop(unit, None)
                self._claims.remove(unit)

    def _certain(self, *, waiting: bool) -> Iterator[Outcome]:
        """Outcomes that nothing still running can change: sources first, then units after what they depend on."""
        yield from self._new_sources(waiting=True)
        clashes = self._claims.clashes()
        held = self._held() if waiting else set()
        for unit in self._sorted():
            result = self._rendered[unit]
            spec = result.outcome.spec
            if unit in self._yielded or spec.source in held:
                continue
            if not waiting or self._dependencies_out(spec):
                yield self._emit(self._checked(result, clashes.get(unit, "")))
        if not waiting:
            yield from self._never_started()

    def _held(self) -> set[UnitId]:
        return self._images.held() if self._has_images() else set()

    def _new_sources(self, *, waiting: bool) -> Iterator[Outcome]:
        """Sources are registered while their units are rendered, unless an automation may still write to them."""
        if not waiting and any(source.automates for source in self._sources.values()):
            return
        held = self._held()
        for source in self._sources.values():
            if source.id not in self._yielded and source.id not in held:
                yield self._emit(source)

    def _dependencies_out(self, spec: KustomizationSpec) -> bool:
        return all(item.id in self._yielded for item in spec.depends_on)

    def _sorted(self) -> list[UnitId]:
        """Rendered units, each after those of its dependencies that are rendered; members of cycles last."""
        order: list[UnitId] = []
        rest = dict(self._rendered)
        while rest:
            free = [unit for unit, result in rest.items() if not _waits_for(result.outcome.spec, rest)]
            for unit in free or list(rest):
                order.append(unit)
                del rest[unit]
        return order

    def _checked(self, result: RenderedUnit, clash: str) -> UnitOutcome:
        """The outcome with what only the whole tree shows: shared objects, missing and circular dependencies."""
        outcome = replace(result.outcome, children=self._tree.awaited(result.outcome.spec))
        if error := clash or outcome.error:
            return replace(outcome, error=error)
        error = dependency_error(self._tree, outcome.spec)
        return replace(outcome, error=error, reason=NOT_READY) if error else outcome

    def _never_started(self) -> Iterator[Outcome]:
        """Units that waited for something that never came: a source nobody declared, or each other."""
        silent = (kinds.IMAGE_REPOSITORY, *(_IMAGES if self._sealed else ()))
        for declared in list(self._tree.units.values()):
            if declared.spec.id not in self._yielded and declared.spec.id.kind not in silent:
                yield self._emit(_stuck(declared, why_stuck(self._tree, declared)))

    def _emit(self, outcome: Certain) -> Outcome:
        self._yielded[outcome.id] = outcome
        self._run.write_json(unit_file(outcome.id), encode(outcome))
        return outcome


def _stuck(declared: Declared, error: str) -> Certain:
    given: dict[str, Any] = {"spec": declared.spec, "document": declared.document, "error": error}
    match declared.spec.id.kind:
        case "GitRepository":
            return SourceOutcome(artifact=None, **given)
        case kinds.IMAGE_POLICY:
            return PolicyOutcome(**given)
        case kinds.IMAGE_AUTOMATION:
            return AutomationOutcome(**given)
        case _:
            return UnitOutcome(parent=declared.parent, **given)


def _waits_for(spec: KustomizationSpec, units: Mapping[UnitId, RenderedUnit]) -> bool:
    return any(item.id in units for item in spec.depends_on)
