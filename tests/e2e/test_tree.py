"""Repositories that hold Flux objects: read from Git, expanded to any depth, children removed with their documents."""

from __future__ import annotations

import pytest

from tests.support.checker import Expected
from tests.support.stack import git_repository
from tests.support.world import ILL, Obj, World, changed, config_map, deployment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def three_levels(world: World) -> dict[str, list[Obj]]:
    ns = world.namespace
    return {
        "top/middle.yaml": [world.unit("middle", "./middle")],
        "middle/leaf.yaml": [world.unit("leaf", "./leaf")],
        "middle/own.yaml": [config_map(ns, "own", A="1")],
        "leaf/a.yaml": [config_map(ns, "leaf", A="1")],
    }


def expect(world: World, *, leaf: bool = True) -> None:
    """The parents' own objects are units, which are never applied: only the ConfigMaps are judged."""
    ns = world.namespace
    own = checker_unit(world, "middle", [config_map(ns, "own", A="1")])
    wanted = [checker_unit(world, "top", []), own]
    world.judge_units([*wanted, world.expected("leaf", "leaf")] if leaf else wanted)


def checker_unit(world: World, name: str, objects: list[Obj]) -> Expected:
    return Expected(name, tuple(objects), world.flux)


def test_units_that_render_units_are_expanded_to_any_depth_in_one_preview(world: World) -> None:
    world.commit(three_levels(world))
    world.units(top="./top")
    shown = world.stack.preview("--diff").must()
    assert f"ConfigMap/{world.namespace}/leaf" in shown.out
    world.stack.up().must()
    expect(world)
    world.stack.expect_clean()


def test_a_child_removed_from_git_goes_with_its_objects(world: World) -> None:
    world.commit(three_levels(world))
    world.units(top="./top")
    world.stack.up().must()
    world.commit({"middle/leaf.yaml": None})
    shown = world.stack.preview("--diff").must()
    assert "leaf" in shown.out
    world.stack.up().must()
    assert world.gone("v1", "ConfigMap", "leaf")
    expect(world, leaf=False)


def test_a_child_stays_while_its_parent_cannot_be_applied_without_it(world: World) -> None:
    world.commit(three_levels(world))
    world.units(top="./top")
    world.stack.up().must()
    uid = world.live("v1", "ConfigMap", "leaf")["metadata"]["uid"]
    leaf = world.unit("leaf", "./leaf")
    broken = changed(deployment(world.namespace, "web"), ("spec", "replicaz"), 3)
    misspelt = {**leaf, "apiVersion": "kustomize.toolkit.fluxcd.oi/v1"}
    for files in ({"middle/leaf.yaml": [misspelt]}, {"middle/leaf.yaml": None, "middle/web.yaml": [broken]}):
        world.commit(files)
        found = world.stack.up().must_fail().out
        stays = f"Kustomization/{world.flux}/leaf is no longer declared and stays in this run"
        assert f"{stays}: Kustomization/{world.flux}/middle, which declared it, was not applied" in found
        assert "no unit is removed in this run" in found
        assert world.live("v1", "ConfigMap", "leaf")["metadata"]["uid"] == uid
    world.commit({"middle/leaf.yaml": [leaf], "middle/web.yaml": None})
    world.stack.up().must()
    expect(world)
    world.stack.expect_clean()


def test_a_child_goes_when_its_parent_is_applied_and_not_healthy(world: World) -> None:
    ns = world.namespace
    middle = world.unit("middle", "./middle", **ILL)
    world.commit(three_levels(world))
    world.units(middle)
    assert "health check failed" in world.stack.up().must_fail().out
    expect_middle = checker_unit(world, "middle", [config_map(ns, "own", A="1")])
    world.judge_units([expect_middle, world.expected("leaf", "leaf")])
    world.commit({"middle/leaf.yaml": None})
    assert "health check failed" in world.stack.up().must_fail().out
    assert world.gone("v1", "ConfigMap", "leaf")
    world.judge_units([expect_middle])


