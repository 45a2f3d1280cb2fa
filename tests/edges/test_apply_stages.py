"""Definitions and what they define in one set, and the guards over what would take much with it."""

from __future__ import annotations

import secrets as random
from pathlib import Path

import pytest

from tests.support.aggregated import availability, broken_service
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.kube import Kube, wait_for
from tests.support.units import Obj, Unit, config_map, deployment
from weir.spec.changes import Action


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    return Unit(kubeconfig, namespace)


@pytest.fixture
def group() -> str:
    return f"g{random.token_hex(4)}.example.com"


def definition(group: str, scope: str = "Namespaced", **schema: Obj) -> Obj:
    properties = {
        "spec": {"type": "object", "properties": {"size": {"type": "integer", "maximum": 9}, **schema}}
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget", "listKind": "GadgetList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
                }
            ],
        },
    }


def gadget(group: str, namespace: str, size: int = 1, name: str = "one", **more: int) -> Obj:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": f"{group}/v1", "kind": "Gadget", "metadata": meta, "spec": {"size": size, **more}}


def namespaced(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def test_namespace_definition_and_objects_in_one_run(
    unit: Unit, kube: Kube, namespace: str, group: str
) -> None:
    new = f"{namespace}-new"
    objects = [
        gadget(group, new),
        config_map(new, "a"),
        definition(group),
        namespaced(new),
        deployment(new, "web"),
    ]
    plan = unit.plan(objects)
    assert plan.problems == ()
    assert [change.action for change in plan.changeset.changes] == [Action.CREATE] * 5
    assert any(
        "its CustomResourceDefinition comes with the same unit" in text for text in plan.changeset.warnings
    )
    assert any("its Namespace comes in the same run" in text for text in plan.changeset.warnings)
    unit.must_apply(objects)
    live = kube.get(f"{group}/v1", "Gadget", "one", new)
    assert live
    assert live["spec"] == {"size": 1}
    assert unit.must_apply(objects).changeset.unchanged == 5
    unit.remove(allow_mass_delete=True)
    crd = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"gadgets.{group}")
    wait_for(lambda: kube.get(*crd) is None)


def test_refused_object_of_a_new_kind_leaves_the_definition(
    unit: Unit, kube: Kube, namespace: str, group: str
) -> None:
    objects = [definition(group), gadget(group, namespace, size=77), config_map(namespace, "a")]
    result = unit.apply(objects)
    assert f"Gadget/{namespace}/one: spec.size: Invalid value: 77" in result.condition.message
    assert kube.get("v1", "ConfigMap", "a", namespace) is None
    assert f"CustomResourceDefinition/gadgets.{group}" in unit.owned()
    unit.must_apply([definition(group), gadget(group, namespace, size=7), config_map(namespace, "a")])


def test_field_that_a_changed_definition_brings_is_settled_after_it(
    unit: Unit, kube: Kube, namespace: str, group: str
) -> None:
    unit.must_apply([definition(group), gadget(group, namespace)])
    objects = [definition(group, color={"type": "integer"}), gadget(group, namespace, color=3)]
    unit.must_apply(objects)
    live = kube.get(f"{group}/v1", "Gadget", "one", namespace)
    assert live
    assert live["spec"] == {"size": 1, "color": 3}


def test_a_changed_definition_may_be_taken_up_late(
    kubeconfig: Path, tmp_path: Path, kube: Kube, namespace: str, group: str
) -> None:
    with FaultProxy.of_cluster(kubeconfig, tmp_path) as proxy:
        unit = Unit(proxy.kubeconfig, namespace)
        unit.must_apply([definition(group), gadget(group, namespace)])
        proxy.faults.append(Fault(method="PATCH", path="/gadgets/one?.*dryRun", status=422, times=3))
        objects = [definition(group, color={"type": "integer"}), gadget(group, namespace, color=3)]
        unit.must_apply(objects)
        proxy.faults[0].times = -1
        objects[1]["spec"]["color"] = 4
        assert "Gadget" in unit.apply(objects).condition.message, "nothing waits when no definition changed"
    live = kube.get(f"{group}/v1", "Gadget", "one", namespace)
    assert live
    assert live["spec"] == {"size": 1, "color": 3}


