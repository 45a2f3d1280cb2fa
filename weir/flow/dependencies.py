"""readyExpr: a dependency's own rule of readiness, in place of the built-in one.

Rule: https://fluxcd.io/flux/components/kustomize/kustomizations/#dependency-ready-expression
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weir.edges.kube.records import Records
from weir.flow.digest import document_digest
from weir.objects import cel
from weir.spec.artifact import short_revision
from weir.spec.documents import Document
from weir.spec.errors import HealthError
from weir.spec.identity import UnitId
from weir.spec.kustomization import KustomizationSpec
from weir.spec.record import UnitRecord


def check_ready_exprs(
    spec: KustomizationSpec, records: Records, declared: Callable[[UnitId], Document]
) -> None:
    """Evaluate every readyExpr of a unit over `self` and `dep`: documents of this run, with their records' status.

    `declared` gives a unit's document, and raises WeirError when there is none.

    Raises:
        HealthError: a rule does not hold now.
        SpecError: a rule is not valid CEL.
        ClusterError: a record cannot be read.
    """
    rules = [item for item in spec.depends_on if item.ready_expr]
    if not rules:
        return

    def read(unit: UnitId) -> tuple[UnitRecord | None, dict[str, Any]]:
        record = records.read(unit)
        return record, as_flux_object(unit, declared(unit), record)

    _, itself = read(spec.id)
    for item in rules:
        found, dependency = read(item.id)
        if not cel.evaluate(item.ready_expr, {"self": itself, "dep": dependency}):
            revision = short_revision(found.revision) if found else "nothing yet"
            raise HealthError(
                f"{spec.where}: spec.dependsOn: {item.id} at {revision}: readyExpr does not hold: {item.ready_expr}",
                hint="the next run looks again",
            )


def check_expressions(spec: KustomizationSpec) -> None:
    """Refuse rules that are not valid CEL before anything is touched (in Flux: terminal, Stalled). Raises SpecError."""
    for item in spec.depends_on:
        if item.ready_expr:
            cel.compile_check(item.ready_expr, ("self", "dep"))
    for rule in spec.health_exprs:
        for expr in filter(None, (rule.current, rule.in_progress, rule.failed)):
            cel.compile_check(expr)


def as_flux_object(unit: UnitId, document: Document, record: UnitRecord | None) -> dict[str, Any]:
    """The unit's document with the status that Flux would write.

    A record counts no generations: `metadata.generation` is 1 while the unit is ready with the document as it is,
    else 2; `status.observedGeneration` is 1, or -1 for a unit that was never applied.
    """
    meta = {"namespace": unit.namespace, **document.data["metadata"]}
    if record is None:
        return {**document.data, "metadata": {**meta, "generation": 1}, "status": {"observedGeneration": -1}}
    current = record.spec_digest in ("", document_digest(document))
    ready = record.ready is not None and record.ready.status == "True"
    generation = 1 if current and ready else 2
    return {**document.data, "metadata": {**meta, "generation": generation}, "status": flux_status(record)}


def flux_status(record: UnitRecord) -> dict[str, Any]:
    """Ready condition, revisions and inventory, at generation 1."""
    told: dict[str, Any] = {"type": "Ready", "observedGeneration": 1}
    if ready := record.ready:
        told |= {"status": ready.status, "reason": ready.reason, "message": ready.message}
        told |= {"lastTransitionTime": ready.at} if ready.at else {}
    return {
        "conditions": [told] if ready else [],
        "observedGeneration": 1,
        "lastAppliedRevision": record.revision,
        "lastAttemptedRevision": record.attempted,
        "inventory": {"entries": [{"id": item.entry, "v": version} for item, version in record.inventory]},
    }
