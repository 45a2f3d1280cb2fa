"""Apply order, stages and delete order: fluxcd/pkg ssa, ReconcileOrder and ApplyAllStaged."""

from __future__ import annotations

from typing import Any

import pytest

from weir.objects.rank import delete_order, sort_objects, stages
from weir.spec.identity import ObjectId


def obj(kind: str, name: str = "a", *, api: str = "v1", namespace: str = "") -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def names(objs: tuple[dict[str, Any], ...]) -> list[str]:
    return [str(ObjectId.of(item)) for item in objs]


def test_definitions_come_first_and_webhooks_last() -> None:
    objs = [
        obj("ValidatingWebhookConfiguration", api="admissionregistration.k8s.io/v1"),
        obj("Widget", api="example.com/v1"),
        obj("Deployment", api="apps/v1"),
        obj("Secret"),
        obj("ConfigMap"),
        obj("ServiceAccount"),
        obj("Namespace"),
        obj("CustomResourceDefinition", api="apiextensions.k8s.io/v1"),
    ]
    kinds = [item["kind"] for item in sort_objects(objs)]
    assert kinds == [
        "CustomResourceDefinition",
        "Namespace",
        "ServiceAccount",
        "ConfigMap",
        "Secret",
        "Deployment",
        "Widget",
        "ValidatingWebhookConfiguration",
    ]


def test_one_kind_is_ordered_by_namespace_then_name() -> None:
    objs = [
        obj("ConfigMap", "b", namespace="x"),
        obj("ConfigMap", "z", namespace="a"),
        obj("ConfigMap", "a", namespace="x"),
    ]
    assert names(sort_objects(objs)) == ["ConfigMap/a/z", "ConfigMap/x/a", "ConfigMap/x/b"]


def test_kinds_of_one_rank_are_ordered_by_group_then_kind() -> None:
    objs = [obj("Zebra", api="a.io/v1"), obj("Ant", api="b.io/v1"), obj("Ant", api="a.io/v1")]
    assert [(item["apiVersion"], item["kind"]) for item in sort_objects(objs)] == [
        ("a.io/v1", "Ant"),
        ("a.io/v1", "Zebra"),
        ("b.io/v1", "Ant"),
    ]


def test_stages_are_definitions_then_classes_then_the_rest() -> None:
    found = stages(
        [
            obj("Deployment", api="apps/v1"),
            obj("StorageClass", api="storage.k8s.io/v1"),
            obj("ClusterRole", api="rbac.authorization.k8s.io/v1"),
            obj("Namespace"),
        ]
    )
    assert [[item["kind"] for item in stage] for stage in found] == [
        ["Namespace", "ClusterRole"],
        ["StorageClass"],
        ["Deployment"],
    ]


def test_an_empty_stage_is_left_out() -> None:
    assert [[item["kind"] for item in stage] for stage in stages([obj("Secret")])] == [["Secret"]]
    assert stages([]) == ()


@pytest.mark.parametrize(
    ("kind", "api"),
    [
        ("Namespace", "example.com/v1"),
        ("ClusterRole", "example.com/v1"),
        ("CustomResourceDefinition", "example.com/v1"),
    ],
)
def test_a_foreign_kind_of_the_same_name_is_no_definition(kind: str, api: str) -> None:
    found = stages([obj("Namespace"), obj(kind, api=api)])
    assert [[item["apiVersion"] for item in stage] for stage in found] == [["v1"], [api]]


def test_deletion_is_the_reverse_of_application() -> None:
    objs = [
        obj("Namespace"),
        obj("Deployment", api="apps/v1", namespace="a"),
        obj("ConfigMap", namespace="a"),
    ]
    applied = [ObjectId.of(item) for item in sort_objects(objs)]
    assert list(delete_order(reversed(applied))) == list(reversed(applied))
