"""From a commit to a converged cluster, again without a change, and back to nothing."""

from __future__ import annotations

import shutil

import pytest

from tests.support.stack import changed as summary_changed
from tests.support.world import World, config_map, deployment, service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def app(world: World) -> None:
    ns = world.namespace
    world.commit(
        {"web/all.yaml": [config_map(ns, "web", GREETING="hello"), deployment(ns, "web"), service(ns, "web")]}
    )


def test_up_makes_what_git_says_and_a_second_up_writes_nothing(world: World) -> None:
    app(world)
    world.units(world.unit("web", "./web", wait=True))
    world.stack.up().must()
    world.judge(web="web")
    status = world.live("apps/v1", "Deployment", "web")["status"]
    assert status["readyReplicas"] == 2
    before = world.versions()
    again = world.stack.up().must()
    assert not summary_changed(again), again.out
    assert world.versions() == before
    world.stack.expect_clean()


def test_destroy_leaves_nothing(world: World) -> None:
    app(world)
    world.units(web="./web")
    world.stack.up().must()
    owned = set(world.checker.owned())
    assert len(owned) == 3
    world.stack.destroy().must()
    world.checker.wait_gone(owned).must_hold()
    assert world.checker.inventories() == {}


def test_destroy_from_a_lost_state_is_refused_until_an_up_took_the_units_back(world: World) -> None:
    app(world)
    world.units(web="./web")
    world.stack.up().must()
    owned = set(world.checker.owned())
    shutil.rmtree(world.stack.backend / ".pulumi")
    refused = world.stack.destroy().must_fail()
    assert f"its state does not know: Kustomization/{world.flux}/web; nothing was removed" in refused.out
    world.judge(web="web")
    world.stack.up().must()
    world.stack.destroy().must()
    world.checker.wait_gone(owned).must_hold()
    assert world.checker.inventories() == {}


def test_a_unit_that_left_git_with_the_state_is_removed_once_the_tree_is_whole(world: World) -> None:
    ns = world.namespace
    world.commit({"one/a.yaml": [config_map(ns, "one", A="1")], "two/b.yaml": [config_map(ns, "two", B="1")]})
    world.units(one="./one", two="./two")
    world.stack.up().must()
    shutil.rmtree(world.stack.backend / ".pulumi")
    world.units(one="./one", bad="./nowhere")
    world.stack.up().must_fail()
    assert not world.gone("v1", "ConfigMap", "two"), "in a tree that is not whole it may still be declared"
    world.units(one="./one")
    world.stack.up().must()
    assert world.gone("v1", "ConfigMap", "two")
    world.judge(one="one")


def test_a_commit_changes_only_what_it_touches(world: World) -> None:
    app(world)
    world.units(web="./web")
    world.stack.up().must()
    before = world.versions()
    ns = world.namespace
    objects = [config_map(ns, "web", GREETING="good evening"), deployment(ns, "web"), service(ns, "web")]
    world.commit({"web/all.yaml": objects})
    world.stack.up().must()
    world.judge(web="web")
    moved = {name for name, version in world.versions().items() if before[name] != version}
    assert f"ConfigMap/{ns}/web" in moved
    assert f"Service/{ns}/web" not in moved


def test_a_removed_manifest_is_pruned_and_another_owners_object_is_not(world: World) -> None:
    ns = world.namespace
    world.commit(
        {"web/keep.yaml": [config_map(ns, "keep", A="1")], "web/drop.yaml": [config_map(ns, "drop", A="1")]}
    )
    world.units(web="./web")
    world.rest.apply(config_map(ns, "foreign", A="1"))
    world.stack.up().must()
    world.commit({"web/drop.yaml": None})
    world.stack.up().must()
    assert world.gone("v1", "ConfigMap", "drop")
    world.live("v1", "ConfigMap", "foreign")
    world.judge(web="web")


def test_an_object_deleted_by_hand_comes_back(world: World) -> None:
    app(world)
    world.units(web="./web")
    world.stack.up().must()
    world.rest.delete("v1", "Service", world.namespace, "web")
    shown = world.stack.preview("--diff").must()
    assert f"Service/{world.namespace}/web" in shown.out
    world.stack.up().must()
    world.judge(web="web")


def test_plain_pulumi_does_the_same_from_a_healthy_state(world: World) -> None:
    app(world)
    world.units(web="./web")
    world.stack.init()
    world.stack.bare("up", "--yes", "--skip-preview").must()
    world.judge(web="web")
    again = world.stack.bare("preview", "--diff").must()
    assert not summary_changed(again), again.out
    world.stack.bare("destroy", "--yes", "--skip-preview").must()
    world.judge_units([])


def test_each_unit_has_an_output_that_says_how_it_is(world: World) -> None:
    app(world)
    world.units(web="./web")
    commit = world.repo.head()
    world.stack.up().must()
    stack = next(item for item in world.stack.resources() if item["type"] == "pulumi:pulumi:Stack")
    texts = [str(value) for name, value in stack["outputs"].items() if "web" in name]
    assert texts, stack["outputs"]
    assert any(commit in text for text in texts), texts
