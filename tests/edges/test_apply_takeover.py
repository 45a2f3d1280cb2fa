"""Moving in from kubectl, Flux and Helm: metadata changes only, and fields that Git does not hold go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.kube import Kube
from tests.support.units import Unit, config_map, deployment
from weir.spec.changes import Action


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    return Unit(kubeconfig, namespace)


def managers(live: Any) -> set[tuple[str, str]]:
    return {(entry["manager"], entry["operation"]) for entry in live["metadata"]["managedFields"]}


@pytest.mark.parametrize(
    "manager", ["kustomize-controller", "helm-controller", "kubectl", "argocd-controller"]
)
def test_objects_of_another_tool_are_adopted_by_metadata_alone(
    unit: Unit, kube: Kube, namespace: str, manager: str
) -> None:
    kube.apply_as(manager, deployment(namespace, "web"))
    before = kube.get("apps/v1", "Deployment", "web", namespace)
    (change,) = unit.plan([deployment(namespace, "web")]).changeset.changes
    assert change.action is Action.ADOPT
    assert manager in change.why
    unit.must_apply([deployment(namespace, "web")])
    after = kube.get("apps/v1", "Deployment", "web", namespace)
    assert before
    assert after
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert after["spec"] == before["spec"]
    assert (manager, "Apply") not in managers(after)
    assert ("weir", "Apply") in managers(after)
    assert unit.must_apply([deployment(namespace, "web")]).changeset.unchanged == 1


def test_field_that_the_former_owner_set_and_git_lacks_is_foreseen_and_removed(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    theirs = deployment(namespace, "web")
    theirs["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "OLD", "value": "1"}]
    theirs["metadata"]["annotations"] = {"old": "note"}
    kube.apply_as("kustomize-controller", theirs)
    (change,) = unit.plan([deployment(namespace, "web")]).changeset.changes
    assert change.action is Action.CONFIGURE
    paths = {item.path: item.new for item in change.fields}
    assert paths["metadata.annotations.old"] is None
    assert any(path.startswith("spec.template.spec.containers[web].env") for path in paths)
    unit.must_apply([deployment(namespace, "web")])
    live = kube.get("apps/v1", "Deployment", "web", namespace)
    assert live
    assert "env" not in live["spec"]["template"]["spec"]["containers"][0]
    assert "old" not in live["metadata"].get("annotations", {})
    assert unit.must_apply([deployment(namespace, "web")]).changeset.unchanged == 1


def test_client_side_apply_leftovers_go(unit: Unit, kube: Kube, namespace: str) -> None:
    old = config_map(namespace, "a", {"key": "value", "gone": "x"})
    note = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(old)}
    old["metadata"]["annotations"] = note
    kube.request(
        "POST",
        f"/api/v1/namespaces/{namespace}/configmaps?fieldManager=kubectl-client-side-apply",
        old,
    )
    unit.must_apply([config_map(namespace, "a")])
    live = kube.get("v1", "ConfigMap", "a", namespace)
    assert live
    assert live["data"] == {"key": "value"}
    assert live["metadata"].get("annotations") is None
    assert managers(live) == {("weir", "Apply")}


def test_merge_mode_leaves_the_other_manager_alone(unit: Unit, kube: Kube, namespace: str) -> None:
    kube.apply_as("kubectl", config_map(namespace, "a", {"key": "value", "theirs": "stays"}))
    merge = {"annotations": {"kustomize.toolkit.fluxcd.io/ssa": "Merge"}}
    for _ in range(2):
        unit.must_apply([config_map(namespace, "a", **merge)])
    live = kube.get("v1", "ConfigMap", "a", namespace)
    assert live
    assert live["data"] == {"key": "value", "theirs": "stays"}
    assert ("kubectl", "Apply") in managers(live)


def test_other_managers_keep_what_git_does_not_set(unit: Unit, kube: Kube, namespace: str) -> None:
    wanted = deployment(namespace, "web")
    del wanted["spec"]["replicas"]
    unit.must_apply([wanted])
    scale = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
    }
    kube.apply_as("hpa", {**scale, "spec": {"replicas": 0}})
    for _ in range(5):
        assert unit.must_apply([wanted]).changeset.unchanged == 1
    live = kube.get("apps/v1", "Deployment", "web", namespace)
    assert live
    assert ("hpa", "Apply") in managers(live)


def test_value_forced_by_another_manager_comes_back_with_one_write(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    unit.must_apply([config_map(namespace, "a", {"key": "git"})])
    kube.apply_as("rival", config_map(namespace, "a", {"key": "rival"}))
    (change,) = unit.plan([config_map(namespace, "a", {"key": "git"})]).changeset.changes
    assert [str(item) for item in change.fields] == ["data.key: rival -> git"]
    unit.must_apply([config_map(namespace, "a", {"key": "git"})])
    assert unit.must_apply([config_map(namespace, "a", {"key": "git"})]).changeset.unchanged == 1
