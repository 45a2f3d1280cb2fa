"""Moving in from other tools. Live objects were recorded from a real API server."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from weir.objects.managed import applied, owned_paths
from weir.objects.takeover import due, foreign_managers, migrate_patch, takeover_patch

RECORDED = Path(__file__).parents[1] / "golden" / "objects"


def entry(manager: str, fields: dict[str, Any], operation: str = "Update", **more: str) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "apps/v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **more,
    }


def live(*entries: dict[str, Any], **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "resourceVersion": "7", "managedFields": list(entries), **meta},
        "spec": {"replicas": 2, "paused": True},
    }


REPLICAS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
PAUSED: dict[str, Any] = {"f:spec": {"f:paused": {}}}


def rewritten(obj: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """The object after the patch's replacement of managedFields."""
    result = copy.deepcopy(obj)
    result["metadata"]["managedFields"] = next(
        op["value"] for op in patch if op["path"] == "/metadata/managedFields"
    )
    return result


@pytest.mark.parametrize(
    ("manager", "operation"),
    [
        ("kubectl", "Apply"),
        ("kubectl-client-side-apply", "Update"),
        ("kubectl-edit", "Update"),
        ("before-first-apply", "Update"),
        ("kustomize-controller", "Apply"),
        ("helm-controller", "Apply"),
        ("helm", "Update"),
        ("argocd-controller", "Apply"),
        ("argocd-controller", "Update"),
        ("flux", "Apply"),
        ("weir", "Update"),
    ],
)
def test_former_managers_fields_become_weirs(manager: str, operation: str) -> None:
    obj = live(entry(manager, REPLICAS, operation), entry("weir", PAUSED, "Apply"))
    assert foreign_managers(obj) == (manager,)
    patch = takeover_patch(obj)
    assert patch is not None
    after = rewritten(obj, patch)
    assert [one["manager"] for one in after["metadata"]["managedFields"]] == ["weir"]
    assert owned_paths(after) == {("f:spec", "f:replicas"), ("f:spec", "f:paused")}
    assert not due(after)


@pytest.mark.parametrize(
    "left",
    [
        entry("flux-client-side-apply", REPLICAS),
        entry("kube-controller-manager", REPLICAS),
        entry("my-operator", REPLICAS, "Apply"),
        entry("weir", REPLICAS, "Apply"),
        entry("before-first-apply", REPLICAS, "Apply"),
        entry("kubectl-edit", {"f:status": {"f:replicas": {}}}, subresource="status"),
        entry("kubectl", REPLICAS, subresource="scale"),
    ],
    ids=lambda one: f"{one['manager']}-{one['operation']}{one.get('subresource', '')}",
)
def test_others_are_left_alone(left: dict[str, Any]) -> None:
    assert foreign_managers(live(left)) == ()
    assert takeover_patch(live(left)) is None
    patch = takeover_patch(live(left, entry("kubectl", PAUSED)))
    assert patch is not None
    assert patch[-1]["value"][0] == left or left["manager"] == "weir"


def test_the_patch_holds_only_at_the_version_read() -> None:
    patch = takeover_patch(live(entry("helm", REPLICAS)))
    assert patch is not None
    assert patch[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}


def test_leftovers_of_other_tools_are_removed() -> None:
    obj = live(
        annotations={
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "fluxcd.io/sync-checksum": "1",
            "keep": "1",
        },
        labels={"fluxcd.io/sync-gc-mark": "x"},
    )
    patch = takeover_patch(obj)
    assert patch is not None
    assert [op["path"] for op in patch if op["op"] == "remove"] == [
        "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
        "/metadata/annotations/fluxcd.io~1sync-checksum",
        "/metadata/labels/fluxcd.io~1sync-gc-mark",
    ]


def test_weir_does_not_own_what_the_same_patch_removes() -> None:
    fields = {
        "f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/last-applied-configuration": {}}},
        **REPLICAS,
    }
    obj = live(
        entry("kubectl-client-side-apply", fields),
        annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    )
    patch = takeover_patch(obj)
    assert patch is not None
    assert owned_paths(rewritten(obj, patch)) == {("f:spec", "f:replicas")}


@pytest.mark.parametrize("in_git", [True, False])
def test_ssa_merge_leaves_the_managers(in_git: bool) -> None:
    merge = {"kustomize.toolkit.fluxcd.io/ssa": "merge"}
    obj = live(entry("kubectl", REPLICAS), annotations={} if in_git else merge)
    desired = {"metadata": {"annotations": merge}} if in_git else None
    assert not due(obj, desired)
    assert takeover_patch(obj, desired) is None


def test_entries_of_one_version_keep_it_and_lose_nothing() -> None:
    old = {"apiVersion": "apps/v1beta1"}
    obj = live(
        {**entry("kubectl", {"f:spec": {"f:renamed": {}}}), **old},
        {**entry("weir", REPLICAS, "Apply"), **old},
    )
    patch = takeover_patch(obj)
    assert patch is not None
    mine = applied(rewritten(obj, patch))
    assert mine is not None
    assert mine["apiVersion"] == "apps/v1beta1"
    assert ("f:spec", "f:renamed") in owned_paths(rewritten(obj, patch))


def test_of_several_versions_the_paths_that_exist_as_read_are_kept() -> None:
    older = {**entry("kubectl", {"f:spec": {"f:paused": {}, "f:renamed": {}}}), "apiVersion": "apps/v1beta1"}
    obj = live(older, entry("weir", REPLICAS, "Apply"))
    patch = takeover_patch(obj)
    assert patch is not None
    after = rewritten(obj, patch)
    mine = applied(after)
    assert mine is not None
    assert mine["apiVersion"] == "apps/v1"
    assert owned_paths(after) == {("f:spec", "f:replicas"), ("f:spec", "f:paused")}


def test_a_recorded_client_side_apply_becomes_one_entry() -> None:
    obj = json.loads((RECORDED / "takeover.json").read_text())["live"]
    assert foreign_managers(obj) == ("kubectl-client-side-apply",)
    patch = takeover_patch(obj)
    assert patch is not None
    after = rewritten(obj, patch)
    assert [(one["manager"], one["operation"]) for one in after["metadata"]["managedFields"]] == [
        ("weir", "Apply")
    ]
    assert ("f:spec", "f:minReadySeconds") in owned_paths(after)
    assert owned_paths(after) >= owned_paths(obj)
    assert not any("last-applied" in step for path in owned_paths(after) for step in path)


def test_migration_rewrites_only_entries_of_another_version() -> None:
    obj = live(entry("weir", REPLICAS, "Apply"), {**entry("x", PAUSED), "apiVersion": "apps/v1beta1"})
    patch = migrate_patch(obj)
    assert patch is not None
    assert {one["apiVersion"] for one in patch[1]["value"]} == {"apps/v1"}
    assert migrate_patch(live(entry("weir", REPLICAS, "Apply"))) is None


def test_an_object_without_managed_fields_needs_nothing() -> None:
    assert takeover_patch({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}) is None
