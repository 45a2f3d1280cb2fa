"""readyExpr: a dependency's own rule of readiness, beside the engine's order.

Rule: https://fluxcd.io/flux/components/kustomize/kustomizations/#dependency-ready-expression
"""

from __future__ import annotations

from typing import Any

import orjson

from weir.edges.kube.records import Records
from weir.objects import cel
from weir.spec.artifact import short_revision
from weir.spec.errors import HealthError
from weir.spec.kustomization import KustomizationSpec
from weir.spec.record import UnitRecord


def check_ready_exprs(spec: KustomizationSpec, records: Records) -> None:
    """Evaluate every readyExpr of a unit over `self` and `dep`, both as Flux's status would show them.

    Raises:
        HealthError: a rule does not hold now.
        SpecError: a rule is not valid CEL.
        ClusterError: a record cannot be read.
    """
    rules = [item for item in spec.depends_on if item.ready_expr]
    if not rules:
        return
    own = records.read(spec.id)
    itself = as_flux_object(own) if own else dict(spec.raw)
    for item in rules:
        found = records.read(item.id)
        dependency = as_flux_object(found) if found else {}
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


def as_flux_object(record: UnitRecord) -> dict[str, Any]:
    """The unit's document with the status that Flux would write: Ready condition and revisions."""
    document: dict[str, Any] = orjson.loads(record.document or "{}")
    ready = record.ready
    conditions = []
    if ready:
        conditions.append(
            {"type": "Ready", "status": ready.status, "reason": ready.reason, "message": ready.message}
        )
    status = {
        "conditions": conditions,
        "lastAppliedRevision": record.revision,
        "lastAttemptedRevision": record.attempted,
        "inventory": {"entries": [{"id": item.entry, "v": version} for item, version in record.inventory]},
    }
    return {**document, "status": status}
