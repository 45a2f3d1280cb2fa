"""One drifted object brought back on a real API server, and everything that must be left alone."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.kube import Kube, wait_for
from tests.support.repairs import Watched, meanwhile
from tests.support.units import Unit, config_map, deployment, secret
from weir.edges.kube import writing
from weir.edges.kube.records import Running
from weir.flow.repair import POLICY, Outcome
from weir.spec.identity import ObjectId

Obj = dict[str, Any]

SSA = "kustomize.toolkit.fluxcd.io/ssa"
RECONCILE = "kustomize.toolkit.fluxcd.io/reconcile"


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    return Unit(kubeconfig, namespace)


def edit(kube: Kube, namespace: str, name: str, manager: str = "somebody", **data: str) -> Obj:
    """Set data of a ConfigMap as a person does."""
    path = kube.path("v1", "ConfigMap", namespace, name) + f"?fieldManager={manager}"
    done: Obj = kube.request("PATCH", path, {"data": data}, "application/merge-patch+json")
    return done


def data_of(kube: Kube, namespace: str, name: str) -> dict[str, str]:
    found = kube.get("v1", "ConfigMap", name, namespace)
    assert found is not None
    values: dict[str, str] = found["data"]
    return values


def test_an_edited_field_is_brought_back_and_told_with_who_changed_it(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours", "same": "1"})])
    edit(kube, namespace, "a", key="theirs")
    done = watched.repair("a")
    assert (done.outcome, done.text) == (
        Outcome.REPAIRED,
        "data.key: theirs -> ours (changed by somebody)",
    )
    assert data_of(kube, namespace, "a") == {"key": "ours", "same": "1"}
    assert watched.repair("a").outcome is Outcome.SAME


def is_rolled_out(kube: Kube, namespace: str, name: str, replicas: int) -> bool:
    """Whether a Deployment is as it was asked for: its controller has nothing more to write."""
    live = kube.get("apps/v1", "Deployment", name, namespace)
    assert live is not None
    status = live["status"]
    counts = [status.get(key) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return status.get("observedGeneration") == live["metadata"]["generation"] and counts == [replicas] * 3


def test_what_kubectl_set_in_our_fields_is_brought_back(unit: Unit, kube: Kube, namespace: str) -> None:
    objects = [deployment(namespace, "web", image="nginx:1")]
    watched = Watched(unit, objects)
    path = kube.path("apps/v1", "Deployment", namespace, "web") + "?fieldManager=kubectl-edit"
    containers = [{"name": "web", "image": "nginx:2"}]
    patch = {"spec": {"replicas": 3, "template": {"spec": {"containers": containers}}}}
    kube.request("PATCH", path, patch, "application/strategic-merge-patch+json")
    # who changed it is told by the first try only, and a status that is written meanwhile makes another one
    wait_for(lambda: is_rolled_out(kube, namespace, "web", 3))
    done = watched.repair("web", "Deployment", "apps")
    assert done.outcome is Outcome.REPAIRED
    assert "spec.replicas: 3 -> 0" in done.text
    assert "nginx:2 -> nginx:1" in done.text
    assert "kubectl-edit" in done.text
    live = kube.get("apps/v1", "Deployment", "web", namespace)
    assert live is not None
    assert (live["spec"]["replicas"], live["spec"]["template"]["spec"]["containers"][0]["image"]) == (
        0,
        "nginx:1",
    )


def test_many_fields_are_told_as_a_few_and_a_count(unit: Unit, kube: Kube, namespace: str) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {f"key-{n}": "ours" for n in range(9)})])
    edit(kube, namespace, "a", **{f"key-{n}": "theirs" for n in range(9)})
    done = watched.repair("a")
    assert done.text.count("theirs -> ours") == 3
    assert "and 6 more fields (changed by somebody)" in done.text


def test_values_of_secrets_are_masked(unit: Unit, kube: Kube, namespace: str) -> None:
    watched = Watched(unit, [secret(namespace, "s", stringData={"password": "correct-horse"})])
    kube.patch("v1", "Secret", "s", namespace, {"stringData": {"password": "battery-staple"}})
    done = watched.repair("s", "Secret")
    assert done.outcome is Outcome.REPAIRED
    assert "data.password: *** (before) -> *** (after)" in done.text
    live = kube.get("v1", "Secret", "s", namespace)
    assert live is not None
    assert live["data"] == {"password": "Y29ycmVjdC1ob3JzZQ=="}


def test_values_of_objects_that_were_confidential_before_are_masked(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})])
    stored = unit.records.load(unit.spec().id)
    assert stored
    secretive = frozenset({ObjectId("", "ConfigMap", namespace, "a")})
    unit.records.write(replace(stored.record, confidential=secretive), expected=stored.version)
    edit(kube, namespace, "a", key="correct-horse")
    done = watched.repair("a")
    assert done.outcome is Outcome.REPAIRED
    assert "data.key: *** (before) -> *** (after)" in done.text


def test_a_deleted_object_comes_back(unit: Unit, kube: Kube, namespace: str) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"}), config_map(namespace, "b")])
    kube.delete("v1", "ConfigMap", "a", namespace)
    done = watched.repair("a")
    assert (done.outcome, done.text) == (Outcome.REPAIRED, "was deleted")
    assert data_of(kube, namespace, "a") == {"key": "ours"}
    live = kube.get("v1", "ConfigMap", "a", namespace)
    assert live is not None
    assert [entry["operation"] for entry in live["metadata"]["managedFields"]] == ["Apply"], (
        "a field that leaves Git later must go"
    )
    assert unit.plan(
        [config_map(namespace, "a", {"key": "ours"}), config_map(namespace, "b")]
    ).changeset.empty


def test_a_stop_leaves_no_object_half_made(
    unit: Unit, kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = [config_map(namespace, "a", {"key": "ours"})]
    watched = Watched(unit, objects)
    kube.delete("v1", "ConfigMap", "a", namespace)
    create, stop = writing.create, threading.Event()

    def create_and_stop(*arguments: Any) -> Obj:
        made = create(*arguments)
        stop.set()
        return made

    monkeypatch.setattr(writing, "create", create_and_stop)
    assert watched.repair("a", stop=stop).outcome is Outcome.REPAIRED
    assert unit.plan(objects).changeset.empty, "it is as the apply of a run leaves it"


def test_our_labels_come_back(unit: Unit, kube: Kube, namespace: str) -> None:
    watched = Watched(unit, [config_map(namespace, "a")])
    label = "kustomize.toolkit.fluxcd.io/name"
    kube.patch("v1", "ConfigMap", "a", namespace, {"metadata": {"labels": {label: None}}})
    assert watched.repair("a").outcome is Outcome.REPAIRED
    live = kube.get("v1", "ConfigMap", "a", namespace)
    assert live is not None
    assert live["metadata"]["labels"][label] == "app"


def test_fields_of_others_are_no_drift_and_cost_no_write(
    kubeconfig: Path, kube: Kube, namespace: str, tmp_path: Path
) -> None:
    with FaultProxy.of_cluster(kubeconfig, tmp_path) as proxy:
        watched = Watched(Unit(proxy.kubeconfig, namespace), [config_map(namespace, "a", {"key": "ours"})])
        live = edit(kube, namespace, "a", theirs="1")
        assert watched.held.is_as_desired(live)
        proxy.seen.clear()
        assert watched.repair("a").outcome is Outcome.SAME
        assert proxy.writes() == []
    assert data_of(kube, namespace, "a") == {"key": "ours", "theirs": "1"}


def test_an_object_of_nobody_is_left(unit: Unit, kube: Kube, namespace: str) -> None:
    watched = Watched(unit, [config_map(namespace, "a")])
    kube.apply(config_map(namespace, "stranger", {"key": "theirs"}))
    assert watched.repair("stranger").outcome is Outcome.SAME
    assert data_of(kube, namespace, "stranger") == {"key": "theirs"}


@pytest.mark.parametrize("policy", ["report", "Report"])
def test_a_unit_that_only_reports_writes_nothing(unit: Unit, kube: Kube, namespace: str, policy: str) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})], annotations={POLICY: policy})
    edit(kube, namespace, "a", key="theirs")
    done = watched.repair("a")
    assert (done.outcome, done.text) == (
        Outcome.REPORTED,
        "data.key: theirs -> ours (changed by somebody)",
    )
    assert data_of(kube, namespace, "a") == {"key": "theirs"}
    kube.delete("v1", "ConfigMap", "a", namespace)
    assert watched.repair("a").outcome is Outcome.REPORTED
    assert kube.get("v1", "ConfigMap", "a", namespace) is None


def test_a_unit_that_says_repair_is_repaired(unit: Unit, kube: Kube, namespace: str) -> None:
    watched = Watched(unit, [config_map(namespace, "a")], annotations={POLICY: "repair"})
    edit(kube, namespace, "a", key="theirs")
    assert watched.repair("a").outcome is Outcome.REPAIRED


@pytest.mark.parametrize("mark", [{RECONCILE: "disabled"}, {SSA: "IfNotPresent"}, {SSA: "Ignore"}], ids=str)
def test_objects_that_want_to_be_left_alone_are(
    unit: Unit, kube: Kube, namespace: str, mark: dict[str, str]
) -> None:
    kube.apply(config_map(namespace, "a", {"key": "first"}))
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"}, annotations=mark)])
    live = edit(kube, namespace, "a", key="theirs")
    assert watched.held.is_as_desired(live)
    assert watched.repair("a").outcome is Outcome.SAME
    assert data_of(kube, namespace, "a") == {"key": "theirs"}


def test_a_mark_on_the_live_object_protects_it_too(unit: Unit, kube: Kube, namespace: str) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})])
    kube.patch("v1", "ConfigMap", "a", namespace, {"metadata": {"annotations": {RECONCILE: "disabled"}}})
    live = edit(kube, namespace, "a", key="theirs")
    assert watched.held.is_as_desired(live)
    assert watched.repair("a").outcome is Outcome.SAME
    assert data_of(kube, namespace, "a") == {"key": "theirs"}


def test_an_object_that_is_only_wanted_when_missing_comes_back(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    once = config_map(namespace, "a", {"key": "ours"}, annotations={SSA: "IfNotPresent"})
    watched = Watched(unit, [once])
    kube.delete("v1", "ConfigMap", "a", namespace)
    assert watched.repair("a").outcome is Outcome.REPAIRED
    assert data_of(kube, namespace, "a") == {"key": "ours"}


def test_ignored_fields_are_left_and_the_others_brought_back(unit: Unit, kube: Kube, namespace: str) -> None:
    rules = [{"paths": ["/data/theirs"], "target": {"kind": "ConfigMap"}}]
    objects = [config_map(namespace, "a", {"ours": "1", "theirs": "1"})]
    watched = Watched(unit, objects, ignore=rules)
    live = edit(kube, namespace, "a", theirs="2")
    assert watched.held.is_as_desired(live)
    assert watched.repair("a").outcome is Outcome.SAME
    edit(kube, namespace, "a", ours="2", theirs="3")
    done = watched.repair("a")
    assert (done.outcome, "theirs:" in done.text) == (Outcome.REPAIRED, False)
    assert data_of(kube, namespace, "a") == {"ours": "1", "theirs": "3"}


def drift_and_refuse(watched: Watched, kube: Kube, why: str) -> None:
    """The object drifts and is left; what is there stays."""
    edit(kube, watched.unit.namespace, "a", key="theirs")
    done = watched.repair("a")
    assert done.outcome is Outcome.LEFT
    assert why in done.text
    assert data_of(kube, watched.unit.namespace, "a") == {"key": "theirs"}


def test_nothing_is_written_while_a_run_is_at_work(unit: Unit, kube: Kube, namespace: str) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})])
    stored = unit.records.load(unit.spec().id)
    assert stored
    running = Running(holder="ci-7/42/ab", started="2024-01-01T00:00:00Z", revision="main@sha1:2")
    unit.records.write(stored.record, running=running, expected=stored.version)
    drift_and_refuse(watched, kube, "ci-7/42/ab is at work")
    unit.records.write(stored.record)
    assert watched.repair("a").outcome is Outcome.REPAIRED


def test_nothing_is_written_once_another_revision_is_applied(unit: Unit, kube: Kube, namespace: str) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})])
    unit.must_apply([config_map(namespace, "a", {"key": "newer"})], "main@sha1:2")
    assert watched.repair("a").outcome is Outcome.LEFT
    assert data_of(kube, namespace, "a") == {"key": "newer"}
    drift_and_refuse(watched, kube, "main@sha1:2")


def test_nothing_is_written_for_a_unit_without_a_record(unit: Unit, kube: Kube, namespace: str) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})])
    unit.records.delete(unit.spec().id)
    drift_and_refuse(watched, kube, "no record")


def test_suspended_units_are_left(unit: Unit, kube: Kube, namespace: str) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})])
    unit.records.hold(unit.spec().id, "ada: since noon")
    drift_and_refuse(watched, kube, "suspended")
    unit.records.release(unit.spec().id)
    assert watched.repair("a").outcome is Outcome.REPAIRED


@pytest.mark.parametrize("manager", ["weir", "somebody", "kubectl-edit"])
def test_what_changes_between_the_read_and_the_write_is_not_overwritten(
    unit: Unit, kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch, manager: str
) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})])
    edit(kube, namespace, "a", key="theirs")
    newer = unit.label(config_map(namespace, "a", {"key": "newer"}))
    meanwhile(monkeypatch, lambda: kube.apply_as(manager, newer), before=False)
    done = watched.repair("a")
    assert data_of(kube, namespace, "a") == {"key": "newer"}
    assert done.outcome in (Outcome.REFUSED, Outcome.LEFT)
    assert watched.repair("a").outcome is Outcome.REPAIRED


@pytest.mark.parametrize("before", [True, False], ids=["before the decision", "after the decision"])
def test_a_run_between_the_read_and_the_write_wins(
    unit: Unit, kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})])
    edit(kube, namespace, "a", key="theirs")
    newer = [config_map(namespace, "a", {"key": "newer"})]
    meanwhile(monkeypatch, lambda: unit.must_apply(newer, "main@sha1:2"), before=before)
    assert watched.repair("a").outcome in (Outcome.REFUSED, Outcome.LEFT)
    assert data_of(kube, namespace, "a") == {"key": "newer"}


def test_a_run_that_creates_the_object_meanwhile_wins(
    unit: Unit, kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})])
    kube.delete("v1", "ConfigMap", "a", namespace)
    newer = [config_map(namespace, "a", {"key": "newer"})]
    meanwhile(monkeypatch, lambda: unit.must_apply(newer, "main@sha1:2"), before=False)
    assert watched.repair("a").outcome in (Outcome.REFUSED, Outcome.LEFT)
    assert data_of(kube, namespace, "a") == {"key": "newer"}


def test_a_created_object_that_its_controller_writes_at_once_is_brought_back_in_one_look(
    unit: Unit, kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})])
    kube.delete("v1", "ConfigMap", "a", namespace)
    create = writing.create

    def create_and_write(*arguments: Any) -> Obj:
        made = create(*arguments)
        edit(kube, namespace, "a", manager="its-controller", theirs="1")
        return made

    monkeypatch.setattr(writing, "create", create_and_write)
    done = watched.repair("a")
    assert (done.outcome, done.text) == (Outcome.REPAIRED, "was deleted")
    assert data_of(kube, namespace, "a") == {"key": "ours", "theirs": "1"}
    assert watched.repair("a").outcome is Outcome.SAME


def test_an_object_made_anew_by_others_meanwhile_is_not_overwritten(
    unit: Unit, kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})])
    edit(kube, namespace, "a", key="theirs")

    def replaced() -> None:
        kube.delete("v1", "ConfigMap", "a", namespace)
        kube.apply(config_map(namespace, "a", {"key": "newer"}))

    meanwhile(monkeypatch, replaced, before=False)
    assert watched.repair("a").outcome in (Outcome.REFUSED, Outcome.LEFT)
    assert data_of(kube, namespace, "a") == {"key": "newer"}


def test_a_refusal_of_the_server_is_told(unit: Unit, kube: Kube, namespace: str) -> None:
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"})])
    kube.delete("v1", "ConfigMap", "a", namespace)
    kube.apply(
        config_map(namespace, "a", {"key": "theirs"}, finalizers=["example.com/held"]) | {"immutable": True}
    )
    done = watched.repair("a")
    kube.patch("v1", "ConfigMap", "a", namespace, {"metadata": {"finalizers": None}})
    assert done.outcome is Outcome.REFUSED
    assert "immutable" in done.text
    assert data_of(kube, namespace, "a") == {"key": "theirs"}


def test_what_is_being_deleted_is_not_fought_over(unit: Unit, kube: Kube, namespace: str) -> None:
    objects = [config_map(namespace, "a", {"key": "ours"})]
    watched = Watched(unit, objects)
    kube.patch("v1", "ConfigMap", "a", namespace, {"metadata": {"finalizers": ["example.com/held"]}})
    kube.delete("v1", "ConfigMap", "a", namespace)
    assert watched.repair("a").outcome is Outcome.SAME
    kube.patch("v1", "ConfigMap", "a", namespace, {"metadata": {"finalizers": None}})
    wait_for(lambda: kube.get("v1", "ConfigMap", "a", namespace) is None)
    assert watched.repair("a").outcome is Outcome.REPAIRED
