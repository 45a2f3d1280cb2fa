"""R17: a definition and its objects in one commit, a new version, and a definition that vanishes under its objects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.checker import Expected
from tests.support.invariants import expect_whole, uids
from tests.support.kube import wait_for
from tests.support.world import Obj, World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

CRD = "apiextensions.k8s.io/v1"


def group(world: World) -> str:
    """An API group of the test's own: definitions have no namespace."""
    return f"{world.namespace}.weir.test"


def schema(**fields: Any) -> dict[str, Any]:
    spec = {"type": "object", "properties": {"size": {"type": "integer"}, **fields}}
    return {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}


def definition(world: World, *, second: bool = False) -> Obj:
    versions = [{"name": "v1", "served": True, "storage": not second, "schema": schema()}]
    if second:
        color = {"type": "string", "default": "blue"}
        versions.append({"name": "v2", "served": True, "storage": True, "schema": schema(color=color)})
    names = {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"}
    return {
        "apiVersion": CRD,
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group(world)}"},
        "spec": {"group": group(world), "scope": "Namespaced", "names": names, "versions": versions},
    }


def gadget(world: World, name: str, version: str = "v1", size: int = 1) -> Obj:
    meta = {"name": name, "namespace": world.namespace}
    return {
        "apiVersion": f"{group(world)}/{version}",
        "kind": "Gadget",
        "metadata": meta,
        "spec": {"size": size},
    }


def drop_definition(world: World) -> None:
    """Remove the definition behind everybody's back and wait until its kind is not served any more."""
    world.rest.delete(CRD, "CustomResourceDefinition", "", f"gadgets.{group(world)}")
    wait_for(
        lambda: group(world) not in {item["name"] for item in world.rest.request("GET", "/apis")["groups"]}
    )


@pytest.mark.slow
def test_definition_and_objects_arrive_in_one_run_and_get_a_new_version(world: World) -> None:
    world.commit(
        {"web/a.yaml": [gadget(world, "one"), definition(world), config_map(world.namespace, "c", A="1")]}
    )
    world.units(web="./web")
    shown = world.stack.preview("--diff").must()
    assert f"Gadget/{world.namespace}/one" in shown.out, (
        "a preview lists objects whose kind is not served yet"
    )
    world.stack.up().must()
    expect_whole(world, web="web")
    before = uids(world)
    kept = next(uid for name, uid in before.items() if "/Gadget/" in name)
    new = [
        gadget(world, "one", "v2", size=2),
        definition(world, second=True),
        config_map(world.namespace, "c", A="1"),
    ]
    world.commit({"web/a.yaml": new})
    world.stack.up().must()
    world.judge(web="web")
    live = world.rest.get(f"{group(world)}/v2", "Gadget", world.namespace, "one")
    assert live is not None
    assert live["metadata"]["uid"] == kept
    assert live["spec"] == {"size": 2, "color": "blue"}
    world.stack.expect_clean()


@pytest.mark.faults
def test_a_definition_deleted_under_its_objects_is_made_again_with_them(world: World) -> None:
    files = {"web/a.yaml": [gadget(world, "one"), definition(world), config_map(world.namespace, "c", A="1")]}
    world.commit(files)
    world.units(web="./web")
    world.stack.up().must()
    drop_definition(world)
    world.stack.up().must()
    expect_whole(world, web="web")


@pytest.mark.faults
def test_objects_whose_definition_is_gone_are_forgotten_when_git_drops_them(world: World) -> None:
    ns = world.namespace
    keep = [config_map(ns, f"keep-{n}", A="1") for n in range(4)]
    world.rest.apply(definition(world))
    wait_for(lambda: group(world) in {item["name"] for item in world.rest.request("GET", "/apis")["groups"]})
    world.commit({"web/keep.yaml": keep, "web/gadget.yaml": [gadget(world, "one")]})
    world.units(web="./web")
    world.stack.up().must()
    drop_definition(world)
    world.commit({"web/gadget.yaml": None})
    world.stack.up().must()
    expect_whole(world, web="web")


@pytest.mark.slow
def test_a_definition_is_not_pruned_with_everything_of_its_kind_unless_named(world: World) -> None:
    ns = world.namespace
    keep = [config_map(ns, f"keep-{n}", A="1") for n in range(4)]
    world.commit({"web/keep.yaml": keep, "web/crd.yaml": [definition(world)]})
    world.units(web="./web")
    world.stack.up().must()
    world.rest.apply(gadget(world, "somebody-elses"))
    world.commit({"web/crd.yaml": None})
    refused = world.stack.up().must_fail()
    name = f"CustomResourceDefinition/gadgets.{group(world)}"
    assert name in refused.out
    assert "weir.dev/allow-delete" in refused.out
    assert world.rest.get(f"{group(world)}/v1", "Gadget", ns, "somebody-elses")
    unit = world.unit("web", "./web")
    unit["metadata"]["annotations"] = {"weir.dev/allow-delete": name}
    world.units(unit)
    world.stack.up().must()
    world.checker.wait_gone([key for key in world.checker.owned() if key[1] != "ConfigMap"]).must_hold()
    world.judge_units([Expected("web", tuple(keep), world.flux)])
