"""Whether an applied object has become what it should be.

Rule: kstatus (sigs.k8s.io/cli-utils, pkg/kstatus/status) as kustomize-controller uses it: a Job counts only when it
is complete (fluxcd/pkg runtime/statusreaders), and `healthCheckExprs` replace the rules of their kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from weir.objects import cel
from weir.objects.values import Json, Obj
from weir.spec.kustomization import HealthExpr

Status = Literal["Current", "InProgress", "Failed", "NotFound"]
UNSCHEDULABLE_AFTER: Final = 15.0
"""Seconds that a new pod may look for a node before it counts as failed."""
_NO_DEADLINE: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Health:
    """One object's health, and why."""

    status: Status
    message: str


def health(obj: Obj | None, exprs: Sequence[HealthExpr] = (), *, now: datetime | None = None) -> Health:
    """The health of a live object; None is `NotFound`.

    Of `exprs` those of the object's group and kind count, asked in Flux's order (in progress, failed, current); an
    expression over a field that is not there means wait. `now` is needed only to call a pod unschedulable.

    Raises:
        SpecError: an expression that cannot be evaluated whatever the object becomes; names it.
    """
    if obj is None:
        return Health("NotFound", "not found")
    generation = _generation(obj)
    expr = _expression(obj, exprs)
    if expr is not None:
        return generation or _by_expression(obj, expr)
    if _text(obj, "metadata", "deletionTimestamp"):
        return Health("InProgress", "is being deleted")
    found = generation or _standard_conditions(obj)
    if found is not None:
        return found
    if (_group(obj), obj.get("kind")) == ("", "Pod"):
        return _pod(obj, now)
    rule = _RULES.get((_group(obj), str(obj.get("kind"))), _by_ready)
    return rule(obj)


def _expression(obj: Obj, exprs: Sequence[HealthExpr]) -> HealthExpr | None:
    group, kind = _group(obj), obj.get("kind")
    same = [
        expr
        for expr in exprs
        if _group({"apiVersion": expr.api_version}) == group and expr.kind in ("", kind)
    ]
    return min(same, key=lambda expr: not expr.kind, default=None)


def _by_expression(obj: Obj, rules: HealthExpr) -> Health:
    asked: tuple[tuple[str, str, Status], ...] = (
        ("inProgress", rules.in_progress, "InProgress"),
        ("failed", rules.failed, "Failed"),
        ("current", rules.current, "Current"),
    )
    for name, text, status in asked:
        answer = cel.judge(text, obj) if text else False
        if answer is None:
            return Health("InProgress", f"healthCheckExprs {name}: a field is not there yet: {text}")
        if answer:
            return Health(status, f"healthCheckExprs {name}: {text}")
    return Health("InProgress", f"healthCheckExprs current: not true yet: {rules.current}")


def _group(obj: Obj) -> str:
    group, slash, _ = str(obj.get("apiVersion", "")).rpartition("/")
    return group if slash else ""


def _get(obj: Obj, *path: str) -> Json:
    node: Json = obj
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _number(obj: Obj, *path: str, default: int = 0) -> int:
    found = _get(obj, *path)
    return int(found) if isinstance(found, int | float) and not isinstance(found, bool) else default


def _text(obj: Obj, *path: str, default: str = "") -> str:
    found = _get(obj, *path)
    return found if isinstance(found, str) else default


def _conditions(obj: Obj) -> list[Obj]:
    found = _get(obj, "status", "conditions")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _condition(obj: Obj, kind: str) -> Obj:
    """The condition of that type; empty when there is none."""
    return next((item for item in _conditions(obj) if item.get("type") == kind), {})


def _say(condition: Obj) -> str:
    parts = (str(condition.get("reason") or ""), str(condition.get("message") or ""))
    return (
        ": ".join(part for part in parts if part) or f"{condition.get('type')} is {condition.get('status')}"
    )


def _generation(obj: Obj) -> Health | None:
    wanted, seen = _get(obj, "metadata", "generation"), _get(obj, "status", "observedGeneration")
    if isinstance(wanted, int) and isinstance(seen, int) and wanted != seen:
        return Health("InProgress", f"generation is {wanted}, but latest observed generation is {seen}")
    return None


