"""One broken unit: the others converge, the error says what to do, the fix goes live, and nothing is deleted."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.stack import git_repository, kustomization
from tests.support.world import World, changed, config_map, deployment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def pair(world: World) -> None:
    """Units `good` and `bad`, both fine."""
    ns = world.namespace
    world.commit(
        {"good/a.yaml": [config_map(ns, "good", A="1")], "bad/a.yaml": [config_map(ns, "bad", A="1")]}
    )
    world.units(good="./good", bad="./bad")


def breaking(world: World, how: str) -> tuple[dict[str, str | list[dict[str, Any]]], list[str]]:
    """Files that break unit `bad`, and the words its error must have."""
    ns = world.namespace
    if how == "bad YAML":
        text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad, namespace: [\n"
        return {"bad/a.yaml": text}, ["a.yaml"]
    if how == "unknown field":
        broken = changed(deployment(ns, "bad-web"), ("spec", "replicaz"), 3)
        return {"bad/b.yaml": [broken]}, [f"Deployment/{ns}/bad-web", "replicaz"]
    return {"bad/a.yaml": [config_map(ns, "bad", A="${UNDEFINED_THING}")]}, ["UNDEFINED_THING"]


@pytest.mark.parametrize(
    "how",
    [
        "unknown field",
        *(pytest.param(how, marks=pytest.mark.slow) for how in ("bad YAML", "undefined variable")),
    ],
)
def test_a_broken_unit_leaves_the_others_converging_and_its_fix_goes_live(world: World, how: str) -> None:
    pair(world)
    substitution = {"substitute": {"known": "x"}}
    world.units(world.unit("good", "./good"), world.unit("bad", "./bad", postBuild=substitution))
    world.stack.up().must()
    ns = world.namespace
    broken, words = breaking(world, how)
    world.commit({**broken, "good/a.yaml": [config_map(ns, "good", A="2")]})
    failed = world.stack.up().must_fail()
    assert world.live("v1", "ConfigMap", "good")["data"] == {"A": "2"}
    assert world.live("v1", "ConfigMap", "bad")["data"] == {"A": "1"}
    for word in words:
        assert word in failed.out
    assert "Traceback" not in failed.out
    world.commit(
        {
            "bad/a.yaml": [config_map(ns, "bad", A="3")],
            **({"bad/b.yaml": None} if how == "unknown field" else {}),
        }
    )
    world.stack.up().must()
    world.judge(good="good", bad="bad")
    world.stack.expect_clean()


def test_a_missing_path_names_the_path(world: World) -> None:
    pair(world)
    world.units(good="./good", bad="./nowhere")
    failed = world.stack.up().must_fail()
    assert "nowhere" in failed.out
    assert "Traceback" not in failed.out
    assert world.live("v1", "ConfigMap", "good")["data"] == {"A": "1"}


def test_a_failing_health_check_fails_its_unit_and_a_fix_is_not_blocked(world: World) -> None:
    ns = world.namespace
    stuck = changed(deployment(ns, "web", replicas=1), ("spec", "progressDeadlineSeconds"), 2)
    stuck = changed(stuck, ("spec", "template", "spec", "nodeSelector"), {"no-such": "node"})
    world.commit({"good/a.yaml": [config_map(ns, "good", A="1")], "bad/a.yaml": [stuck]})
    world.units(world.unit("good", "./good"), world.unit("bad", "./bad", wait=True, timeout="1m"))
    begin = time.monotonic()
    failed = world.stack.up().must_fail()
    assert time.monotonic() - begin < 40, "a Deployment past its progress deadline is not waited for"
    assert f"Deployment/{ns}/web" in failed.out
    assert world.live("v1", "ConfigMap", "good")["data"] == {"A": "1"}
    world.commit({"bad/a.yaml": [deployment(ns, "web", replicas=1)]})
    world.stack.up().must()
    world.judge(good="good", bad="bad")
    assert world.live("apps/v1", "Deployment", "web")["status"]["readyReplicas"] == 1


def test_a_failed_unit_stops_its_dependents_only(world: World) -> None:
    ns = world.namespace
    bad = changed(config_map(ns, "base", A="1"), ("dato",), {"B": "2"})
    world.commit(
        {
            "base/a.yaml": [bad],
            "app/a.yaml": [config_map(ns, "app", A="1")],
            "free/a.yaml": [config_map(ns, "free", A="1")],
        }
    )
    app = world.unit("app", "./app", dependsOn=[{"name": "base"}])
    world.units(world.unit("base", "./base"), app, world.unit("free", "./free"))
    world.stack.up().must_fail()
    assert world.gone("v1", "ConfigMap", "app")
    world.live("v1", "ConfigMap", "free")
    world.commit({"base/a.yaml": [config_map(ns, "base", A="1")]})
    world.stack.up().must()
    world.judge(base="base", app="app", free="free")


def test_a_cycle_is_an_error_before_anything_is_touched(world: World) -> None:
    ns = world.namespace
    world.commit({"one/a.yaml": [config_map(ns, "one", A="1")], "two/a.yaml": [config_map(ns, "two", A="1")]})
    one = world.unit("one", "./one", dependsOn=[{"name": "two"}])
    world.units(one, world.unit("two", "./two", dependsOn=[{"name": "one"}]))
    failed = world.stack.up().must_fail()
    assert "cycle" in failed.out
    assert "Traceback" not in failed.out
    assert world.checker.owned() == {}


def test_a_dead_git_server_deletes_nothing_and_the_other_source_moves_on(world: World) -> None:
    ns = world.namespace
    other = world.server.repo(f"other-{world.flux}")
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: far, namespace: {ns}}}\ndata: {{A: '1'}}\n"
    other.commit({"far/a.yaml": text})
    world.commit({"web/a.yaml": [config_map(ns, "web", A="1")]})
    far = [
        git_repository("far", other.url, namespace=world.flux),
        kustomization("far", "far", "./far", namespace=world.flux),
    ]
    world.units(world.unit("web", "./web"), *far)
    world.stack.up().must()
    before = world.live("v1", "ConfigMap", "far")["metadata"]["uid"]
    far[0]["spec"]["url"] = "http://127.0.0.1:9/gone.git"
    world.units(world.unit("web", "./web"), *far)
    world.commit({"web/a.yaml": [config_map(ns, "web", A="2")]})
    world.stack.up()
    assert world.live("v1", "ConfigMap", "web")["data"] == {"A": "2"}
    assert world.live("v1", "ConfigMap", "far")["metadata"]["uid"] == before


def test_one_unreadable_file_of_the_stack_deletes_nothing(world: World) -> None:
    pair(world)
    world.stack.up().must()
    world.stack.write_objects("more.yaml", [])
    (world.stack.objects / "more.yaml").write_text("kind: [unreadable")
    failed = world.stack.up().must_fail()
    assert "more.yaml" in failed.out
    world.judge(good="good", bad="bad")
    (world.stack.objects / "more.yaml").unlink()
    world.stack.up().must()
    world.judge(good="good", bad="bad")


def test_a_parent_that_cannot_be_rendered_keeps_its_children(world: World) -> None:
    ns = world.namespace
    child = world.unit("child", "./child")
    world.commit({"parent/child.yaml": [child], "child/a.yaml": [config_map(ns, "child", A="1")]})
    world.units(world.unit("parent", "./parent"))
    world.stack.up().must()
    before = world.live("v1", "ConfigMap", "child")["metadata"]["uid"]
    world.commit({"parent/broken.yaml": "kind: [unreadable"})
    world.stack.up().must_fail()
    assert world.live("v1", "ConfigMap", "child")["metadata"]["uid"] == before
    world.commit({"parent/broken.yaml": None, "child/a.yaml": [config_map(ns, "child", A="2")]})
    world.stack.up().must()
    live = world.live("v1", "ConfigMap", "child")
    assert (live["metadata"]["uid"], live["data"]) == (before, {"A": "2"})