def test_deleting_a_definition_is_refused_until_it_is_named(
    unit: Unit, kube: Kube, namespace: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weir.flow.pruning._QUICK_SECONDS", 30.0)
    unit.must_apply([definition(group), config_map(namespace, "a")])
    result = unit.apply([config_map(namespace, "a")])
    assert f"CustomResourceDefinition/gadgets.{group}" in result.condition.message
    assert "weir.dev/allow-delete" in result.condition.message
    assert kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"gadgets.{group}")
    allowed = {"weir.dev/allow-delete": f"CustomResourceDefinition/gadgets.{group}"}
    unit.must_apply([config_map(namespace, "a")], annotations=allowed)
    assert unit.owned() == {f"ConfigMap/{namespace}/a"}


def test_objects_of_a_definition_that_somebody_deleted_leave_the_inventory(
    unit: Unit, kube: Kube, namespace: str, group: str
) -> None:
    allowed = {"weir.dev/allow-delete": "*"}
    unit.must_apply([definition(group), gadget(group, namespace), config_map(namespace, "a")])
    kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"gadgets.{group}")
    wait_for(lambda: group not in {item["name"] for item in kube.request("GET", "/apis")["groups"]})
    unit.must_apply([config_map(namespace, "a")], annotations=allowed)
    assert unit.owned() == {f"ConfigMap/{namespace}/a"}


def test_empty_render_is_refused(unit: Unit, kube: Kube, namespace: str) -> None:
    unit.must_apply([config_map(namespace, "a")])
    result = unit.apply([])
    assert "found 0 rendered objects" in result.condition.message
    assert kube.get("v1", "ConfigMap", "a", namespace)
    unit.must_apply([], annotations={"weir.dev/allow-empty": "true"})
    assert kube.get("v1", "ConfigMap", "a", namespace) is None


def test_deleting_most_of_a_unit_is_refused(unit: Unit, kube: Kube, namespace: str) -> None:
    objects = [config_map(namespace, name) for name in "abcde"]
    unit.must_apply(objects)
    result = unit.apply(objects[:2])
    assert "found 3 of 5 objects to delete" in result.condition.message
    assert unit.owned() == {f"ConfigMap/{namespace}/{name}" for name in "abcde"}
    unit.must_apply(objects[:3])


def test_group_whose_api_is_down_is_never_taken_for_empty(
    unit: Unit, kube: Kube, namespace: str, group: str
) -> None:
    """An aggregated API that does not answer: its objects stay tracked, other groups still work."""
    unit.must_apply([definition(group), gadget(group, namespace), config_map(namespace, "a")])
    kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"gadgets.{group}")
    service = ("apiregistration.k8s.io/v1", "APIService", f"v1.{group}")
    wait_for(lambda: kube.get(*service) is None)
    kube.apply(broken_service(group))
    try:
        wait_for(lambda: availability(kube.get(*service)) == "False")
        unit.discovery.refresh()
        other = [definition(f"other.{group}"), config_map(namespace, "a", {"key": "new"})]
        result = unit.apply(other, annotations={"weir.dev/allow-delete": "*"})
        assert result.condition.reason == "PruneFailed"
        assert f"Gadget/{namespace}/one: not deleted" in result.condition.message
        assert f"Gadget/{namespace}/one" in unit.owned()
        live = kube.get("v1", "ConfigMap", "a", namespace)
        assert live
        assert live["data"] == {"key": "new"}
    finally:
        kube.delete(*service)
        wait_for(lambda: group not in {item["name"] for item in kube.request("GET", "/apis")["groups"]})
        unit.discovery.refresh()
        unit.remove(allow_mass_delete=True)
