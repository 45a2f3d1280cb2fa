"""R18, R19: a fix is not blocked by a bad rollout, and dependents start when, and only when, they may."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import pytest

from tests.support.invariants import expect_no_process, lock_files
from tests.support.kube import wait_for
from tests.support.processes import kill, members
from tests.support.world import Obj, World, changed, config_map, deployment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

TEMPLATE = ("spec", "template", "spec")


def stuck(ns: str) -> Obj:
    """A Deployment whose Pods no node takes, for as long as the deadline of ten minutes."""
    return changed(deployment(ns, "web", replicas=1), (*TEMPLATE, "nodeSelector"), {"no-such": "node"})


def background(world: World) -> subprocess.Popen[str]:
    return world.stack.start_weir("up")


def end(world: World, process: subprocess.Popen[str]) -> None:
    for one in members(world.stack.folder, process.pid):
        kill(one.pid)
    process.kill()
    process.communicate()


def ready(world: World, name: str = "web") -> bool:
    live = world.rest.get("apps/v1", "Deployment", world.namespace, name)
    return bool(live and (live.get("status") or {}).get("readyReplicas") == 1)


@pytest.mark.slow
def test_a_stopped_run_frees_the_stack_and_the_fix_is_live_at_once(world: World) -> None:
    """Ctrl-C during a bad rollout of five minutes: it ends at once, and the next run brings the fix in ten seconds."""
    ns = world.namespace
    world.commit({"web/a.yaml": [stuck(ns)]})
    world.units(world.unit("web", "./web", wait=True, timeout="5m"))
    first = background(world)
    try:
        wait_for(lambda: world.rest.get("apps/v1", "Deployment", ns, "web"), seconds=40)
        time.sleep(3)
        assert first.poll() is None, "it waits for the rollout"
        world.commit({"web/a.yaml": [deployment(ns, "web", replicas=1)]})
        os.kill(first.pid, signal.SIGINT)
        first.communicate(timeout=10)
        assert first.returncode != 0
        expect_no_process(world.stack.folder, first.pid)
        assert not lock_files(world.stack)
        fixed = world.stack.up().must()
        assert ready(world)
    finally:
        end(world, first)
    world.judge(web="web")
    plain = world.stack.up().must()
    assert fixed.seconds < 3 * plain.seconds + 5, "no wait for the old rollout"
    world.stack.expect_clean()


@pytest.mark.faults
def test_a_failed_rollout_is_told_at_its_timeout_and_keeps_what_it_did(world: World) -> None:
    ns = world.namespace
    world.commit({"web/a.yaml": [stuck(ns)]})
    world.units(world.unit("web", "./web", wait=True, timeout="4s"))
    failed = world.stack.up().must_fail()
    assert f"Deployment/{ns}/web" in failed.out
    assert "Traceback" not in failed.out
    shown = world.stack.preview("--diff")
    assert "web" in shown.out
    world.commit({"web/a.yaml": [deployment(ns, "web", replicas=1)]})
    world.stack.up().must()
    assert ready(world)


def watched(look: Callable[[], bool], found: list[float]) -> threading.Thread:
    """Note when something is first true."""

    def watch() -> None:
        while not found:
            if look():
                found.append(time.monotonic())
            time.sleep(0.05)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def seconds_until_dependent(world: World, word: str) -> float:
    """Commit a Deployment of that name, which has a node later, and what depends on it: seconds between the two."""
    ns = world.namespace
    slow = changed(deployment(ns, word, replicas=1), (*TEMPLATE, "nodeSelector"), {"later": f"{ns}-{word}"})
    world.commit({f"base/{word}.yaml": [slow], f"app/{word}.yaml": [config_map(ns, word, A="1")]})
    run = background(world)
    live: list[float] = []
    started: list[float] = []
    try:
        wait_for(lambda: world.rest.get("apps/v1", "Deployment", ns, word), seconds=40)
        watched(lambda: ready(world, word), live)
        watched(lambda: world.rest.get("v1", "ConfigMap", ns, word) is not None, started)
        time.sleep(1.5)
        assert not started, "it waits for what it depends on"
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
        world.rest.patch(node, {"metadata": {"labels": {"later": f"{ns}-{word}"}}})
        out, _ = run.communicate(timeout=60)
        assert run.returncode == 0, out
        wait_for(lambda: live and started)
    finally:
        end(world, run)
    return started[0] - live[0]


@pytest.mark.timeout(400)
def test_a_dependent_starts_within_a_second_of_readiness(world: World) -> None:
    """In one of six commits: what else the machine does only adds."""
    app = world.unit("app", "./app", dependsOn=[{"name": "base"}])
    world.units(world.unit("base", "./base", wait=True, timeout="1m"), app)
    words = ("first", "second", "third", "fourth", "fifth", "sixth")
    assert any(seconds_until_dependent(world, word) < 1.0 for word in words)


def test_a_dependency_that_does_not_exist_is_told_before_anything_is_touched(world: World) -> None:
    ns = world.namespace
    world.commit(
        {"app/a.yaml": [config_map(ns, "app", A="1")], "free/a.yaml": [config_map(ns, "free", A="1")]}
    )
    app = world.unit("app", "./app", dependsOn=[{"name": "no-such-unit"}])
    world.units(app, world.unit("free", "./free"))
    failed = world.stack.up().must_fail()
    assert "no-such-unit" in failed.out
    assert f"Kustomization/{world.flux}/app" in failed.out
    assert "Traceback" not in failed.out
    assert world.gone("v1", "ConfigMap", "app")


@pytest.mark.faults
def test_a_condition_on_a_dependency_holds_its_dependent(world: World) -> None:
    ns = world.namespace
    world.commit(
        {"base/a.yaml": [config_map(ns, "base", A="1")], "app/a.yaml": [config_map(ns, "app", A="1")]}
    )
    never = {"name": "base", "readyExpr": "dep.metadata.annotations['go'] == self.metadata.annotations['go']"}
    units = [world.unit("base", "./base"), world.unit("app", "./app", dependsOn=[never], timeout="3s")]
    for unit, value in zip(units, ("no", "yes"), strict=True):
        unit["metadata"]["annotations"] = {"go": value}
    world.units(*units)
    failed = world.stack.up().must_fail()
    assert "readyExpr" in failed.out
    assert world.gone("v1", "ConfigMap", "app")
    units[0]["metadata"]["annotations"] = {"go": "yes"}
    world.units(*units)
    world.stack.up().must()
    world.judge(base="base", app="app")
