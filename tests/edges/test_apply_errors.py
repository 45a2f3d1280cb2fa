"""What the API server refuses: named, complete, before anything is written, and without secret values."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from demo.rest import Rest
from tests.support.kube import Kube, wait_for
from tests.support.policy import denied
from tests.support.units import Obj, Unit, config_map, deployment, secret
from weir.spec.changes import Action

CANARY = "hunter2-canary-value"


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    return Unit(kubeconfig, namespace)


def test_all_refusals_are_named_and_nothing_is_applied(unit: Unit, kube: Kube, namespace: str) -> None:
    wrong = deployment(namespace, "typo")
    wrong["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    port = deployment(namespace, "port")
    port["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = 99999
    result = unit.apply([config_map(namespace, "fine"), wrong, port])
    message = result.condition.message
    assert result.condition.status == "False"
    assert (
        f'Deployment/{namespace}/typo: .spec.template.spec.containers[name="web"].imagee: field not'
        in message
    )
    assert f"Deployment/{namespace}/port: spec.template.spec.containers[0].ports[0].containerPort" in message
    assert "99999" in message
    assert kube.get("v1", "ConfigMap", "fine", namespace) is None
    assert unit.owned() == set()


def test_plan_names_refusals_and_still_lists_the_objects(unit: Unit, namespace: str) -> None:
    plan = unit.plan([config_map(namespace, "a", {"n": 5})])
    assert [str(change.id) for change in plan.changeset.changes] == [f"ConfigMap/{namespace}/a"]
    assert ".data.n: expected string" in plan.problems[0]
    assert plan.problems[0] in plan.changeset.warnings


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"password": CANARY}},
        {"data": {"password": {CANARY: "x"}}},
        {"data": {"password": [CANARY]}},
        {"stringData": {"password": {"deep": CANARY}}},
        {"stringData": {CANARY + " with blank": CANARY}},
        {"data": {"password": 1234567890123}},
        {CANARY: "unknown field"},
        {
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": f'{{"auths": {CANARY}}}'},
        },
        {"type": "kubernetes.io/tls", "stringData": {"tls.crt": CANARY}},
    ],
)
def test_secret_values_never_show(unit: Unit, namespace: str, body: Obj) -> None:
    values = {CANARY, base64.b64encode(CANARY.encode()).decode(), "1234567890123"}
    if CANARY in body or ("stringData" in body and CANARY + " with blank" in body["stringData"]):
        values = {f"blank: {CANARY}"}  # a field's name is no secret; what it holds is
    plan = unit.plan([secret(namespace, "s", **body)])
    result = unit.apply([secret(namespace, "s", **body)])
    shown = "\n".join(
        (*plan.problems, *plan.changeset.warnings, str(plan.changeset), result.condition.message)
    )
    assert f"Secret/{namespace}/s" in shown
    assert result.condition.status == "False"
    assert not [value for value in values if value in shown], shown


def test_immutable_secret_says_so_without_values(unit: Unit, namespace: str) -> None:
    unit.must_apply([secret(namespace, "s", immutable=True, stringData={"password": "first-canary-value"})])
    result = unit.apply([secret(namespace, "s", immutable=True, stringData={"password": CANARY})])
    assert "data: Forbidden: field is immutable when `immutable` is set" in result.condition.message
    assert CANARY not in result.condition.message
    assert "first-canary-value" not in result.condition.message


def test_changed_secret_is_planned_masked(unit: Unit, namespace: str) -> None:
    unit.must_apply([secret(namespace, "s", stringData={"password": "first-canary-value"})])
    (change,) = unit.plan([secret(namespace, "s", stringData={"password": CANARY})]).changeset.changes
    assert [str(item) for item in change.fields] == ["data.password: *** (before) -> *** (after)"]


def test_immutable_field_is_an_error_that_names_it(unit: Unit, kube: Kube, namespace: str) -> None:
    unit.must_apply([deployment(namespace, "web"), config_map(namespace, "a")])
    changed = [deployment(namespace, "web", app="other"), config_map(namespace, "a", {"key": "new"})]
    plan = unit.plan(changed)
    assert any("spec.selector" in text for text in plan.changeset.warnings)
    result = unit.apply(changed)
    assert f"Deployment/{namespace}/web: spec.selector: Invalid value" in result.condition.message
    assert "kustomize.toolkit.fluxcd.io/force: enabled" in result.condition.message
    live = kube.get("v1", "ConfigMap", "a", namespace)
    assert live
    assert live["data"] == {"key": "value"}


@pytest.mark.parametrize("by_annotation", [True, False])
def test_force_recreates_only_the_target(unit: Unit, kube: Kube, namespace: str, by_annotation: bool) -> None:
    note = {"kustomize.toolkit.fluxcd.io/force": "enabled"} if by_annotation else {}
    unit.must_apply([deployment(namespace, "web"), deployment(namespace, "other")])
    uids = {
        item["metadata"]["name"]: item["metadata"]["uid"]
        for item in kube.list("apps/v1", "Deployment", namespace)
    }
    changed = [deployment(namespace, "web", app="new", annotations=note), deployment(namespace, "other")]
    (change,) = unit.plan(changed, force=not by_annotation).changeset.changes
    assert change.action is Action.RECREATE
    assert any(item.path == "spec.selector.matchLabels.app" for item in change.fields)
    unit.must_apply(changed, force=not by_annotation)
    now = {
        item["metadata"]["name"]: item["metadata"]["uid"]
        for item in kube.list("apps/v1", "Deployment", namespace)
    }
    assert now["web"] != uids["web"]
    assert now["other"] == uids["other"]


def test_force_does_not_destroy_for_another_kind_of_error(unit: Unit, kube: Kube, namespace: str) -> None:
    unit.must_apply([deployment(namespace, "web")])
    uid = kube.get("apps/v1", "Deployment", "web", namespace)["metadata"]["uid"]  # type: ignore[index]
    wrong = deployment(namespace, "web", app="new")
    wrong["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = 99999
    result = unit.apply([wrong], force=True)
    assert "containerPort" in result.condition.message
    live = kube.get("apps/v1", "Deployment", "web", namespace)
    assert live
    assert live["metadata"]["uid"] == uid


def test_missing_namespace_is_named(unit: Unit) -> None:
    result = unit.apply([config_map("no-such-namespace", "a")])
    assert (
        'ConfigMap/no-such-namespace/a: namespaces "no-such-namespace" not found' in result.condition.message
    )
    assert "create the Namespace first" in result.condition.message


def test_object_without_namespace_is_refused_as_in_flux(unit: Unit) -> None:
    bare = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {}}
    result = unit.apply([bare])
    assert "ConfigMap/a: metadata.namespace: found none, expected one" in result.condition.message


def test_namespace_on_a_cluster_scoped_object_is_dropped(unit: Unit, kube: Kube, namespace: str) -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"{namespace}-role", "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    unit.must_apply([role])
    assert unit.owned() == {f"ClusterRole/{namespace}-role"}
    assert unit.must_apply([role]).changeset.unchanged == 1
    unit.remove()
    assert kube.get("rbac.authorization.k8s.io/v1", "ClusterRole", f"{namespace}-role") is None


def test_unknown_kind_is_refused_before_anything_is_written(unit: Unit, kube: Kube, namespace: str) -> None:
    gadget = {
        "apiVersion": "example.com/v1",
        "kind": "Gadget",
        "metadata": {"name": "g", "namespace": namespace},
    }
    result = unit.apply([config_map(namespace, "a"), gadget])
    assert "the cluster serves no such kind in example.com/v1" in result.condition.message
    assert kube.get("v1", "ConfigMap", "a", namespace) is None


def test_same_object_twice_is_refused(unit: Unit, namespace: str) -> None:
    result = unit.apply([config_map(namespace, "a"), config_map(namespace, "a", {"other": "x"})])
    assert f"ConfigMap/{namespace}/a: found twice in the rendered objects" in result.condition.message


def test_quota_names_the_object_and_the_quota(unit: Unit, kube: Kube, namespace: str) -> None:
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "few", "namespace": namespace},
            "spec": {"hard": {"count/secrets": "0"}},
        }
    )
    wait_for(lambda: (kube.get("v1", "ResourceQuota", "few", namespace) or {}).get("status", {}).get("hard"))
    result = unit.apply([secret(namespace, "s", stringData={"a": "b"})])
    assert f"Secret/{namespace}/s" in result.condition.message
    assert "exceeded quota: few" in result.condition.message


def test_webhook_that_repeats_the_object_shows_no_secret(
    unit: Unit, kubeconfig: Path, namespace: str
) -> None:
    """A policy whose message prints the whole object, as careless webhooks do."""
    only = "object.metadata.name == 'kube-root-ca.crt'"
    with denied(Rest.load(kubeconfig), namespace, only, echo="'denied: ' + string(object.data['password'])"):
        result = unit.apply([secret(namespace, "s", stringData={"password": CANARY})])
    assert "denied" in result.condition.message
    assert CANARY not in result.condition.message
    assert base64.b64encode(CANARY.encode()).decode() not in result.condition.message
