"""R16: a change of an immutable field is refused as a whole by default; `force` recreates that object and no other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.invariants import expect_whole
from tests.support.kube import wait_for
from tests.support.world import Obj, World, changed, config_map, deployment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

FORCE = "kustomize.toolkit.fluxcd.io/force"


def secret(ns: str, value: str) -> Obj:
    meta = {"name": "fixed", "namespace": ns}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": meta,
        "immutable": True,
        "stringData": {"A": value},
    }


def job(ns: str, image: str) -> Obj:
    spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]}
    meta = {"name": "once", "namespace": ns}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": {"template": {"spec": spec}},
    }


def claim(ns: str, storage_class: str) -> Obj:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": storage_class,
    }
    meta = {"name": "disk", "namespace": ns}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def selected(ns: str, label: str) -> Obj:
    obj = changed(deployment(ns, "web", replicas=1), ("spec", "selector", "matchLabels"), {"app": label})
    return changed(obj, ("spec", "template", "metadata", "labels"), {"app": label})


def objects(ns: str, turn: str) -> dict[str, Obj]:
    """One object of each immutable sort; turn `b` changes what may not change."""
    second = turn == "b"
    return {
        "Deployment": selected(ns, turn),
        "Job": job(ns, f"registry.k8s.io/pause:3.{9 if second else 8}"),
        "Secret": secret(ns, turn),
        "PersistentVolumeClaim": claim(ns, turn),
    }


def forced(obj: Obj) -> Obj:
    return {**obj, "metadata": {**obj["metadata"], "annotations": {FORCE: "enabled"}}}


def identity(world: World, items: dict[str, Obj]) -> dict[str, Any]:
    return {
        kind: world.live(obj["apiVersion"], kind, obj["metadata"]["name"])["metadata"]["uid"]
        for kind, obj in items.items()
    }


@pytest.mark.slow
def test_every_immutable_change_is_told_and_nothing_of_the_stage_is_applied(world: World) -> None:
    ns = world.namespace
    before = objects(ns, "a")
    world.commit({"web/all.yaml": [*before.values(), config_map(ns, "plain", A="1")]})
    world.units(web="./web")
    world.stack.up().must()
    uid = identity(world, before)
    world.commit({"web/all.yaml": [*objects(ns, "b").values(), config_map(ns, "plain", A="2")]})
    failed = world.stack.up().must_fail()
    for kind, obj in before.items():
        assert f"{kind}/{ns}/{obj['metadata']['name']}" in failed.out, (
            "all refusals of a stage are told at once"
        )
    assert "force" in failed.out, "the next step is named"
    assert "Traceback" not in failed.out
    assert world.live("v1", "ConfigMap", "plain")["data"] == {"A": "1"}, "no partial apply"
    assert identity(world, before) == uid
    world.commit({"web/all.yaml": [*before.values(), config_map(ns, "plain", A="3")]})
    world.stack.up().must()
    expect_whole(world, web="web")


@pytest.mark.faults
def test_force_recreates_only_the_object_that_asks_for_it(world: World) -> None:
    ns = world.namespace
    kinds = ("Deployment", "Job", "Secret")
    before = {kind: obj for kind, obj in objects(ns, "a").items() if kind in kinds}
    world.commit({"web/all.yaml": [*before.values(), config_map(ns, "plain", A="1")]})
    world.units(web="./web")
    world.stack.up().must()
    uid = identity(world, before)
    plain = world.live("v1", "ConfigMap", "plain")["metadata"]["uid"]
    after = {**before, "Job": forced(objects(ns, "b")["Job"]), "Secret": forced(objects(ns, "b")["Secret"])}
    world.commit({"web/all.yaml": [*after.values(), config_map(ns, "plain", A="2")]})
    world.stack.up().must()
    expect_whole(world, web="web")
    now = identity(world, before)
    assert now["Deployment"] == uid["Deployment"]
    assert now["Job"] != uid["Job"]
    assert now["Secret"] != uid["Secret"]
    assert world.live("v1", "ConfigMap", "plain")["metadata"]["uid"] == plain
    forced_web = forced(objects(ns, "b")["Deployment"])
    world.commit(
        {"web/all.yaml": [*{**after, "Deployment": forced_web}.values(), config_map(ns, "plain", A="2")]}
    )
    world.stack.up().must()
    expect_whole(world, web="web")
    deploy = wait_for(lambda: world.rest.get("apps/v1", "Deployment", ns, "web"))
    assert deploy is not None
    assert deploy["metadata"]["uid"] != uid["Deployment"]


@pytest.mark.faults
def test_force_does_not_recreate_a_claim_that_nobody_named(world: World) -> None:
    """Recreating a PersistentVolumeClaim destroys data as deleting it does."""
    ns = world.namespace
    world.commit({"web/all.yaml": [claim(ns, "a"), config_map(ns, "plain", A="1")]})
    world.units(web="./web")
    world.stack.up().must()
    uid = world.live("v1", "PersistentVolumeClaim", "disk")["metadata"]["uid"]
    world.commit({"web/all.yaml": [forced(claim(ns, "b")), config_map(ns, "plain", A="2")]})
    failed = world.stack.up().must_fail()
    assert "weir.dev/allow-delete" in failed.out
    assert world.live("v1", "PersistentVolumeClaim", "disk")["metadata"]["uid"] == uid
    assert world.live("v1", "ConfigMap", "plain")["data"] == {"A": "1"}
