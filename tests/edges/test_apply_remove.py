"""Health, tenants, previews of those who may only read, and the end of a unit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.kube import Kube
from tests.support.rights import grant, user_of
from tests.support.units import Unit, config_map, deployment
from weir.edges.kube.discovery import Discovery
from weir.flow.plan import Request, plan_unit
from weir.flow.remove import plan_removal, remove_unit
from weir.flow.repair import Outcome, Repair, hold, repair
from weir.flow.reporting import PruneError
from weir.spec.changes import Action
from weir.spec.errors import GuardError, HealthError
from weir.spec.identity import ObjectId
from weir.spec.record import UnitRecord


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    return Unit(kubeconfig, namespace)


def test_wait_returns_when_the_rollout_is_done(unit: Unit, kube: Kube, namespace: str) -> None:
    unit.must_apply([deployment(namespace, "web", replicas=2)], wait=True, timeout="1m")
    live = kube.get("apps/v1", "Deployment", "web", namespace)
    assert live
    assert live["status"]["readyReplicas"] == 2
    assert unit.plan([deployment(namespace, "web", replicas=2)], wait=True).unhealthy == ""


def test_failed_object_fails_fast_and_names_itself(unit: Unit, kube: Kube, namespace: str) -> None:
    kube.apply(config_map(namespace, "gate", {"state": "bad"}))
    check = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gate", "namespace": namespace}]
    rule = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "current": "data.state == 'good'",
            "failed": "data.state == 'bad'",
        }
    ]
    result = unit.apply([config_map(namespace, "a")], healthChecks=check, healthCheckExprs=rule, timeout="1m")
    assert isinstance(result.error, HealthError)
    assert result.condition.reason == "HealthCheckFailed"
    assert f"ConfigMap/{namespace}/gate" in result.condition.message
    assert unit.owned() == {f"ConfigMap/{namespace}/a"}
    assert unit.plan([config_map(namespace, "a")], healthChecks=check, healthCheckExprs=rule).unhealthy
    kube.patch("v1", "ConfigMap", "gate", namespace, {"data": {"state": "good"}})
    result = unit.must_apply([config_map(namespace, "a")], healthChecks=check, healthCheckExprs=rule)
    assert [(entry.status, entry.count) for entry in result.record.history] == [
        ("ReconciliationSucceeded", 1),
        ("HealthCheckFailed", 1),
    ]


def test_an_expression_that_fails_on_what_is_live_keeps_nothing_from_being_applied(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    check = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gate", "namespace": namespace}]
    rule = [{"apiVersion": "v1", "kind": "ConfigMap", "current": "data.state"}]
    spec: dict[str, Any] = {"healthChecks": check, "healthCheckExprs": rule}
    gate = config_map(namespace, "gate", {"state": "no boolean"})
    for revision, objects in (
        ("1", [gate, config_map(namespace, "a"), config_map(namespace, "b", {"key": "1"})]),
        ("2", [gate, config_map(namespace, "b", {"key": "2"})]),
    ):
        error = unit.apply(objects, revision, **spec).error
        assert error
        assert "boolean" in str(error)
    assert kube.get("v1", "ConfigMap", "a", namespace) is None
    assert (kube.get("v1", "ConfigMap", "b", namespace) or {})["data"] == {"key": "2"}


def test_preview_of_a_reader_is_weaker_and_says_so(unit: Unit, kube: Kube, namespace: str) -> None:
    unit.must_apply([config_map(namespace, "a"), config_map(namespace, "same"), deployment(namespace, "web")])
    grant(kube, namespace, "get", "list", account="viewer")
    reader = unit.kube.acting_as(user_of(namespace, "viewer"))
    objects = [
        config_map(namespace, "a", {"key": "new"}),
        config_map(namespace, "same"),
        config_map(namespace, "b"),
        deployment(namespace, "web", "nginx:2"),
    ]
    record = unit.records.read(unit.spec().id)

    request = Request(kube=reader, discovery=Discovery(reader), spec=unit.spec(), options=unit.options)
    plan = plan_unit(request, [unit.label(obj) for obj in objects], record)
    found = {
        change.id.name: (change.action, [str(item) for item in change.fields])
        for change in plan.changeset.changes
    }
    assert found == {
        "a": (Action.CONFIGURE, ["data.key: value -> new"]),
        "b": (Action.CREATE, []),
        "web": (Action.CONFIGURE, ["spec.template.spec.containers[web].image: nginx:1 -> nginx:2"]),
    }
    assert any("the preview is weaker" in text and "forbidden" in text for text in plan.changeset.warnings)


def test_tenant_applies_with_its_own_rights_only(unit: Unit, kube: Kube, namespace: str) -> None:
    grant(kube, namespace, "*", account="deployer")
    kube_as = unit.kube.acting_as(user_of(namespace, "deployer"))
    unit.kube, unit.discovery = kube_as, Discovery(kube_as)
    unit.must_apply([config_map(namespace, "a")])
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"{namespace}-x"},
        "rules": [],
    }
    result = unit.apply([config_map(namespace, "a"), role])
    assert "forbidden" in result.condition.message
    assert kube.get("rbac.authorization.k8s.io/v1", "ClusterRole", f"{namespace}-x") is None


@pytest.mark.parametrize(
    ("spec", "goes"),
    [
        ({}, True),
        ({"prune": False}, False),
        ({"prune": False, "deletionPolicy": "Delete"}, True),
        ({"deletionPolicy": "WaitForTermination"}, True),
        ({"deletionPolicy": "Orphan"}, False),
    ],
)
def test_deletion_policy(unit: Unit, kube: Kube, namespace: str, spec: dict[str, Any], goes: bool) -> None:
    unit.must_apply([config_map(namespace, "a")], **spec)
    record = unit.records.read(unit.spec().id)
    assert record
    (change,) = plan_removal(unit.clusters(), record).changes
    assert change.action is (Action.DELETE if goes else Action.SKIP)
    unit.remove()
    assert (kube.get("v1", "ConfigMap", "a", namespace) is None) == goes
    assert unit.records.read(unit.spec().id) is None


@pytest.mark.parametrize(
    ("part", "value", "destroying", "goes"),
    [
        ("annotations", "disabled", False, False),
        ("labels", "Disabled", False, False),
        ("annotations", "disabled", True, True),
        ("annotations", "enabled", False, True),
    ],
)
def test_a_unit_that_flux_would_not_prune_leaves_its_objects(
    unit: Unit, kube: Kube, namespace: str, part: str, value: str, *, destroying: bool, goes: bool
) -> None:
    unit.must_apply([config_map(namespace, "a")])
    record = rewritten(unit, lambda meta: meta.update({part: {"kustomize.toolkit.fluxcd.io/prune": value}}))
    remove(unit, record, destroying=destroying)
    assert (kube.get("v1", "ConfigMap", "a", namespace) is None) == goes
    assert unit.records.read(record.id) is None


@pytest.mark.parametrize("prune", [True, False])
def test_a_unit_goes_with_its_document_only_where_its_parent_prunes(
    kubeconfig: Path, kube: Kube, namespace: str, prune: bool
) -> None:
    parent, child = Unit(kubeconfig, namespace, "parent"), Unit(kubeconfig, namespace, "child")
    parent.must_apply([config_map(namespace, "p")], prune=prune)
    child.must_apply([config_map(namespace, "c")])
    record = rewritten(child, lambda meta: meta.update(parent.label({"metadata": meta})["metadata"]))
    (change,) = plan_removal(child.clusters(), record).changes
    why = "" if prune else f"left in place: spec.prune of {parent.spec().id} is false"
    assert (change.action, change.why) == (Action.DELETE if prune else Action.SKIP, why)
    remove(child, record)
    assert (kube.get("v1", "ConfigMap", "c", namespace) is None) == prune


def rewritten(unit: Unit, change: Callable[[dict[str, Any]], None]) -> UnitRecord:
    """The unit's record with other metadata in the unit's own document."""
    record = unit.records.read(unit.spec().id)
    assert record
    document = orjson.loads(record.document)
    change(document["metadata"])
    return replace(record, document=orjson.dumps(document).decode())


def remove(unit: Unit, record: UnitRecord, *, destroying: bool = False) -> None:
    """Remove the unit as this record says."""
    clusters, stop, said = unit.clusters(), threading.Event(), unit.said.append
    remove_unit(clusters, record, unit.options, progress=said, stop=stop, destroying=destroying)


def test_suspended_unit_is_orphaned(unit: Unit, kube: Kube, namespace: str) -> None:
    unit.must_apply([config_map(namespace, "a")])
    unit.must_apply([], suspend=True)
    unit.remove()
    assert kube.get("v1", "ConfigMap", "a", namespace)


def test_removal_leaves_what_another_unit_took_over(kubeconfig: Path, kube: Kube, namespace: str) -> None:
    old, new = Unit(kubeconfig, namespace, "old"), Unit(kubeconfig, namespace, "new")
    old.must_apply([config_map(namespace, "a"), config_map(namespace, "b")])
    new.must_apply([config_map(namespace, "a")])
    old.remove()
    assert kube.get("v1", "ConfigMap", "a", namespace)
    assert kube.get("v1", "ConfigMap", "b", namespace) is None


@pytest.mark.parametrize("mode", ["", "IfNotPresent"])
def test_removal_waits_for_a_successor_but_not_for_one_that_never_writes(
    unit: Unit, kube: Kube, namespace: str, mode: str
) -> None:
    annotations = {"kustomize.toolkit.fluxcd.io/ssa": mode} if mode else {}
    unit.must_apply([config_map(namespace, "a", annotations=annotations)])
    record = unit.records.read(unit.spec().id)
    assert record
    wanted = frozenset({ObjectId("", "ConfigMap", namespace, "a")})

    def remove_old() -> None:
        stop = threading.Event()
        clusters, options, said = unit.clusters(), unit.options, unit.said.append
        remove_unit(clusters, record, options, progress=said, stop=stop, elsewhere=lambda _: wanted)

    if mode:
        remove_old()
    else:
        with pytest.raises(PruneError, match="has not taken it over"):
            remove_old()
    assert kube.get("v1", "ConfigMap", "a", namespace)
    assert (unit.records.read(unit.spec().id) is None) == bool(mode)


def test_removal_of_a_namespace_must_be_allowed(unit: Unit, kube: Kube, namespace: str) -> None:
    new = f"{namespace}-x"
    unit.must_apply(
        [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": new}}, config_map(new, "a")]
    )
    with pytest.raises(GuardError, match=f"Namespace/{new}"):
        unit.remove()
    assert kube.get("v1", "ConfigMap", "a", new)
    assert unit.records.read(unit.spec().id)
    kube.patch("v1", "Namespace", new, None, {"metadata": {"annotations": {"weir.dev/allow-delete": "true"}}})
    unit.remove()
    live = kube.get("v1", "Namespace", new)
    assert live is None or live["metadata"]["deletionTimestamp"]


def test_finalizer_that_holds_a_pruned_object_is_reported_and_remembered(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    unit.must_apply([config_map(namespace, "a"), config_map(namespace, "b")])
    kube.patch("v1", "ConfigMap", "b", namespace, {"metadata": {"finalizers": ["example.com/hold"]}})
    unit.must_apply([config_map(namespace, "a")])
    assert unit.owned() == {f"ConfigMap/{namespace}/a", f"ConfigMap/{namespace}/b"}
    (change,) = unit.plan([config_map(namespace, "a")]).changeset.changes
    assert change.action is Action.SKIP
    assert "held by example.com/hold" in change.why
    kube.patch("v1", "ConfigMap", "b", namespace, {"metadata": {"finalizers": None}})
    unit.must_apply([config_map(namespace, "a")])
    assert unit.owned() == {f"ConfigMap/{namespace}/a"}


def test_what_is_being_removed_is_not_brought_back(unit: Unit, kube: Kube, namespace: str) -> None:
    objects = [config_map(namespace, "a"), config_map(namespace, "b")]
    unit.must_apply(objects, "1")
    held = hold(unit.request(unit.spec()), [unit.label(obj) for obj in objects], "sha256:1")
    met: list[Repair] = []

    def look(said: str = "deleted") -> None:
        if said.startswith("deleted"):
            item = ObjectId("", "ConfigMap", namespace, "a")
            met.append(repair(held, item, unit.records, threading.Event()))

    look()
    unit.remove(progress=look)
    look()
    assert [done.outcome for done in met] == [Outcome.SAME, Outcome.LEFT, Outcome.LEFT]
    assert "is at work on its unit" in met[1].text
    assert kube.get("v1", "ConfigMap", "a", namespace) is None