def _standard_conditions(obj: Obj) -> Health | None:
    for item in _conditions(obj):
        if item.get("type") == "Reconciling" and item.get("status") == "True":
            return Health("InProgress", _say(item))
        if item.get("type") == "Stalled" and item.get("status") == "True":
            return Health("Failed", _say(item))
    return None


def _by_ready(obj: Obj) -> Health:
    ready = _condition(obj, "Ready")
    if ready.get("status") == "True":
        return Health("Current", "is ready")
    if ready.get("status") in ("False", "Unknown"):
        return Health("InProgress", _say(ready))
    return Health("Current", "is current")


def _always(obj: Obj) -> Health:
    return Health("Current", f"{obj.get('kind')} is always ready")


def _first(*checks: tuple[bool, str]) -> Health | None:
    """The first reason to wait."""
    return next((Health("InProgress", message) for waits, message in checks if waits), None)


def _deployment(obj: Obj) -> Health:
    progressing = _condition(obj, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Health("Failed", _say(progressing))
    no_deadline = _number(obj, "spec", "progressDeadlineSeconds", default=_NO_DEADLINE) == _NO_DEADLINE
    rolled = progressing.get("status") == "True" and progressing.get("reason") == "NewReplicaSetAvailable"
    wanted = _number(obj, "spec", "replicas", default=1)
    present, updated = _number(obj, "status", "replicas"), _number(obj, "status", "updatedReplicas")
    ready, available = _number(obj, "status", "readyReplicas"), _number(obj, "status", "availableReplicas")
    return _first(
        (wanted > present, f"replicas: {present}/{wanted}"),
        (wanted > updated, f"updated: {updated}/{wanted}"),
        (present > wanted, f"pending termination: {present - wanted}"),
        (updated > available, f"available: {available}/{updated}"),
        (wanted > ready, f"ready: {ready}/{wanted}"),
        (not (no_deadline or rolled), "its new ReplicaSet is not available"),
        (_condition(obj, "Available").get("status") != "True", "is not available"),
    ) or Health("Current", f"is available, replicas: {present}")


def _stateful_set(obj: Obj) -> Health:
    if _text(obj, "spec", "updateStrategy", "type") == "OnDelete":
        return Health("Current", "updates on delete")
    wanted = _number(obj, "spec", "replicas", default=1)
    present, ready = _number(obj, "status", "replicas"), _number(obj, "status", "readyReplicas")
    current, updated = _number(obj, "status", "currentReplicas"), _number(obj, "status", "updatedReplicas")
    partition = _number(obj, "spec", "updateStrategy", "rollingUpdate", "partition", default=-1)
    waits = _first(
        (wanted > present, f"replicas: {present}/{wanted}"),
        (wanted > ready, f"ready: {ready}/{wanted}"),
        (present > wanted, f"pending termination: {present - wanted}"),
    )
    if waits is None and partition != -1:
        return _first((updated < wanted - partition, f"updated: {updated}/{wanted - partition}")) or Health(
            "Current", f"partition rollout complete, updated: {updated}"
        )
    same_revision = _text(obj, "status", "currentRevision") == _text(obj, "status", "updateRevision")
    return (
        waits
        or _first(
            (wanted > current, f"current: {current}/{wanted}"),
            (not same_revision, "waits for the updated revision to become current"),
        )
        or Health("Current", f"all replicas are as expected, replicas: {present}")
    )


def _daemon_set(obj: Obj) -> Health:
    for path in (
        ("metadata", "generation"),
        ("status", "observedGeneration"),
        ("status", "desiredNumberScheduled"),
    ):
        if not isinstance(_get(obj, *path), int):
            return Health("InProgress", f"{'.'.join(path)} is not set yet")
    wanted = _number(obj, "status", "desiredNumberScheduled")
    counts = {
        "current": _number(obj, "status", "currentNumberScheduled"),
        "updated": _number(obj, "status", "updatedNumberScheduled"),
        "available": _number(obj, "status", "numberAvailable"),
        "ready": _number(obj, "status", "numberReady"),
    }
    checks = ((wanted > count, f"{name}: {count}/{wanted}") for name, count in counts.items())
    return _first(*checks) or Health("Current", f"all pods are as expected, pods: {wanted}")


def _replica_set(obj: Obj) -> Health:
    failure = _condition(obj, "ReplicaFailure")
    wanted, present = _number(obj, "spec", "replicas", default=1), _number(obj, "status", "replicas")
    labelled, ready = _number(obj, "status", "fullyLabeledReplicas"), _number(obj, "status", "readyReplicas")
    available = _number(obj, "status", "availableReplicas")
    return _first(
        (failure.get("status") == "True", _say(failure)),
        (wanted > labelled, f"labelled: {labelled}/{wanted}"),
        (wanted > available, f"available: {available}/{wanted}"),
        (wanted > ready, f"ready: {ready}/{wanted}"),
        (present > wanted, f"pending termination: {present - wanted}"),
    ) or Health("Current", f"is available, replicas: {present}")


def _job(obj: Obj) -> Health:
    if _get(obj, "spec", "suspend") is True:
        return Health("Current", "is suspended")
    completions = _number(obj, "spec", "completions", default=_number(obj, "spec", "parallelism", default=1))
    succeeded, failed = _number(obj, "status", "succeeded"), _number(obj, "status", "failed")
    for item in _conditions(obj):
        if item.get("status") == "True" and item.get("type") == "Complete":
            return Health("Current", f"completed, succeeded: {succeeded}/{completions}")
        if item.get("status") == "True" and item.get("type") == "Failed":
            return Health("Failed", f"failed: {failed}/{completions}: {_say(item)}")
    if not _text(obj, "status", "startTime"):
        return Health("InProgress", "has not started")
    return Health("InProgress", f"runs, succeeded: {succeeded}/{completions}, failed: {failed}")


def _pod(obj: Obj, now: datetime | None) -> Health:
    phase = _text(obj, "status", "phase")
    if phase in ("Succeeded", "Failed"):
        return Health("Current", f"has completed, phase: {phase}")
    if phase == "Running":
        if _condition(obj, "Ready").get("status") == "True":
            return Health("Current", "is ready")
        looping = _crash_looping(obj)
        if looping:
            return Health("Failed", f"containers crash: {', '.join(looping)}")
        return Health("InProgress", "runs but is not ready")
    scheduled = _condition(obj, "PodScheduled")
    if (
        phase == "Pending"
        and scheduled.get("status") == "False"
        and scheduled.get("reason") == "Unschedulable"
    ):
        waited = _age(obj, now) > UNSCHEDULABLE_AFTER
        return Health("Failed" if waited else "InProgress", f"has no node: {_say(scheduled)}")
    return Health("InProgress", f"phase: {phase or 'not set yet'}")


def _crash_looping(obj: Obj) -> list[str]:
    statuses = _get(obj, "status", "containerStatuses")
    return [
        str(item.get("name"))
        for item in (statuses if isinstance(statuses, list) else [])
        if isinstance(item, dict) and _text(item, "state", "waiting", "reason") == "CrashLoopBackOff"
    ]


def _age(obj: Obj, now: datetime | None) -> float:
    """Seconds since creation; 0 when no time was given or none can be read."""
    try:
        created = datetime.fromisoformat(_text(obj, "metadata", "creationTimestamp"))
    except ValueError:
        return 0.0
    return (now - created.replace(tzinfo=created.tzinfo or UTC)).total_seconds() if now else 0.0


def _claim(obj: Obj) -> Health:
    phase = _text(obj, "status", "phase", default="unknown")
    return Health("Current" if phase == "Bound" else "InProgress", f"phase: {phase}")


def _service(obj: Obj) -> Health:
    if _text(obj, "spec", "type") == "LoadBalancer" and not _text(obj, "spec", "clusterIP"):
        return Health("InProgress", "has no clusterIP yet")
    return Health("Current", "is ready")


def _definition(obj: Obj) -> Health:
    for item in _conditions(obj):
        refused = item.get("status") == "False"
        if item.get("type") == "NamesAccepted" and refused:
            return Health("Failed", _say(item))
        if item.get("type") == "Established" and refused and item.get("reason") != "Installing":
            return Health("Failed", _say(item))
        if item.get("type") == "Established" and item.get("status") == "True":
            return Health("Current", "is established")
    return Health("InProgress", "is being installed")


_RULES: Final[dict[tuple[str, str], Callable[[Obj], Health]]] = {
    ("", "ConfigMap"): _always,
    ("", "Secret"): _always,
    ("", "Service"): _service,
    ("", "PersistentVolumeClaim"): _claim,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "CronJob"): _always,
    ("batch", "Job"): _job,
    ("policy", "PodDisruptionBudget"): _always,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}
