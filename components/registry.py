"""Outcomes become components, each once, with dependsOn as the engine's own dependencies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import pulumi

from components.cluster import Cluster
from components.kustomization import Kustomization, KustomizationArgs
from components.source import Source
from weir.flow.clusters import Clusters
from weir.flow.outcome import Outcome, Problem, SourceOutcome, UnitOutcome
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId

NAMED: Final = 20
"""Objects named in one message."""


class Registry:
    """The components of one run. A unit is registered when those it depends on are ready."""

    def __init__(self, cluster: Cluster, clusters: Clusters) -> None:
        self._cluster = cluster
        self._clusters = clusters
        self._sources: dict[UnitId, Source] = {}
        self._units: dict[UnitId, asyncio.Task[Kustomization | None]] = {}
        self._problems: list[str] = []

    def add(self, outcome: Outcome) -> None:
        """Register one outcome. A unit with an error is registered too: it keeps its objects and reports the error."""
        if isinstance(outcome, Problem):
            self._problems.append(outcome.message)
            pulumi.log.error(outcome.message)
            return
        if outcome.error:
            self._problems.append(f"{outcome.id}: {outcome.error}")
        if isinstance(outcome, SourceOutcome):
            self._add_source(outcome)
        else:
            self._units[outcome.id] = asyncio.create_task(self._add_unit(outcome))

    def _add_source(self, outcome: SourceOutcome) -> None:
        source = Source(name_of(outcome.id), {"spec": outcome.spec})
        self._sources[outcome.id] = source
        if outcome.error:
            pulumi.log.error(outcome.error, source)
        for warning in outcome.warnings:
            pulumi.log.warn(warning, source)

    async def _add_unit(self, outcome: UnitOutcome) -> Kustomization | None:
        """The unit once it is ready, None when it failed or was not started."""
        after: list[pulumi.Resource] = [self._cluster]
        if outcome.spec.source in self._sources:
            after.append(self._sources[outcome.spec.source])
        for item in () if outcome.error else outcome.spec.depends_on:
            dependency = await self._units[item.id]
            if dependency is None:
                self._problems.append(
                    f"{outcome.id}: not started: {item.id}, which it depends on, is not ready"
                )
                pulumi.log.warn(self._problems[-1])
                return None
            after.append(dependency)
        args: KustomizationArgs = {"unit": outcome.id, "source": str(outcome.spec.source), "orphan": False}
        unit = Kustomization(name_of(outcome.id), args, pulumi.ResourceOptions(depends_on=after))
        pulumi.export(
            str(outcome.id), {"revision": unit.revision, "ready": unit.ready, "objects": unit.objects}
        )
        return unit if await unit.succeeded() else None

    def add_orphan(self, unit: UnitId) -> None:
        """Register a unit that only the cluster remembers, to be removed with its objects."""
        if unit not in self._units:
            self._units[unit] = asyncio.create_task(_add_orphan(unit))

    async def finish(self, unsupported: Mapping[UnitId, str]) -> None:
        """Wait for all units; say what is left out and what will be removed. Raises RunError when a unit is missing."""
        await asyncio.gather(*self._units.values())
        for unit, where in sorted(unsupported.items()):
            pulumi.log.warn(
                f"{where}: {unit} is not acted on: this version knows GitRepository and Kustomization"
            )
        if self._problems:
            raise pulumi.RunError(
                f"{len(self._problems)} problem(s) above keep the tree incomplete; no unit is removed in this run"
            )
        self._announce_removals()

    def _announce_removals(self) -> None:
        """Name the objects of units that are gone from Git, before the engine deletes them."""
        try:
            records = self._clusters.records.read_all()
        except WeirError:
            return
        for record in records:
            if record.id not in self._units and record.id not in self._sources:
                names = [f"delete  {item}" for item, _ in record.inventory]
                more = [f"... and {len(names) - NAMED} more"] if len(names) > NAMED else []
                pulumi.log.info("\n".join([f"{record.id} is no longer declared:", *names[:NAMED], *more]))


async def _add_orphan(unit: UnitId) -> Kustomization | None:
    orphan = Kustomization(name_of(unit), {"unit": unit, "source": "", "orphan": True})
    return orphan if await orphan.succeeded() else None


def name_of(unit: UnitId) -> str:
    """The Pulumi name of a unit: `namespace/name`; the type tells the kind."""
    return f"{unit.namespace}/{unit.name}"
