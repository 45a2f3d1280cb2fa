"""docs/moving-from-flux.md, step by step: named while Flux runs, adopted once it is suspended, metadata only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.support.kube import NOT_FOUND, Kube, KubeError, wait_for
from tests.support.world import World, config_map, deployment, service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

GROUP: Final = "kustomize.toolkit.fluxcd.io"
NAME: Final = f"kustomizations.{GROUP}"


@pytest.fixture
def flux_kinds(kube: Kube) -> Iterator[None]:
    """The cluster serves Flux's Kustomization, as one that Flux was installed on does."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Kustomization", "listKind": "KustomizationList", "plural": "kustomizations"}
    kube.apply_as(
        "flux",
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": NAME},
            "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
        },
    )
    wait_for(lambda: served(kube))
    yield
    kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", NAME)


def served(kube: Kube) -> bool:
    """Whether its objects can be written: the list of all groups has a group before that."""
    try:
        found = kube.request("GET", f"/apis/{GROUP}/v1")["resources"]
    except KubeError as err:
        if err.status != NOT_FOUND:
            raise
        return False
    return any(resource["kind"] == "Kustomization" for resource in found)


def as_flux_left_it(world: World, kube: Kube) -> list[dict[str, Any]]:
    """The objects of unit `web` as kustomize-controller applied them, and its live Kustomization."""
    ns = world.namespace
    objects = [config_map(ns, "web", A="1"), deployment(ns, "web"), service(ns, "web")]
    owner = {f"{GROUP}/name": "web", f"{GROUP}/namespace": world.flux}
    for item in objects:
        labelled = {**item, "metadata": {**item["metadata"], "labels": owner}}
        world.rest.apply(labelled, "kustomize-controller")
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
    live = world.unit("web", "./web")
    kube.apply(live)
    return objects


def managers(world: World, version: str, kind: str) -> set[str]:
    entries = world.live(version, kind, "web")["metadata"]["managedFields"]
    return {entry["manager"] for entry in entries if entry.get("operation") == "Apply"}


def test_the_steps_of_the_page(world: World, kube: Kube, flux_kinds: None) -> None:
    objects = as_flux_left_it(world, kube)
    ns = world.namespace
    before = world.live("apps/v1", "Deployment", "web")
    world.commit({"web/all.yaml": objects})
    world.units(web="./web")

    running = world.stack.weir("diff")
    assert running.code == 2
    assert f"found a live Kustomization/{world.flux}/web that Flux reconciles" in running.out
    assert f"flux suspend kustomization web -n {world.flux}" in running.out

    kube.patch(f"{GROUP}/v1", "Kustomization", "web", world.flux, {"spec": {"suspend": True}})
    suspended = world.stack.weir("diff")
    assert suspended.code == 1, suspended.out
    for kind in ("ConfigMap", "Deployment", "Service"):
        lines = [line for line in suspended.out.splitlines() if f"{kind}/{ns}/web" in line]
        assert len(lines) == 1
        assert "adopt" in lines[0]
        assert "takes over from kustomize-controller" in lines[0]

    world.stack.up().must()
    world.judge(web="web")
    after = world.live("apps/v1", "Deployment", "web")
    assert after["spec"] == before["spec"]
    assert [after["metadata"][key] for key in ("uid", "generation")] == [
        before["metadata"][key] for key in ("uid", "generation")
    ]
    assert managers(world, "v1", "ConfigMap") == {"weir"}
    assert kube.get(f"{GROUP}/v1", "Kustomization", "web", world.flux), "Flux's own object is left alone"
    assert world.stack.weir("diff").code == 0
