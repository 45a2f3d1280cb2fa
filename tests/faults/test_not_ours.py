"""R14, R15: what others own is left alone, what Git says is restored, and nobody writes twice (no flip-flop)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.invariants import expect_whole, steady
from tests.support.world import World, changed, config_map, deployment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

OWNER = "kustomize.toolkit.fluxcd.io/name"
PREFIX = "kustomize.toolkit.fluxcd.io"


def annotated(obj: dict[str, Any], **values: str) -> dict[str, Any]:
    meta = {**obj["metadata"], "annotations": {f"{PREFIX}/{key}": value for key, value in values.items()}}
    return {**obj, "metadata": meta}


def quiet(world: World) -> None:
    """Two more runs write nothing at all to any owned object, and a preview shows no change."""
    calm = steady(world)
    world.stack.up().must()
    assert world.versions() == calm
    world.stack.expect_clean()


def test_only_objects_that_are_still_ours_are_pruned(world: World) -> None:
    ns = world.namespace
    names = ("taken", "unlabelled", "kept-by-git", "kept-by-hand", "not-reconciled", "goes")
    objects = {name: config_map(ns, name, A="1") for name in names}
    objects["kept-by-git"] = annotated(objects["kept-by-git"], prune="disabled")
    keep = [config_map(ns, f"keep-{n}", A="1") for n in range(8)]
    world.commit({"web/keep.yaml": keep, "web/names.yaml": list(objects.values())})
    world.units(web="./web")
    world.stack.up().must()
    base = {"apiVersion": "v1", "kind": "ConfigMap"}
    labels: dict[str, dict[str, Any]] = {
        "taken": {"labels": {OWNER: "somebody-else"}},
        "unlabelled": {"labels": {OWNER: None, f"{PREFIX}/namespace": None}},
        "kept-by-hand": {"annotations": {f"{PREFIX}/prune": "disabled"}},
        "not-reconciled": {"annotations": {f"{PREFIX}/reconcile": "disabled"}},
    }
    for name, change in labels.items():
        world.edit({**base, "metadata": {"name": name, "namespace": ns}}, {"metadata": change})
    world.commit({"web/names.yaml": None})
    shown = world.stack.preview("--diff").must()
    assert f"ConfigMap/{ns}/goes" in shown.out
    world.stack.up().must()
    assert world.gone("v1", "ConfigMap", "goes")
    for name in names[:-1]:
        assert not world.gone("v1", "ConfigMap", name), name
    calm = {name: world.live("v1", "ConfigMap", name)["metadata"]["resourceVersion"] for name in names[:-1]}
    world.stack.up().must()
    assert calm == {
        name: world.live("v1", "ConfigMap", name)["metadata"]["resourceVersion"] for name in names[:-1]
    }


def scale(world: World, name: str, replicas: int) -> None:
    """What an autoscaler does: the scale subresource."""
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/{name}/scale"
    world.rest.request(
        "PATCH", path, {"spec": {"replicas": replicas}}, content="application/merge-patch+json"
    )


@pytest.mark.slow
def test_the_ownership_table(world: World) -> None:
    """One run per column of the table: autoscaler, injected sidecar, other applier, kubectl edit; no flip-flop."""
    ns = world.namespace
    free = deployment(ns, "scaled")
    del free["spec"]["replicas"]
    web = deployment(ns, "web")
    data = config_map(ns, "data", A="1", B="2")
    world.commit({"web/all.yaml": [free, web, data]})
    world.units(web="./web")
    world.stack.up().must()
    scale(world, "scaled", 3)
    sidecar = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": ns},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"spec": {"containers": [{"name": "proxy", "image": "registry.k8s.io/pause:3.9"}]}},
        },
    }
    world.rest.apply(sidecar, "injector")
    world.rest.apply(config_map(ns, "data", EXTRA="operator"), "operator")
    world.edit({**data}, {"data": {"A": "by-hand", "HAND": "kubectl"}})
    world.stack.up().must()
    assert world.live("apps/v1", "Deployment", "scaled")["spec"]["replicas"] == 3, (
        "the autoscaler's replicas stay"
    )
    pods = world.live("apps/v1", "Deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert sorted(item["name"] for item in pods) == ["main", "proxy"], "an injected container stays"
    live = world.live("v1", "ConfigMap", "data")["data"]
    assert live == {"A": "1", "B": "2", "EXTRA": "operator"}, (
        "Git's fields win, kubectl's go, an operator's stay"
    )
    expect_whole(world, web="web")
    quiet(world)


@pytest.mark.slow
def test_ignored_fields_are_left_to_whoever_sets_them(world: World) -> None:
    ns = world.namespace
    rule = {"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}
    world.commit({"web/all.yaml": [deployment(ns, "web", replicas=1)]})
    world.units(world.unit("web", "./web", ignore=[rule]))
    world.stack.up().must()
    scale(world, "web", 4)
    quiet(world)
    assert world.live("apps/v1", "Deployment", "web")["spec"]["replicas"] == 4
    world.commit(
        {"web/all.yaml": [changed(deployment(ns, "web", replicas=1), ("spec", "minReadySeconds"), 1)]}
    )
    world.stack.up().must()
    live = world.live("apps/v1", "Deployment", "web")["spec"]
    assert (live["replicas"], live["minReadySeconds"]) == (4, 1)


@pytest.mark.faults
def test_objects_say_how_they_want_to_be_applied(world: World) -> None:
    ns = world.namespace
    objects = [
        annotated(config_map(ns, "once", A="git"), ssa="IfNotPresent"),
        annotated(config_map(ns, "merged", A="git"), ssa="Merge"),
        config_map(ns, "frozen", A="git"),
    ]
    world.commit({"web/all.yaml": objects})
    world.units(web="./web")
    world.stack.up().must()
    base = {"apiVersion": "v1", "kind": "ConfigMap"}
    for name in ("once", "merged", "frozen"):
        where = {**base, "metadata": {"name": name, "namespace": ns}}
        world.edit(where, {"data": {"A": "hand", "EXTRA": "hand"}})
    world.edit(
        {**base, "metadata": {"name": "frozen", "namespace": ns}},
        {"metadata": {"annotations": {f"{PREFIX}/reconcile": "disabled"}}},
    )
    world.stack.up().must()
    found = {name: world.live("v1", "ConfigMap", name)["data"] for name in ("once", "merged", "frozen")}
    assert found["once"] == {"A": "hand", "EXTRA": "hand"}
    assert found["merged"] == {"A": "git", "EXTRA": "hand"}
    assert found["frozen"] == {"A": "hand", "EXTRA": "hand"}
    quiet(world)
