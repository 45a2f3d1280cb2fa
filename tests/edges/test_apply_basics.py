"""Create, leave alone, change, prune: one unit's life on a real API server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.kube import Kube
from tests.support.units import Unit, config_map, deployment, secret
from tests.support.writes import version
from weir.spec.changes import Action
from weir.spec.errors import ClusterError
from weir.spec.stack import OptionsConfig


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    return Unit(kubeconfig, namespace)


def versions(kube: Kube, namespace: str) -> dict[str, str]:
    return {
        f"{kind}/{item['metadata']['name']}": version(item)
        for kind, api in (("ConfigMap", "v1"), ("Secret", "v1"), ("Deployment", "apps/v1"))
        for item in kube.list(api, kind, namespace)
    }


def test_first_plan_without_a_record_names_every_object(unit: Unit, namespace: str) -> None:
    plan = unit.plan([config_map(namespace, "a"), deployment(namespace, "web")])
    assert [(str(change.id), change.action) for change in plan.changeset.changes] == [
        (f"ConfigMap/{namespace}/a", Action.CREATE),
        (f"Deployment/{namespace}/web", Action.CREATE),
    ]
    assert plan.problems == ()


def test_plan_writes_nothing(unit: Unit, kube: Kube, namespace: str) -> None:
    objects = [config_map(namespace, "a"), deployment(namespace, "web")]
    unit.must_apply(objects)
    before = versions(kube, namespace)
    unit.plan([config_map(namespace, "a", {"key": "other"}), config_map(namespace, "b")])
    assert versions(kube, namespace) == before


def test_unchanged_objects_are_not_written(unit: Unit, kube: Kube, namespace: str) -> None:
    objects = [
        config_map(namespace, "a"),
        secret(namespace, "s", stringData={"password": "hunter22"}),
        deployment(namespace, "web"),
    ]
    unit.must_apply(objects)
    before = versions(kube, namespace)
    result = unit.must_apply(objects)
    assert result.changeset.changes == ()
    assert result.changeset.unchanged == 3
    assert versions(kube, namespace) == before


def test_new_revision_without_changes_writes_the_record_only(unit: Unit, kube: Kube, namespace: str) -> None:
    unit.must_apply([config_map(namespace, "a")], "main@sha1:1")
    before = versions(kube, namespace)
    result = unit.must_apply([config_map(namespace, "a")], "main@sha1:2")
    after = versions(kube, namespace)
    assert {name for name in after if after[name] != before.get(name)} == {
        f"ConfigMap/kustomization.{namespace}.app"
    }
    assert result.record.revision == "main@sha1:2"


def test_change_is_named_with_old_and_new_value(unit: Unit, kube: Kube, namespace: str) -> None:
    unit.must_apply([deployment(namespace, "web", replicas=0), config_map(namespace, "a")])
    wanted = [deployment(namespace, "web", "nginx:2"), config_map(namespace, "a")]
    (change,) = unit.plan(wanted).changeset.changes
    assert change.action is Action.CONFIGURE
    assert [str(item) for item in change.fields] == [
        "spec.template.spec.containers[web].image: nginx:1 -> nginx:2"
    ]
    unit.must_apply(wanted)
    live = kube.get("apps/v1", "Deployment", "web", namespace)
    assert live
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"


def test_drift_is_corrected_and_field_removed_from_git_goes(unit: Unit, kube: Kube, namespace: str) -> None:
    unit.must_apply([config_map(namespace, "a", {"one": "1", "two": "2"})])
    kube.patch("v1", "ConfigMap", "a", namespace, {"data": {"one": "changed", "theirs": "stays"}})
    unit.must_apply([config_map(namespace, "a", {"one": "1"})])
    live = kube.get("v1", "ConfigMap", "a", namespace)
    assert live
    assert live["data"] == {"one": "1", "theirs": "stays"}


def test_object_removed_from_git_is_deleted_and_leaves_the_inventory(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    unit.must_apply([config_map(namespace, "a"), config_map(namespace, "b")])
    plan = unit.plan([config_map(namespace, "a")])
    assert [(str(item.id), item.action) for item in plan.changeset.changes] == [
        (f"ConfigMap/{namespace}/b", Action.DELETE)
    ]
    unit.must_apply([config_map(namespace, "a")])
    assert kube.get("v1", "ConfigMap", "b", namespace) is None
    assert unit.owned() == {f"ConfigMap/{namespace}/a"}


def test_prune_false_forgets_without_deleting(unit: Unit, kube: Kube, namespace: str) -> None:
    unit.must_apply([config_map(namespace, "a"), config_map(namespace, "b")])
    unit.must_apply([config_map(namespace, "a")], prune=False)
    assert kube.get("v1", "ConfigMap", "b", namespace)
    assert unit.owned() == {f"ConfigMap/{namespace}/a"}


@pytest.mark.parametrize(
    ("key", "value"), [("prune", "disabled"), ("reconcile", "disabled"), ("ssa", "Ignore"), ("ssa", "ignore")]
)
def test_live_annotation_keeps_an_object_from_pruning(
    unit: Unit, kube: Kube, namespace: str, key: str, value: str
) -> None:
    unit.must_apply([config_map(namespace, "a"), config_map(namespace, "b")])
    note = {"metadata": {"annotations": {f"kustomize.toolkit.fluxcd.io/{key}": value}}}
    kube.patch("v1", "ConfigMap", "b", namespace, note)
    unit.must_apply([config_map(namespace, "a")])
    assert kube.get("v1", "ConfigMap", "b", namespace)


def test_object_that_moves_to_another_unit_survives(kubeconfig: Path, kube: Kube, namespace: str) -> None:
    old, new = Unit(kubeconfig, namespace, "old"), Unit(kubeconfig, namespace, "new")
    old.must_apply([config_map(namespace, "keep"), config_map(namespace, "moves")])
    uid = kube.get("v1", "ConfigMap", "moves", namespace)["metadata"]["uid"]  # type: ignore[index]
    plan = new.plan([config_map(namespace, "moves")])
    assert plan.changeset.changes[0].why == f"moves from Kustomization/{namespace}/old"
    new.must_apply([config_map(namespace, "moves")])
    old.must_apply([config_map(namespace, "keep")])
    live = kube.get("v1", "ConfigMap", "moves", namespace)
    assert live
    assert live["metadata"]["uid"] == uid
    assert old.owned() == {f"ConfigMap/{namespace}/keep"}


def test_object_of_another_stack_is_refused(kubeconfig: Path, kube: Kube, namespace: str) -> None:
    theirs = Unit(kubeconfig, namespace, "theirs", stack="other")
    theirs.must_apply([config_map(namespace, "a", {"key": "theirs"})])
    result = Unit(kubeconfig, namespace, "mine").apply([config_map(namespace, "a", {"key": "mine"})])
    assert "of stack other, expected no other owner" in result.condition.message
    live = kube.get("v1", "ConfigMap", "a", namespace)
    assert live
    assert live["data"] == {"key": "theirs"}


def test_unit_of_another_stack_is_refused_until_it_is_handed_over(
    kubeconfig: Path, kube: Kube, namespace: str
) -> None:
    Unit(kubeconfig, namespace, stack="first").must_apply([config_map(namespace, "a", {"key": "first"})])
    second = Unit(kubeconfig, namespace, stack="second")
    with pytest.raises(ClusterError, match="found it in stack first, expected stack second"):
        second.apply([config_map(namespace, "b")])
    assert kube.get("v1", "ConfigMap", "b", namespace) is None
    live = kube.get("v1", "ConfigMap", "a", namespace)
    assert live
    assert live["data"] == {"key": "first"}
    second.options = OptionsConfig(former_stack="first")
    second.must_apply([config_map(namespace, "a", {"key": "second"})])
    record = second.records.read(second.spec().id)
    assert record
    assert record.stack == "second"


def test_if_not_present_is_created_once_and_ignore_never(unit: Unit, kube: Kube, namespace: str) -> None:
    once = {"annotations": {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}}
    never = {"annotations": {"kustomize.toolkit.fluxcd.io/ssa": "Ignore"}}
    unit.must_apply(
        [config_map(namespace, "once", {"v": "1"}, **once), config_map(namespace, "never", **never)]
    )
    unit.must_apply(
        [config_map(namespace, "once", {"v": "2"}, **once), config_map(namespace, "never", **never)]
    )
    live = kube.get("v1", "ConfigMap", "once", namespace)
    assert live
    assert live["data"] == {"v": "1"}
    assert kube.get("v1", "ConfigMap", "never", namespace) is None


def test_ignored_field_stays_with_its_other_owner(unit: Unit, kube: Kube, namespace: str) -> None:
    rule = [{"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}]
    unit.must_apply([deployment(namespace, "web")], ignore=rule)
    scaled = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
    }
    kube.apply_as("autoscaler", {**scaled, "spec": {"replicas": 3}})
    for _ in range(2):
        unit.must_apply([deployment(namespace, "web")], ignore=rule)
    live = kube.get("apps/v1", "Deployment", "web", namespace)
    assert live
    assert live["spec"]["replicas"] == 3


def test_suspended_unit_does_nothing_and_remembers_it(unit: Unit, kube: Kube, namespace: str) -> None:
    unit.must_apply([config_map(namespace, "a")])
    unit.must_apply([], suspend=True)
    assert kube.get("v1", "ConfigMap", "a", namespace)
    record = unit.records.read(unit.spec().id)
    assert record
    assert record.suspended
    assert unit.owned() == {f"ConfigMap/{namespace}/a"}


def test_object_that_vanished_and_left_git_leaves_the_inventory(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    unit.must_apply([config_map(namespace, "a"), config_map(namespace, "b")])
    kube.delete("v1", "ConfigMap", "b", namespace)
    unit.must_apply([config_map(namespace, "a")])
    assert unit.owned() == {f"ConfigMap/{namespace}/a"}
