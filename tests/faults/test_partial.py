"""R12, R13: what an apply or a prune left half done is remembered, told, and finished by a later run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.invariants import expect_whole
from tests.support.policy import denied
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def cluster_role(world: World, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"{world.namespace}-{name}"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }


@pytest.mark.slow
def test_what_a_failed_apply_made_is_pruned_when_the_commit_is_reverted(world: World) -> None:
    """The first stage is in the cluster when the second is refused (kustomize-controller issue 409)."""
    ns = world.namespace
    keep = [config_map(ns, f"keep-{n}", A="1") for n in range(3)]
    world.commit({"web/keep.yaml": keep})
    world.units(web="./web")
    world.stack.up().must()
    bad = {**config_map(ns, "bad"), "dato": {"A": "1"}}
    world.commit({"web/new.yaml": [cluster_role(world, "early"), config_map(ns, "late", A="1"), bad]})
    failed = world.stack.up().must_fail()
    assert f"ConfigMap/{ns}/bad" in failed.out
    assert "dato" in failed.out
    assert world.gone("v1", "ConfigMap", "late"), "nothing of a stage is applied when one object is refused"
    world.commit({"web/new.yaml": None})
    world.stack.up().must()
    assert world.rest.get("rbac.authorization.k8s.io/v1", "ClusterRole", "", f"{ns}-early") is None
    expect_whole(world, web="web")


@pytest.mark.faults
def test_what_was_applied_beside_a_refused_write_is_pruned_when_the_commit_is_reverted(world: World) -> None:
    """The policy lets dry-runs pass and refuses the real write, so half of the stage is in the cluster."""
    ns = world.namespace
    world.commit({"web/keep.yaml": [config_map(ns, f"keep-{n}", A="1") for n in range(8)]})
    world.units(web="./web")
    world.stack.up().must()
    with denied(world.rest, ns, 'request.dryRun || !(object.metadata.name in ["bad", "probe"])', on="CREATE"):
        new = [config_map(ns, name, A="1") for name in ("new-1", "bad", "new-2")]
        world.commit({"web/new.yaml": new})
        failed = world.stack.up().must_fail()
        assert f"ConfigMap/{ns}/bad" in failed.out
        assert "the test's policy says no" in failed.out
        assert "Traceback" not in failed.out
    assert not world.gone("v1", "ConfigMap", "new-1")
    world.commit({"web/new.yaml": None})
    world.stack.up().must()
    assert world.gone("v1", "ConfigMap", "new-1")
    expect_whole(world, web="web")


@pytest.mark.faults
def test_a_refused_deletion_is_told_and_done_later_without_a_new_commit(world: World) -> None:
    ns = world.namespace
    keep = [config_map(ns, f"keep-{n}", A="1") for n in range(3)]
    world.commit({"web/keep.yaml": keep, "web/b.yaml": [config_map(ns, "stuck", A="1")]})
    world.units(web="./web")
    world.stack.up().must()
    with denied(world.rest, ns, '!(oldObject.metadata.name in ["stuck", "probe"])', on="DELETE"):
        world.commit({"web/b.yaml": None})
        failed = world.stack.up()
        assert f"ConfigMap/{ns}/stuck" in failed.out
        assert "the test's policy says no" in failed.out
        assert failed.code != 0
        assert not world.gone("v1", "ConfigMap", "stuck")
        names = {key[3] for found in world.checker.inventories().values() for key in found}
        assert "stuck" in names, "what survives stays in the inventory"
    world.stack.up().must()
    assert world.gone("v1", "ConfigMap", "stuck")
    expect_whole(world, web="web")


@pytest.mark.faults
def test_an_object_held_by_a_finalizer_is_told_and_not_forgotten(world: World) -> None:
    ns = world.namespace
    held = config_map(ns, "held", A="1")
    held["metadata"]["finalizers"] = ["weir.test/hold"]
    world.commit(
        {"web/keep.yaml": [config_map(ns, f"keep-{n}", A="1") for n in range(3)], "web/b.yaml": [held]}
    )
    world.units(web="./web")
    world.stack.up().must()
    world.commit({"web/b.yaml": None})
    done = world.stack.up()
    assert f"ConfigMap/{ns}/held" in done.out
    live = world.live("v1", "ConfigMap", "held")
    assert live["metadata"]["deletionTimestamp"]
    names = {key[3] for found in world.checker.inventories().values() for key in found}
    assert "held" in names
    again = world.stack.preview("--diff")
    assert f"ConfigMap/{ns}/held" in again.out
    assert "weir.test/hold" in again.out, "the preview says who holds it"
    world.edit({**live, "apiVersion": "v1", "kind": "ConfigMap"}, {"metadata": {"finalizers": None}})
    world.stack.up().must()
    expect_whole(world, web="web")


@pytest.mark.faults
def test_destroy_finishes_later_what_a_policy_refused(world: World) -> None:
    ns = world.namespace
    world.commit({"web/a.yaml": [config_map(ns, name, A="1") for name in ("one", "stuck", "two")]})
    world.units(web="./web")
    world.stack.up().must()
    with denied(world.rest, ns, '!(oldObject.metadata.name in ["stuck", "probe"])', on="DELETE"):
        failed = world.stack.destroy().must_fail()
        assert f"ConfigMap/{ns}/stuck" in failed.out
        assert not world.gone("v1", "ConfigMap", "stuck")
        assert world.checker.inventories(), "the record is deleted last"
    world.stack.destroy().must()
    assert world.gone("v1", "ConfigMap", "stuck")
    world.checker.wait_gone(set(world.checker.owned())).must_hold()
    assert world.checker.inventories() == {}
