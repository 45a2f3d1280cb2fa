"""Resolve and render everything ahead, in parallel, once per run.

The engine calls providers' `check` one at a time and runs the program twice; so all sources are resolved and all
units rendered here, before anything is registered, and both passes read the same results from the run's folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any, Final

from weir.edges.runs import Run, unit_file
from weir.flow.load import Loaded
from weir.flow.outcome import Outcome, SourceOutcome, UnitOutcome, decode, encode
from weir.flow.ownership import Claims
from weir.flow.tree import Declared, UnitTree
from weir.flow.work import RenderedUnit, Worker
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.identity import UnitId
from weir.spec.kustomization import KustomizationSpec

GRACE: Final = 0.2
"""Seconds without news after which units of finished sources go on without those of hanging ones."""
_RESULTS: Final = "ahead.json"

Job = Future[SourceOutcome | RenderedUnit]


class Ahead:
    """One run's look ahead. Iterating yields each outcome once, dependencies before their dependents."""

    def __init__(self, worker: Worker, run: Run, load: Callable[[], Loaded]) -> None:
        self._worker = worker
        self._run = run
        self._load = load
        self._tree = UnitTree()
        self._sources: dict[UnitId, SourceOutcome] = {}
        self._rendered: dict[UnitId, RenderedUnit] = {}
        self._started: set[UnitId] = set()
        self._yielded: dict[UnitId, Outcome] = {}
        self._claims = Claims()
        self._order: list[Outcome] = []

    @property
    def unsupported(self) -> dict[UnitId, str]:
        """Units of Flux kinds that this version does not act on."""
        return self._tree.unsupported

    def __iter__(self) -> Iterator[Outcome]:
        """Yield outcomes as they become certain; a second pass of the same run replays the first."""
        replay = self._run.read_json(_RESULTS)
        if isinstance(replay, list):
            yield from (decode(value) for value in replay)
            return
        for outcome in self._fresh():
            self._order.append(outcome)
            yield outcome
        self._run.write_json(_RESULTS, [encode(outcome) for outcome in self._order])
        self._worker.finish()

    def _fresh(self) -> Iterator[Outcome]:
        loaded = self._load()
        self._tree.problems.extend(loaded.problems)
        with ThreadPoolExecutor(16, thread_name_prefix="ahead") as pool:
            jobs = self._start(pool, self._tree.declare(loaded.documents))
            while jobs:
                done, jobs = wait(jobs, timeout=GRACE, return_when=FIRST_COMPLETED)
                for job in done:
                    jobs |= self._finish(pool, job.result())
                jobs |= self._start(pool, ())
                yield from self._new_sources()
                if not done:
                    yield from self._certain(waiting=True)
        yield from self._certain(waiting=False)
        yield from self._tree.problems

    def _start(self, pool: ThreadPoolExecutor, fresh: Any) -> set[Job]:
        """Begin every job whose inputs are there: new sources at once, units when their source and variables are."""
        jobs: set[Job] = set()
        for declared in (*fresh, *self._tree.units.values()):
            if declared.spec.id in self._started:
                continue
            if isinstance(declared.spec, GitRepositorySpec):
                if all(include in self._sources for include in self._includes(declared.spec)):
                    jobs.add(pool.submit(self._worker.source, declared, dict(self._sources)))
                    self._started.add(declared.spec.id)
            elif self._ready(declared.spec):
                source = self._sources[declared.spec.source]
                before = [
                    self._rendered[unit] for unit in self._before(declared.spec) if unit in self._rendered
                ]
                jobs.add(pool.submit(self._worker.unit, declared, source, before))
                self._started.add(declared.spec.id)
        return jobs

    def _includes(self, spec: GitRepositorySpec) -> list[UnitId]:
        units = [UnitId(spec.id.kind, spec.id.namespace, include.repository) for include in spec.include]
        return [unit for unit in units if unit in self._tree.units and unit != spec.id]

    def _before(self, spec: KustomizationSpec) -> list[UnitId]:
        """Units whose rendered ConfigMaps and Secrets this unit may take variables from."""
        return (
            [item.id for item in spec.depends_on if item.id in self._tree.units]
            if spec.substitute_from
            else []
        )

    def _ready(self, spec: KustomizationSpec) -> bool:
        return spec.source in self._sources and all(unit in self._rendered for unit in self._before(spec))

    def _finish(self, pool: ThreadPoolExecutor, result: SourceOutcome | RenderedUnit) -> set[Job]:
        if isinstance(result, SourceOutcome):
            self._sources[result.id] = result
            self._run.write_json(unit_file(result.id), encode(result))
            return set()
        self._rendered[result.outcome.id] = result
        self._claims.add(result)
        return self._start(pool, self._tree.declare(result.children, str(result.outcome.id)))

    def _certain(self, *, waiting: bool) -> Iterator[Outcome]:
        """Outcomes that nothing still running can change: sources first, then units after what they depend on."""
        yield from self._new_sources()
        clashes = self._claims.clashes()
        for unit in self._sorted():
            result = self._rendered[unit]
            if unit not in self._yielded and (not waiting or self._dependencies_out(result.outcome.spec)):
                yield self._emit(self._checked(result, clashes.get(unit, "")))
        if not waiting:
            yield from self._never_started()

    def _new_sources(self) -> Iterator[Outcome]:
        """Nothing changes a source once it is resolved, so it is registered while its units are rendered."""
        for source in self._sources.values():
            if source.id not in self._yielded:
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
        outcome = result.outcome
        error = clash or outcome.error or self._dependency_error(outcome.spec)
        return replace(outcome, error=error) if error else outcome

    def _dependency_error(self, spec: KustomizationSpec) -> str:
        for item in spec.depends_on:
            if item.id not in self._tree.units:
                return (
                    f"{spec.where}: spec.dependsOn: found '{item.id}', expected a unit of this stack; "
                    "correct its name, or add its document"
                )
        cycle = self._cycle(spec.id)
        if cycle:
            path = " -> ".join(str(unit) for unit in cycle)
            return f"{spec.where}: spec.dependsOn: found the cycle {path}, expected no cycle; remove one of its edges"
        return ""

    def _cycle(self, start: UnitId) -> list[UnitId]:
        """A path from a unit back to itself along dependsOn, or nothing."""
        stack = [(start, [start])]
        seen: set[UnitId] = set()
        while stack:
            unit, path = stack.pop()
            spec = self._tree.units[unit].spec if unit in self._tree.units else None
            for item in spec.depends_on if isinstance(spec, KustomizationSpec) else ():
                if item.id == start:
                    return [*path, start]
                if item.id not in seen:
                    seen.add(item.id)
                    stack.append((item.id, [*path, item.id]))
        return []

    def _never_started(self) -> Iterator[Outcome]:
        """Units that waited for something that never came: a source nobody declared, or each other."""
        for declared in list(self._tree.units.values()):
            if declared.spec.id not in self._yielded:
                yield self._emit(self._stuck(declared))

    def _stuck(self, declared: Declared) -> SourceOutcome | UnitOutcome:
        spec = declared.spec
        if isinstance(spec, GitRepositorySpec):
            error = (
                f"{spec.where}: spec.include: found repositories that include each other, expected no circle"
            )
            return SourceOutcome(spec=spec, document=declared.document, artifact=None, error=error)
        error = self._dependency_error(spec) or (
            f"{spec.where}: spec.sourceRef: found '{spec.source}', expected a source of this stack; "
            "correct its name, or add its document"
        )
        return UnitOutcome(spec=spec, document=declared.document, error=error, parent=declared.parent)

    def _emit(self, outcome: SourceOutcome | UnitOutcome) -> Outcome:
        self._yielded[outcome.id] = outcome
        self._run.write_json(unit_file(outcome.id), encode(outcome))
        return outcome


def _waits_for(spec: KustomizationSpec, units: Mapping[UnitId, RenderedUnit]) -> bool:
    return any(item.id in units for item in spec.depends_on)
