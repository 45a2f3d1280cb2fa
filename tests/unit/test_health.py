"""Health as kstatus and kustomize-controller see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from weir.objects.health import Health, health
from weir.spec.errors import SpecError
from weir.spec.kustomization import HealthExpr

Obj = dict[str, Any]


def obj(kind: str, api: str = "apps/v1", *, spec: Obj | None = None, **status: Any) -> Obj:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": spec or {}, "status": status}


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> Obj:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def rolled(**changes: Any) -> Obj:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
    conditions = [condition("Progressing", reason="NewReplicaSetAvailable"), condition("Available")]
    status = {**counts, "conditions": conditions, **changes}
    return obj("Deployment", spec={"replicas": 2, "progressDeadlineSeconds": 600}, **status)


def stateful(**changes: Any) -> Obj:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "currentReplicas"), 2)
    status = {**counts, "currentRevision": "a", "updateRevision": "a", **changes}
    return obj("StatefulSet", spec={"replicas": 2}, **status)


def daemon(**changes: Any) -> Obj:
    names = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberReady",
    )
    found = obj("DaemonSet", **{**dict.fromkeys(names, 3), "observedGeneration": 1, **changes})
    found["metadata"]["generation"] = 1
    return found


def replicas(**changes: Any) -> Obj:
    names = ("replicas", "fullyLabeledReplicas", "availableReplicas", "readyReplicas")
    return obj("ReplicaSet", spec={"replicas": 2}, **{**dict.fromkeys(names, 2), **changes})


def job(*conditions: Obj, **status: Any) -> Obj:
    return obj("Job", "batch/v1", conditions=list(conditions), **status)


def pod(phase: str, *conditions: Obj, **status: Any) -> Obj:
    return obj("Pod", "v1", phase=phase, conditions=list(conditions), **status)


def definition(*conditions: Obj) -> Obj:
    return obj("CustomResourceDefinition", "apiextensions.k8s.io/v1", conditions=list(conditions))


def custom(*conditions: Obj, **status: Any) -> Obj:
    return obj("Widget", "example.com/v1", conditions=list(conditions), **status)


CRASHING = {"containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}
CASES: list[tuple[Obj, str, str]] = [
    (rolled(), "Current", "available"),
    (rolled(replicas=1), "InProgress", "replicas: 1/2"),
    (rolled(updatedReplicas=1), "InProgress", "updated: 1/2"),
    (rolled(replicas=3), "InProgress", "pending termination: 1"),
    (rolled(availableReplicas=1), "InProgress", "available: 1/2"),
    (rolled(readyReplicas=1), "InProgress", "ready: 1/2"),
    (rolled(conditions=[condition("Available")]), "InProgress", "ReplicaSet"),
    (
        rolled(conditions=[condition("Progressing", reason="NewReplicaSetAvailable")]),
        "InProgress",
        "not available",
    ),
    (
        rolled(conditions=[condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out")]),
        "Failed",
        "ProgressDeadlineExceeded: timed out",
    ),
    (obj("Deployment"), "InProgress", "replicas: 0/1"),
    (stateful(), "Current", "as expected"),
    (stateful(replicas=1), "InProgress", "replicas: 1/2"),
    (stateful(readyReplicas=1), "InProgress", "ready: 1/2"),
    (stateful(replicas=3), "InProgress", "pending termination: 1"),
    (stateful(currentReplicas=1), "InProgress", "current: 1/2"),
    (stateful(updateRevision="b"), "InProgress", "revision"),
    (obj("StatefulSet", spec={"updateStrategy": {"type": "OnDelete"}}), "Current", "delete"),
    (daemon(), "Current", "pods: 3"),
    (daemon(numberReady=2), "InProgress", "ready: 2/3"),
    (daemon(updatedNumberScheduled=1), "InProgress", "updated: 1/3"),
    (daemon(observedGeneration=None), "InProgress", "status.observedGeneration is not set"),
    (daemon(desiredNumberScheduled=None), "InProgress", "desiredNumberScheduled"),
    (replicas(), "Current", "replicas: 2"),
    (replicas(fullyLabeledReplicas=1), "InProgress", "labelled: 1/2"),
    (replicas(conditions=[condition("ReplicaFailure", message="quota")]), "InProgress", "quota"),
    (job(), "InProgress", "not started"),
    (job(startTime="2026-01-01T00:00:00Z", active=1), "InProgress", "runs"),
    (job(condition("Complete"), succeeded=1), "Current", "succeeded: 1/1"),
    (job(condition("Failed", message="BackoffLimitExceeded"), failed=1), "Failed", "BackoffLimitExceeded"),
    (job(condition("Failed", "False"), startTime="x"), "InProgress", "runs"),
    (obj("Job", "batch/v1", spec={"suspend": True}), "Current", "suspended"),
    (pod("Succeeded"), "Current", "Succeeded"),
    (pod("Failed"), "Current", "Failed"),
    (pod("Running", condition("Ready")), "Current", "ready"),
    (pod("Running", condition("Ready", "False")), "InProgress", "not ready"),
    (pod("Running", condition("Ready", "False"), **CRASHING), "Failed", "web"),
    (pod("Pending"), "InProgress", "Pending"),
    (obj("Pod", "v1"), "InProgress", "not set"),
    (obj("PersistentVolumeClaim", "v1", phase="Bound"), "Current", "Bound"),
    (obj("PersistentVolumeClaim", "v1", phase="Pending"), "InProgress", "Pending"),
    (obj("Service", "v1", spec={"type": "LoadBalancer"}), "InProgress", "clusterIP"),
    (obj("Service", "v1", spec={"type": "LoadBalancer", "clusterIP": "10.0.0.1"}), "Current", "ready"),
    (obj("Service", "v1"), "Current", "ready"),
    (obj("ConfigMap", "v1"), "Current", "always"),
    (obj("CronJob", "batch/v1"), "Current", "always"),
    (obj("PodDisruptionBudget", "policy/v1"), "Current", "always"),
    (definition(), "InProgress", "installed"),
    (definition(condition("Established")), "Current", "established"),
    (definition(condition("Established", "False", "Installing")), "InProgress", "installed"),
    (definition(condition("Established", "False", "Broken")), "Failed", "Broken"),
    (definition(condition("NamesAccepted", "False", "PluralConflict")), "Failed", "PluralConflict"),
    (custom(), "Current", "current"),
    (custom(condition("Ready")), "Current", "ready"),
    (custom(condition("Ready", "False", "Waiting", "for db")), "InProgress", "Waiting: for db"),
    (custom(condition("Ready", "Unknown")), "InProgress", "Ready is Unknown"),
    (custom(condition("Ready"), condition("Reconciling", reason="Progressing")), "InProgress", "Progressing"),
    (custom(condition("Ready"), condition("Stalled", reason="Invalid")), "Failed", "Invalid"),
    (custom(condition("Ready"), condition("Stalled", "False")), "Current", "ready"),
    ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}, "Current", "current"),
    ({"apiVersion": "x.io/v1", "kind": "W", "metadata": None, "status": []}, "Current", "current"),
    ({"apiVersion": "x.io/v1", "kind": "W", "status": {"conditions": "odd"}}, "Current", "current"),
]


@pytest.mark.parametrize(
    ("found", "status", "message"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_rule_of_each_kind(found: Obj, status: str, message: str) -> None:
    answer = health(found)
    assert answer.status == status
    assert message in answer.message


def test_an_absent_object_is_not_found() -> None:
    assert health(None).status == "NotFound"


@pytest.mark.parametrize("found", [rolled(), custom(condition("Ready")), pod("Running", condition("Ready"))])
def test_an_old_generation_is_waited_for(found: Obj) -> None:
    found["metadata"]["generation"] = 4
    found["status"]["observedGeneration"] = 3
    assert health(found) == Health("InProgress", "generation is 4, but latest observed generation is 3")


def test_an_object_that_is_being_deleted_is_not_current() -> None:
    found = custom(condition("Ready"))
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert health(found).status == "InProgress"


def test_a_partitioned_rollout_is_current_when_its_part_is_updated() -> None:
    found = stateful(updatedReplicas=1, updateRevision="b")
    found["spec"]["updateStrategy"] = {"rollingUpdate": {"partition": 1}}
    assert health(found).status == "Current"
    found["status"]["updatedReplicas"] = 0
    assert health(found).status == "InProgress"


def test_a_deployment_without_a_deadline_needs_no_progressing_condition() -> None:
    found = rolled(conditions=[condition("Available")])
    del found["spec"]["progressDeadlineSeconds"]
    assert health(found).status == "Current"


def test_an_unschedulable_pod_fails_after_fifteen_seconds() -> None:
    found = pod("Pending", condition("PodScheduled", "False", "Unschedulable", "0/3 nodes"))
    found["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    created = datetime(2026, 1, 1, tzinfo=UTC)
    assert health(found).status == "InProgress"
    assert health(found, now=created + timedelta(seconds=14)).status == "InProgress"
    assert health(found, now=created + timedelta(seconds=16)).status == "Failed"


EXPR = HealthExpr(
    api_version="example.com/v1beta1",
    kind="Widget",
    in_progress="status.phase == 'Busy'",
    failed="status.phase == 'Broken'",
    current="status.phase == 'Done'",
)


@pytest.mark.parametrize(
    ("phase", "status"),
    [("Busy", "InProgress"), ("Broken", "Failed"), ("Done", "Current"), ("Other", "InProgress")],
)
def test_expressions_replace_the_rules_of_their_kind(phase: str, status: str) -> None:
    assert health(custom(condition("Ready", "False"), phase=phase), [EXPR]).status == status


def test_an_expression_over_an_absent_field_waits_and_names_itself() -> None:
    answer = health(custom(condition("Ready")), [EXPR])
    assert answer.status == "InProgress"
    assert EXPR.in_progress in answer.message


def test_an_expression_waits_for_the_generation_too() -> None:
    found = custom(phase="Done", observedGeneration=1)
    found["metadata"]["generation"] = 2
    assert health(found, [EXPR]).status == "InProgress"


def test_expressions_of_other_kinds_and_groups_do_not_count() -> None:
    other = HealthExpr(api_version="example.com/v1", kind="Gadget", current="false")
    foreign = HealthExpr(api_version="other.com/v1", kind="Widget", current="false")
    assert health(custom(condition("Ready")), [other, foreign]).status == "Current"


def test_an_expression_without_a_kind_counts_for_its_group_unless_one_names_the_kind() -> None:
    whole = HealthExpr(api_version="example.com/v1", kind="", current="false")
    assert health(custom(), [whole]).status == "InProgress"
    exact = HealthExpr(api_version="example.com/v1", kind="Widget", current="true")
    assert health(custom(), [whole, exact]).status == "Current"


def test_a_broken_expression_is_an_error() -> None:
    with pytest.raises(SpecError, match="boolean"):
        health(
            custom(phase="Done"),
            [HealthExpr(api_version="example.com/v1", kind="Widget", current="status.phase")],
        )