def test_a_child_with_a_misspelt_kind_stays(world: World) -> None:
    world.commit(three_levels(world))
    world.units(top="./top")
    world.stack.up().must()
    world.commit({"middle/leaf.yaml": [{**world.unit("leaf", "./leaf"), "kind": "Kustomisation"}]})
    found = world.stack.up().must_fail().out
    assert "kind: found 'Kustomisation', expected Kustomization in kustomize.toolkit.fluxcd.io" in found
    expect(world)


def test_a_child_whose_document_says_that_it_is_not_pruned_leaves_its_objects(world: World) -> None:
    world.commit(three_levels(world))
    leaf = world.unit("leaf", "./leaf")
    leaf["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
    world.commit({"middle/leaf.yaml": [leaf]})
    world.units(top="./top")
    world.stack.up().must()
    world.commit({"middle/leaf.yaml": None})
    said = "left in place: its document says kustomize.toolkit.fluxcd.io/prune: disabled"
    assert said in world.stack.preview("--diff").must().out
    world.stack.up().must()
    assert not world.gone("v1", "ConfigMap", "leaf")
    world.commit({"middle/leaf.yaml": [leaf]})
    world.stack.up().must()
    expect(world)
    world.stack.destroy().must()
    assert world.gone("v1", "ConfigMap", "leaf")


def test_the_stacks_own_objects_may_come_from_git(world: World) -> None:
    source = git_repository("apps", world.repo.url, namespace=world.flux)
    world.commit(
        {
            "flux/all.yaml": [source, world.unit("web", "./web")],
            "web/a.yaml": [config_map(world.namespace, "web", A="1")],
        }
    )
    del world.stack.settings["objects"]
    world.stack.settings["source"] = {"url": world.repo.url, "ref": "main", "path": "flux"}
    world.stack.write_settings()
    world.stack.up().must()
    world.judge(web="web")
    world.commit({"web/a.yaml": [config_map(world.namespace, "web", A="2")]})
    world.stack.up().must()
    world.judge(web="web")


def test_a_repository_that_flux_was_bootstrapped_with_works_as_it_is(world: World) -> None:
    ns = world.namespace
    patch = "[{op: replace, path: /spec/path, value: ./apps/prod}]"
    target = "{kind: Kustomization, name: web}"
    # the unit of the path itself patches what is in it, as do the kustomizations of its folders
    root = world.unit(
        "root", "./clusters/prod", patches=[{"patch": "- {op: add, path: /spec/wait, value: true}"}]
    )
    root["spec"]["patches"][0]["target"] = {"kind": "Kustomization"}
    system = "clusters/prod/flux-system"
    world.commit(
        {
            f"{system}/gotk-components.yaml": [config_map(ns, "controllers", A="1")],
            f"{system}/gotk-sync.yaml": [git_repository("apps", world.repo.url, namespace=world.flux), root],
            f"{system}/kustomization.yaml": "resources: [gotk-components.yaml, gotk-sync.yaml]\n",
            "clusters/prod/web.yaml": [world.unit("web", "./apps/base")],
            "clusters/prod/left-out.yaml": [world.unit("left-out", "./apps/base")],
            "clusters/prod/kustomization.yaml": "resources: [flux-system, web.yaml]\n"
            f"patches:\n- target: {target}\n  patch: |\n    - {patch[1:-1]}\n",
            "apps/base/a.yaml": [config_map(ns, "base", A="1")],
            "apps/prod/a.yaml": [config_map(ns, "web", A="1")],
        }
    )
    del world.stack.settings["objects"]
    world.stack.settings["source"] = {"url": world.repo.url, "ref": "main", "path": "./clusters/prod"}
    world.stack.write_settings()
    assert "left-out" not in world.stack.weir("diff").out
    world.stack.up().must()
    assert world.live("v1", "ConfigMap", "web")
    assert world.live("v1", "ConfigMap", "controllers")
    assert world.gone("v1", "ConfigMap", "base")
    world.stack.expect_clean()


def test_variables_reach_manifests_and_every_document_of_a_unit_is_substituted(world: World) -> None:
    ns = world.namespace
    world.commit({"web/a.yaml": [config_map(ns, "web", HOST="${host}", SIZE="${size:=small}")]})
    world.units(world.unit("web", "./web", postBuild={"substitute": {"host": "shop.example"}}))
    world.stack.up().must()
    assert world.live("v1", "ConfigMap", "web")["data"] == {"HOST": "shop.example", "SIZE": "small"}


def test_a_suspended_unit_is_left_as_it_is(world: World) -> None:
    ns = world.namespace
    world.commit({"web/a.yaml": [config_map(ns, "web", A="1")]})
    world.units(web="./web")
    world.stack.up().must()
    world.commit({"web/a.yaml": [config_map(ns, "web", A="2")]})
    world.units(world.unit("web", "./web", suspend=True))
    world.stack.up().must()
    assert world.live("v1", "ConfigMap", "web")["data"] == {"A": "1"}
    world.units(world.unit("web", "./web"))
    world.stack.up().must()
    world.judge(web="web")


def test_dependencies_are_in_the_cluster_before_their_dependents(world: World) -> None:
    ns = world.namespace
    names = ["first", "second", "third"]
    world.commit({f"{name}/a.yaml": [config_map(ns, name, A="1")] for name in names})
    pairs = zip(names, [None, *names], strict=False)
    world.units(
        *(
            world.unit(name, f"./{name}", wait=True, **({"dependsOn": [{"name": before}]} if before else {}))
            for name, before in pairs
        )
    )
    world.stack.up().must()
    versions = [int(world.live("v1", "ConfigMap", name)["metadata"]["resourceVersion"]) for name in names]
    assert versions == sorted(versions)
    world.stack.destroy().must()
    assert world.checker.owned() == {}


def test_the_children_of_a_suspended_unit_stay_as_it_was_applied_and_go_on(world: World) -> None:
    ns = world.namespace
    world.commit(three_levels(world))
    world.units(top="./top")
    world.stack.up().must()
    moved = {
        "middle/leaf.yaml": None,
        "middle/new.yaml": [world.unit("new", "./new")],
        "new/a.yaml": [config_map(ns, "new", A="1")],
        "leaf/a.yaml": [config_map(ns, "leaf", A="2")],
    }
    world.commit(moved)
    world.stack.weir("suspend", "kustomization", "middle").must()
    shown = world.stack.weir("diff")
    assert shown.code == 1, shown.out
    assert f"ConfigMap/{ns}/new" not in shown.out
    world.stack.up().must()
    assert world.live("v1", "ConfigMap", "leaf")["data"] == {"A": "2"}, "a child has a source of its own"
    assert world.gone("v1", "ConfigMap", "new")
    world.stack.expect_clean()
    world.commit({"middle/broken.yaml": "kind: [\n"})
    world.stack.up().must()
    world.commit({"middle/broken.yaml": None})
    world.stack.weir("resume", "kustomization", "middle").must()
    world.stack.up().must()
    assert world.gone("v1", "ConfigMap", "leaf")
    assert world.live("v1", "ConfigMap", "new")["data"] == {"A": "1"}


def test_a_unit_that_is_suspended_before_it_is_applied_declares_nothing(world: World) -> None:
    world.commit({**three_levels(world), "broken/a.yaml": "kind: [\n"})
    broken = world.unit("broken", "./broken", suspend=True)
    world.units(world.unit("middle", "./middle", suspend=True), broken)
    world.stack.up().must()
    assert world.gone("v1", "ConfigMap", "leaf")
    world.units(world.unit("middle", "./middle"), broken)
    world.stack.up().must()
    assert world.live("v1", "ConfigMap", "leaf")["data"] == {"A": "1"}
