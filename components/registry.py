"""Outcomes become components, each once, with dependsOn as the engine's own dependencies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import pulumi

from components.cluster import Cluster
from components.dynamic.image_automation import announced
from components.image_automation import ImageUpdateAutomation
from components.image_policy import ImagePolicy
from components.kustomization import Kustomization, KustomizationArgs
from components.source import Source
from components.sync_marks import SyncMarks
from weir.edges.runs import Run
from weir.flow.clusters import Clusters
from weir.flow.conflicts import refuse_other_backend
from weir.flow.moves import wanted_elsewhere
from weir.flow.not_applied import record_failure
from weir.flow.outcome import (
    AutomationOutcome,
    Outcome,
    PolicyOutcome,
    Problem,
    SourceOutcome,
    UnitOutcome,
)
from weir.flow.parents import parent_of
from weir.flow.reporting import NOT_READY
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord

NAMED: Final = 20
"""Objects named in one message."""
DIFF_LINES: Final = 200
"""Lines of a commit's diff in one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a unit ended, to those that depend on it."""

    ready: bool
    resources: tuple[pulumi.Resource, ...] = ()
    """What is made before them and goes after them."""
    started: bool = True
    why: str = ""
    """Which of the units that it declares is not ready."""


_NOT_STARTED: Final = Ended(ready=False, started=False)


