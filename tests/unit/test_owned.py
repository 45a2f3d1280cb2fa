"""SAME is said only when an apply would change nothing. Pairs were recorded from a real API server."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weir.objects.equal import same_value
from weir.objects.normal import normalise
from weir.objects.owned import Verdict, compare, owned_paths

RECORDED = Path(__file__).parents[1] / "golden" / "objects"
KINDS = sorted(path.stem for path in RECORDED.glob("*.json") if path.stem != "takeover")
Obj = dict[str, Any]


def recorded(kind: str) -> tuple[Obj, Obj]:
    pair = json.loads((RECORDED / f"{kind}.json").read_text())
    return normalise(pair["written"]), pair["live"]


def web() -> tuple[Obj, Obj]:
    return recorded("deployment")


def container(obj: Obj, name: str = "web") -> Obj:
    return next(item for item in obj["spec"]["template"]["spec"]["containers"] if item["name"] == name)


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_just_applied_is_the_same(kind: str) -> None:
    assert compare(*recorded(kind)) is Verdict.SAME


@pytest.mark.parametrize("kind", KINDS)
def test_neither_object_is_written_to(kind: str) -> None:
    desired, live = recorded(kind)
    before = copy.deepcopy((desired, live))
    compare(desired, live)
    assert (desired, live) == before


def test_what_others_added_does_not_matter() -> None:
    desired, live = web()
    live["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3"}
    live["spec"]["template"]["spec"]["containers"].insert(0, {"name": "injected", "image": "mesh"})
    live["spec"]["template"]["spec"]["nodeName"] = "n1"
    live["status"] = {"replicas": 2}
    assert compare(desired, live) is Verdict.SAME


CHANGES: dict[str, Callable[[Obj], Any]] = {
    "image": lambda obj: container(obj).update(image="nginx:2"),
    "replicas": lambda obj: obj["spec"].update(replicas=3),
    "text for a number": lambda obj: obj["spec"].update(replicas="2"),
    "true for a number": lambda obj: obj["spec"].update(replicas=True),
    "new field": lambda obj: obj["spec"].update(minReadySeconds=5),
    "new label": lambda obj: obj["metadata"]["labels"].update(tier="front"),
    "new annotation": lambda obj: obj["metadata"].update(annotations={"a": "b"}),
    "field gone": lambda obj: obj["spec"].pop("replicas"),
    "label gone": lambda obj: obj["metadata"].pop("labels"),
    "container gone": lambda obj: obj["spec"]["template"]["spec"]["containers"].pop(),
    "container twice": lambda obj: obj["spec"]["template"]["spec"]["containers"].append(container(obj)),
    "containers reordered": lambda obj: obj["spec"]["template"]["spec"]["containers"].reverse(),
    "arguments reordered": lambda obj: container(obj).update(args=["-b", "-a", "-a"]),
    "variable": lambda obj: container(obj)["env"][0].update(value="2"),
    "variable as a number": lambda obj: container(obj)["env"][0].update(value=1),
    "variable gone": lambda obj: container(obj)["env"].pop(0),
    "quantity": lambda obj: container(obj)["resources"]["limits"].update(cpu="1001m"),
    "quantity in another form": lambda obj: container(obj)["resources"]["limits"].update(memory="1073741824"),
    "port protocol": lambda obj: container(obj)["ports"][0].update(protocol="SCTP"),
    "inside an atomic list": lambda obj: obj["spec"]["template"]["spec"]["tolerations"][0].update(key="z"),
    "atomic list emptied": lambda obj: obj["spec"]["template"]["spec"].update(tolerations=[]),
    "list for a flag": lambda obj: container(obj)["volumeMounts"][1].update(readOnly=[]),
    "status": lambda obj: obj.update(status={}),
    "version": lambda obj: obj.update(apiVersion="apps/v1beta1"),
    "kind": lambda obj: obj.update(kind="ReplicaSet"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_in_git_is_not_the_same(change: str) -> None:
    desired, live = web()
    CHANGES[change](desired)
    assert compare(desired, live) is Verdict.UNSURE


DRIFTS: dict[str, Callable[[Obj], Any]] = {
    "image": lambda obj: container(obj).update(image="nginx:2"),
    "replicas": lambda obj: obj["spec"].update(replicas=3),
    "label gone": lambda obj: obj["metadata"].pop("labels"),
    "container gone": lambda obj: obj["spec"]["template"]["spec"]["containers"].pop(),
    "containers reordered": lambda obj: obj["spec"]["template"]["spec"]["containers"].reverse(),
    "container twice": lambda obj: obj["spec"]["template"]["spec"]["containers"].append(container(obj)),
    "atomic list longer": lambda obj: obj["spec"]["template"]["spec"]["tolerations"].append(
        {"operator": "Exists"}
    ),
    "atomic map longer": lambda obj: obj["spec"]["selector"]["matchLabels"].update(x="y"),
    "being deleted": lambda obj: obj["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"),
    "no managers": lambda obj: obj["metadata"].pop("managedFields"),
    "not our manager": lambda obj: obj["metadata"]["managedFields"][0].update(manager="other"),
    "only an update of ours": lambda obj: obj["metadata"]["managedFields"][0].update(operation="Update"),
    "only a status of ours": lambda obj: obj["metadata"]["managedFields"][0].update(subresource="status"),
    "applied in another version": lambda obj: obj["metadata"]["managedFields"][0].update(
        apiVersion="apps/v1beta1"
    ),
    "takeover due": lambda obj: obj["metadata"]["managedFields"].append(
        {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {}}
    ),
    "cleanup due": lambda obj: obj["metadata"].update(annotations={"fluxcd.io/sync-checksum": "1"}),
    "unknown form of fields": lambda obj: obj["metadata"]["managedFields"][0].update(fieldsType="FieldsV2"),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_change_in_the_cluster_is_not_the_same(drift: str) -> None:
    desired, live = web()
    DRIFTS[drift](live)
    assert compare(desired, live) is Verdict.UNSURE


def test_a_field_that_another_manager_took_is_not_the_same() -> None:
    desired, live = web()
    del live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:replicas"]
    assert compare(desired, live) is Verdict.UNSURE


@pytest.mark.parametrize("spelling", ["1", "1.0", 1, "1000m", "1000000u"])
def test_quantities_are_compared_by_amount(spelling: Any) -> None:
    desired, live = web()
    container(desired)["resources"]["limits"]["cpu"] = spelling
    assert compare(desired, live) is Verdict.SAME


def test_a_quantity_is_only_a_text_in_a_label_or_a_variable() -> None:
    desired, live = web()
    for obj, text in ((desired, "1000m"), (live, "1")):
        container(obj)["env"][0]["value"] = text
    assert compare(desired, live) is Verdict.UNSURE
    desired, live = web()
    for obj, text in ((desired, "1000m"), (live, "1")):
        obj["metadata"]["labels"]["app"] = text
    assert compare(desired, live) is Verdict.UNSURE


@pytest.mark.parametrize("key", ["divisor", "sizeLimit", "averageValue"])
def test_a_text_is_no_quantity_whatever_its_key_is_called(key: str) -> None:
    def same(parent: str) -> bool:
        return same_value({parent: {key: "1Gi"}}, {parent: {key: "1024Mi"}}, built_in=True)

    assert not same("data")
    assert not same("annotations")
    assert same("emptyDir")


def test_a_custom_resource_is_compared_to_the_letter() -> None:
    desired, live = recorded("widget")
    live["spec"]["q"] = "1"
    assert compare(desired, live) is Verdict.UNSURE
    desired, live = recorded("widget")
    desired["spec"]["free"]["n"] = 1.0
    assert compare(desired, live) is Verdict.UNSURE
    desired, live = recorded("widget")
    del live["spec"]["free"]["el"]
    assert compare(desired, live) is Verdict.UNSURE


def test_a_set_keeps_its_order_and_its_members() -> None:
    desired, live = recorded("widget")
    desired["spec"]["set"].reverse()
    assert compare(desired, live) is Verdict.UNSURE
    desired, live = recorded("widget")
    desired["spec"]["set"].append("c")
    assert compare(desired, live) is Verdict.UNSURE
    desired, live = recorded("widget")
    live["spec"]["set"].insert(0, "foreign")
    assert compare(desired, live) is Verdict.SAME


def test_a_secret_is_the_same_by_value_and_not_when_a_value_moves() -> None:
    desired, live = recorded("secret")
    assert "stringData" not in desired
    live["data"]["pw"] = "b3RoZXI="
    assert compare(desired, live) is Verdict.UNSURE


def test_a_secret_that_was_not_normalised_is_unsure() -> None:
    pair = json.loads((RECORDED / "secret.json").read_text())
    assert compare(pair["written"], pair["live"]) is Verdict.UNSURE


@pytest.mark.parametrize(
    "broken", [{}, {"f:spec": []}, {"f:spec": {"k:not json": {".": {}}}}, {"f:spec": {"i:0": {}}}]
)
def test_an_unreadable_ownership_is_unsure(broken: Obj) -> None:
    desired, live = web()
    live["metadata"]["managedFields"][0]["fieldsV1"] = broken
    assert compare(desired, live) is Verdict.UNSURE


def test_owned_paths_are_those_of_the_managers_applies() -> None:
    _, live = recorded("configmap")
    paths = owned_paths(live)
    assert ("f:data", "f:a.properties") in paths
    assert ("f:metadata", "f:annotations", "f:x/y") in paths
    assert owned_paths(live, "nobody") == frozenset()
