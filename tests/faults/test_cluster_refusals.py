"""R33: a namespace that is going, a quota that is used up, a webhook that is down: told by name, nobody else harmed."""

from __future__ import annotations

import pytest

from tests.support.invariants import expect_whole
from tests.support.kube import wait_for
from tests.support.world import Obj, World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def far(world: World, name: str, **data: str) -> Obj:
    """A ConfigMap in a second namespace of the test's own."""
    return config_map(f"{world.namespace}-far", name, **data)


def second_namespace(world: World) -> Obj:
    made: Obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{world.namespace}-far"}}
    return world.rest.apply(made)


@pytest.mark.faults
def test_a_namespace_that_is_being_deleted_fails_its_unit_only(world: World) -> None:
    ns = world.namespace
    other = second_namespace(world)["metadata"]["name"]
    holder = config_map(other, "holder")
    holder["metadata"]["finalizers"] = ["weir.test/hold"]
    world.rest.apply(holder)
    world.rest.delete("v1", "Namespace", "", other)
    world.commit(
        {
            "good/a.yaml": [config_map(ns, "good", A="1")],
            "bad/a.yaml": [far(world, "late", A="1"), config_map(ns, "beside", A="1")],
        }
    )
    world.units(good="./good", bad="./bad")
    failed = world.stack.up().must_fail()
    assert f"ConfigMap/{other}/late" in failed.out
    assert "terminat" in failed.out.lower()
    assert "Traceback" not in failed.out
    assert world.gone("v1", "ConfigMap", "beside"), "nothing of a stage is applied when one object is refused"
    world.live("v1", "ConfigMap", "good")
    world.rest.patch(holder, {"metadata": {"finalizers": None}})
    wait_for(lambda: world.rest.get("v1", "Namespace", "", other) is None, seconds=40)
    second_namespace(world)
    world.stack.up().must()
    expect_whole(world, good="good", bad="bad")
    world.rest.delete("v1", "Namespace", "", other)


def test_a_used_up_quota_names_object_and_quota(world: World) -> None:
    ns = world.namespace
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "tight", "namespace": ns},
        "spec": {"hard": {"count/secrets": "0"}},
    }
    world.rest.apply(quota)
    wait_for(lambda: world.live("v1", "ResourceQuota", "tight").get("status", {}).get("hard"), seconds=30)
    secret: Obj = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "big", "namespace": ns},
        "stringData": {"A": "1"},
    }
    world.commit({"web/a.yaml": [secret, config_map(ns, "beside", A="1")]})
    world.units(web="./web")
    failed = world.stack.up().must_fail()
    assert f"Secret/{ns}/big" in failed.out
    assert "tight" in failed.out
    assert world.gone("v1", "Secret", "big")
    world.rest.delete("v1", "ResourceQuota", ns, "tight")
    world.stack.up().must()
    expect_whole(world, web="web")


def webhook(ns: str, policy: str) -> Obj:
    """An admission webhook for ConfigMaps of one namespace that nobody answers."""
    hook = {
        "name": "nobody.weir.test",
        "clientConfig": {"url": "https://127.0.0.1:9/validate"},
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["configmaps"],
            }
        ],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns}},
        "failurePolicy": policy,
        "sideEffects": "None",
        "timeoutSeconds": 2,
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"{ns}-nobody"},
        "webhooks": [hook],
    }


@pytest.mark.faults
def test_a_webhook_that_is_down_fails_its_unit_only(world: World) -> None:
    ns = world.namespace
    other = second_namespace(world)["metadata"]["name"]
    world.commit({"good/a.yaml": [far(world, "good", A="1")], "bad/a.yaml": [config_map(ns, "bad", A="1")]})
    world.units(good="./good", bad="./bad")
    hook = world.rest.apply(webhook(ns, "Fail"))
    try:
        failed = world.stack.up().must_fail()
        assert f"ConfigMap/{ns}/bad" in failed.out
        assert "nobody.weir.test" in failed.out
        assert "Traceback" not in failed.out
        assert world.rest.get("v1", "ConfigMap", other, "good")
    finally:
        world.rest.delete("admissionregistration.k8s.io/v1", hook["kind"], "", hook["metadata"]["name"])
    world.stack.up().must()
    expect_whole(world, good="good", bad="bad")
    world.rest.delete("v1", "Namespace", "", other)
