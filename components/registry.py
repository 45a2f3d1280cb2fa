"""Outcomes become components, each once, with dependsOn as the engine's own dependencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pulumi

from components.cluster import Cluster
from components.kustomization import Kustomization
from components.source import Source
from weir.flow.clusters import Clusters
from weir.flow.outcome import Outcome, Problem, SourceOutcome, UnitOutcome
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId

NAMED: Final = 20
"""Objects named in one message."""


class Registry:
    """The components of one run."""

    def __init__(self, cluster: Cluster, clusters: Clusters) -> None:
        self._cluster = cluster
        self._clusters = clusters
        self._units: dict[UnitId, pulumi.ComponentResource] = {}
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
            self._add_unit(outcome)

    def _add_source(self, outcome: SourceOutcome) -> None:
        source = Source(name_of(outcome.id), {"spec": outcome.spec})
        self._units[outcome.id] = source
        if outcome.error:
            pulumi.log.error(outcome.error, source)
        for warning in outcome.warnings:
            pulumi.log.warn(warning, source)

    def _add_unit(self, outcome: UnitOutcome) -> None:
        before = [outcome.spec.source, *(item.id for item in outcome.spec.depends_on)]
        after = [self._cluster, *(self._units[unit] for unit in before if unit in self._units)]
        opts = pulumi.ResourceOptions(depends_on=after)
        args = {"unit": outcome.id, "source": str(outcome.spec.source), "orphan": False}
        unit = Kustomization(name_of(outcome.id), args, opts)  # type: ignore[arg-type]
        self._units[outcome.id] = unit
        pulumi.export(
            str(outcome.id), {"revision": unit.revision, "ready": unit.ready, "objects": unit.objects}
        )

    def add_orphan(self, unit: UnitId) -> None:
        """Register a unit that only the cluster remembers, to be removed with its objects."""
        if unit not in self._units:
            args = {"unit": unit, "source": "", "orphan": True}
            self._units[unit] = Kustomization(name_of(unit), args)  # type: ignore[arg-type]

    def finish(self, unsupported: Mapping[UnitId, str]) -> None:
        """Say what is left out and what will be removed. Raises RunError when the tree is incomplete."""
        for unit, where in sorted(unsupported.items()):
            pulumi.log.warn(
                f"{where}: {unit} is not acted on: this version knows GitRepository and Kustomization"
            )
        if self._problems:
            raise pulumi.RunError(
                f"{len(self._problems)} problem(s) above keep the tree incomplete; nothing is removed in this run"
            )
        self._announce_removals()

    def _announce_removals(self) -> None:
        """Name the objects of units that are gone from Git, before the engine deletes them."""
        try:
            records = self._clusters.records.read_all()
        except WeirError:
            return
        for record in records:
            if record.id not in self._units:
                names = [f"delete  {item}" for item, _ in record.inventory]
                more = [f"... and {len(names) - NAMED} more"] if len(names) > NAMED else []
                pulumi.log.info("\n".join([f"{record.id} is no longer declared:", *names[:NAMED], *more]))


def name_of(unit: UnitId) -> str:
    """The Pulumi name of a unit: `namespace/name`; the type tells the kind."""
    return f"{unit.namespace}/{unit.name}"