class Registry:
    """The components of one run. A unit is registered when those it depends on are ready."""

    def __init__(self, cluster: Cluster, clusters: Clusters, run: Run) -> None:
        self._cluster = cluster
        self._clusters = clusters
        self._elsewhere = partial(wanted_elsewhere, run)
        self._sources: dict[UnitId, Source] = {}
        self._automations: dict[UnitId, asyncio.Future[asyncio.Task[bool]]] = {}
        self._writers: dict[UnitId, list[pulumi.Resource]] = {}
        self._units: dict[UnitId, asyncio.Task[Kustomization | None]] = {}
        self._declared: dict[UnitId, UnitOutcome] = {}
        """Those of the units that are not there to be removed."""
        self._ended: dict[UnitId, asyncio.Future[Ended]] = {}
        """What depends on a unit waits for it here."""
        self._complete = False
        """Whether all outcomes were added: what is not there now will not come."""
        self._marks = SyncMarks(clusters)
        self._problems: list[str] = []

    @property
    def whole(self) -> bool:
        """Whether nothing was met so far that could keep a part of the tree from being seen."""
        return not self._problems

    def add(self, outcome: Outcome) -> None:
        """Register one outcome. A unit with an error is registered too: it keeps its objects and reports the error."""
        if isinstance(outcome, Problem):
            self._problems.append(outcome.message)
            pulumi.log.error(outcome.message)
            return
        if outcome.error:
            self._problems.append(f"{outcome.id}: {outcome.error}")
        match outcome:
            case SourceOutcome():
                self._add_source(outcome)
            case PolicyOutcome():
                self._add_policy(outcome)
            case AutomationOutcome():
                self._add_automation(outcome)
            case UnitOutcome():
                self._units[outcome.id] = asyncio.create_task(self._follow(outcome))
                self._declared[outcome.id] = outcome

    def _add_source(self, outcome: SourceOutcome) -> None:
        after = pulumi.ResourceOptions(depends_on=self._writers.get(outcome.id, []))
        source = Source(name_of(outcome.id), {"spec": outcome.spec}, after)
        self._sources[outcome.id] = source
        if outcome.id in self._writers:
            self._marks.source(outcome)
        _tell(source, outcome.error, outcome.warnings)
        self._settle(outcome.id, _ended(source, outcome.error))

    def _add_policy(self, outcome: PolicyOutcome) -> None:
        policy = ImagePolicy(name_of(outcome.id), {"spec": outcome.spec})
        pulumi.export(str(outcome.id), {"image": policy.image})
        _tell(policy, outcome.error, (*outcome.warnings, *filter(None, [outcome.reason])))
        self._settle(outcome.id, _ended(policy, outcome.error))

    def _add_automation(self, outcome: AutomationOutcome) -> None:
        automation = ImageUpdateAutomation(name_of(outcome.id), {"spec": outcome.spec})
        self._writers.setdefault(outcome.spec.source, []).append(automation)
        _tell(automation, outcome.error, outcome.warnings)
        if outcome.changes:
            title = f"commit {outcome.commit[:8]} on {outcome.branch}:"
            diff = _some(outcome.diff.splitlines(), DIFF_LINES)
            pulumi.log.info("\n".join([title, *_some(outcome.changes, NAMED), *diff]), automation)
        self._automation(outcome.id).set_result(asyncio.create_task(self._as_announced(automation, outcome)))
        self._settle(outcome.id, _ended(automation, outcome.error))

    def _automation(self, unit: UnitId) -> asyncio.Future[asyncio.Task[bool]]:
        return self._automations.setdefault(unit, asyncio.get_running_loop().create_future())

    async def pushed(self, outcome: AutomationOutcome) -> bool:
        """Whether an automation's commit is in Git as announced; waits for the push. A preview pushes nothing: yes."""
        return await (await self._automation(outcome.id))

    async def _as_announced(self, automation: ImageUpdateAutomation, outcome: AutomationOutcome) -> bool:
        if pulumi.runtime.is_dry_run() or outcome.error:
            return True
        revision, error = await automation.pushed()
        if error:
            self._problems.append(f"{outcome.id}: {error}")
            pulumi.log.error(error, automation)
        elif outcome.commit and revision != announced(outcome):
            text = f"{announced(outcome)} is not in Git: somebody else pushed meanwhile, or this run leaves it out"
            pulumi.log.warn(f"{outcome.id}: {text}; units follow with the next run", automation)
        return not error and revision == announced(outcome)

    def _end(self, unit: UnitId) -> asyncio.Future[Ended]:
        future = self._ended.setdefault(unit, asyncio.get_running_loop().create_future())
        if self._complete and unit not in self._units and not future.done():
            future.set_result(_NOT_STARTED)
        return future

    def _settle(self, unit: UnitId, ended: Ended) -> None:
        if not self._end(unit).done():
            self._end(unit).set_result(ended)

    async def _follow(self, outcome: UnitOutcome) -> Kustomization | None:
        """Register the unit, and let what depends on it know how that ended."""
        ended, unit = _NOT_STARTED, None
        try:
            after = await self._after(outcome)
            if after is not None:
                unit = await self._add_unit(outcome, after)
                ended = await self._with_children(outcome, unit) if unit else Ended(ready=False)
        finally:
            self._settle(outcome.id, ended)
        return unit

    async def _with_children(self, outcome: UnitOutcome, unit: Kustomization) -> Ended:
        """A unit with spec.wait is ready, to its dependents, when those that it declares are, to any depth."""
        children = {child: await self._end(child) for child in outcome.children}
        resources = (one for child in children.values() for one in child.resources)
        bad = next((child for child, ended in children.items() if not ended.ready), None)
        why = f": {bad}, which it declares and waits for, is not" if bad else ""
        return Ended(ready=not bad, resources=(unit, *resources), why=why)

    async def _after(self, outcome: UnitOutcome) -> list[pulumi.Resource] | None:
        """What the unit is registered after, once that has ended; None when it is not to be started.

        A readyExpr takes the place of the built-in rule: it is asked right before the unit is applied.
        """
        after: list[pulumi.Resource] = [self._cluster]
        if outcome.spec.source in self._sources:
            after.append(self._sources[outcome.spec.source])
        for item in () if outcome.error else outcome.spec.depends_on:
            dependency = await self._end(item.id)
            if not dependency.ready and not (item.ready_expr and dependency.started):
                text = f"{item.id}, which it depends on, is not ready{dependency.why}"
                self._problems.append(f"{outcome.id}: not started: {text}")
                pulumi.log.warn(self._problems[-1])
                if not pulumi.runtime.is_dry_run():
                    records = self._clusters.records
                    await asyncio.to_thread(record_failure, records, outcome.id, NOT_READY, text)
                return None
            after += dependency.resources
        return after

    async def _add_unit(self, outcome: UnitOutcome, after: Sequence[pulumi.Resource]) -> Kustomization | None:
        """The unit once it is ready, None when it failed."""
        args: KustomizationArgs = {"unit": outcome.id, "source": str(outcome.spec.source), "orphan": False}
        unit = Kustomization(name_of(outcome.id), args, pulumi.ResourceOptions(depends_on=list(after)))
        pulumi.export(
            str(outcome.id), {"revision": unit.revision, "ready": unit.ready, "objects": unit.objects}
        )
        succeeded = await unit.succeeded()
        self._marks.unit(outcome.spec.source, succeeded=succeeded)
        return unit if succeeded else None

    def add_orphan(self, unit: UnitId, backend: str) -> None:
        """Register a unit that only the cluster remembers, to be removed with its objects if it is this stack's."""
        if unit in self._units:
            return
        try:
            record = self._clusters.records.read(unit)
            refuse_other_backend(record, backend, self._clusters.options)
        except WeirError as err:
            self.add(Problem("stack", str(err)))
            return
        self._units[unit] = asyncio.create_task(self._remove_orphan(unit, record))

    async def _remove_orphan(self, unit: UnitId, record: UnitRecord | None) -> Kustomization | None:
        """Removed once the one that declared it is applied, as what the engine knows."""
        parent = parent_of(record) if record else None
        if parent in self._declared and await self._units[parent] is None and not self._was_applied(parent):
            self._keep_child(unit, parent)
            return None
        return await _add_orphan(unit)

    def _was_applied(self, unit: UnitId) -> bool:
        """Whether a unit that failed applied and pruned everything, and is only unhealthy."""
        outcome = self._declared[unit]
        try:
            record = self._clusters.records.read(unit)
        except WeirError:
            return False
        return record is not None and record.is_only_unhealthy(outcome.revision, outcome.digest)

    def _keep_child(self, unit: UnitId, parent: UnitId) -> None:
        """Flux prunes a Kustomization only after the one that declared it was applied without it."""
        why = f"{parent}, which declared it, was not applied"
        self.add(Problem("stack", f"{unit} is no longer declared and stays in this run: {why}"))

    async def finish(self, unsupported: Mapping[UnitId, str]) -> None:
        """Wait for all units; say what is left out and what will be removed. Raises RunError when a unit is missing."""
        self._complete = True
        for unit in list(self._ended):
            self._end(unit)
        await asyncio.gather(*self._units.values())
        await asyncio.gather(*[await automation for automation in self._automations.values()])
        await self._marks.move()
        records = self._records()
        self._keep_children(records)
        for unit, where in sorted(unsupported.items()):
            pulumi.log.warn(
                f"{where}: {unit} is not acted on: this version knows GitRepository, Kustomization, ImageRepository, "
                "ImagePolicy, ImageUpdateAutomation, Alert, Provider and Receiver"
            )
        if self._problems:
            raise pulumi.RunError(
                f"{len(self._problems)} problem(s) above keep the tree incomplete; no unit is removed in this run"
            )
        self._announce_removals(records)

    def _failed(self) -> frozenset[UnitId]:
        """Declared units that were not applied, or are not ready."""
        return frozenset(unit for unit in self._declared if self._units[unit].result() is None)

    def _records(self) -> Sequence[UnitRecord]:
        """Records of units that are not declared. When they cannot be read, a unit that failed may have lost some."""
        try:
            records = self._clusters.records.read_all()
        except WeirError as err:
            if self._failed():
                self.add(Problem("stack", f"what failed units declared before cannot be told: {err}"))
            return ()
        return [one for one in records if one.id.kind == "Kustomization" and one.id not in self._units]

    def _keep_children(self, records: Iterable[UnitRecord]) -> None:
        failed = self._failed()
        children: dict[UnitId, list[UnitId]] = {}
        for record in records if failed else ():
            if (parent := parent_of(record)) in failed:
                children.setdefault(parent, []).append(record.id)
        for parent, units in children.items():
            for unit in () if self._was_applied(parent) else units:
                self._keep_child(unit, parent)

    def _announce_removals(self, records: Iterable[UnitRecord]) -> None:
        """Name the objects of units that are gone from Git, before the engine deletes them."""
        for record in records:
            names = _some(self._removal(record), NAMED)
            pulumi.log.info("\n".join([f"{record.id} is no longer declared:", *names]))

    def _removal(self, record: UnitRecord) -> list[str]:
        """What happens to each object of a unit that is gone from Git, and what would be refused."""
        from weir.flow.remove import plan_removal

        try:
            plan = plan_removal(self._clusters, record, self._elsewhere)
        except WeirError as err:
            return [str(err)]
        lines = [
            f"{change.action:<7} {change.id}{change.why and f': {change.why}'}" for change in plan.changes
        ]
        return [*plan.warnings, *lines]


def _ended(resource: pulumi.Resource, error: str) -> Ended:
    return Ended(ready=not error, resources=() if error else (resource,))


async def _add_orphan(unit: UnitId) -> Kustomization | None:
    orphan = Kustomization(name_of(unit), {"unit": unit, "source": "", "orphan": True})
    return orphan if await orphan.succeeded() else None


def _some(lines: Sequence[str], most: int) -> list[str]:
    """The first lines, and how many are left out."""
    return [*lines[:most], *([f"... and {len(lines) - most} more"] if len(lines) > most else [])]


def _tell(resource: pulumi.Resource, error: str, warnings: Iterable[str]) -> None:
    if error:
        pulumi.log.error(error, resource)
    for warning in warnings:
        pulumi.log.warn(warning, resource)


def name_of(unit: UnitId) -> str:
    """The Pulumi name of a unit: `namespace/name`; the type tells the kind."""
    return f"{unit.namespace}/{unit.name}"
