"""The watcher on the real engine: commits become live by themselves, drift is repaired, nothing runs in between."""

from __future__ import annotations

import signal
import time

import pytest

from tests.support.watching import WatcherRun
from tests.support.world import World, config_map, deployment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def declare(world: World, interval: str = "2s") -> None:
    """One source that is polled often, and one unit of two objects."""
    world.units(world.unit("web", "./web"), interval=interval)
    ns = world.namespace
    world.commit({"web/all.yaml": [config_map(ns, "web", GREETING="hello"), deployment(ns, "web")]})


def greeting(world: World) -> str:
    found = world.rest.get("v1", "ConfigMap", world.namespace, "web")
    return str(found["data"]["GREETING"]) if found else ""


def test_a_watched_stack_follows_git_and_repairs_drift(world: World) -> None:
    declare(world)
    ns = world.namespace
    with WatcherRun(world.stack) as watcher:
        watcher.wait_for(lambda: greeting(world) == "hello", "the first commit is live")
        world.commit({"web/all.yaml": [config_map(ns, "web", GREETING="hi"), deployment(ns, "web")]})
        watcher.wait_for(lambda: greeting(world) == "hi", "the second commit is live")
        watcher.wait_until_said("run done", times=2)
        watcher.wait_until_said(f"following ConfigMap in {ns}")
        time.sleep(1.5)
        world.edit(world.live("v1", "ConfigMap", "web"), {"data": {"GREETING": "nonsense"}})
        took = watcher.wait_for(lambda: greeting(world) == "hi", "the edited field is back")
        assert took < 5.0
        watcher.wait_until_said("data.GREETING: nonsense -> hi")
        world.rest.delete("apps/v1", "Deployment", ns, "web")
        watcher.wait_for(lambda: not world.gone("apps/v1", "Deployment", "web"), "the Deployment is back")
        watcher.wait_until_said("was deleted")
        assert watcher.said.count("running:") == 2, watcher.said
        world.judge(web="web")
        assert watcher.end(signal.SIGTERM, within=10.0) == 0
    world.stack.expect_clean()


def test_an_up_beside_the_watcher_is_not_undone(world: World) -> None:
    declare(world, interval="10m")
    ns = world.namespace
    with WatcherRun(world.stack) as watcher:
        watcher.wait_until_said("run done")
        watcher.wait_until_said(f"following ConfigMap in {ns}")
        for number in range(3):
            text = f"round {number}"
            world.commit({"web/all.yaml": [config_map(ns, "web", GREETING=text), deployment(ns, "web")]})
            world.stack.up().must()
            end = time.monotonic() + 2.0
            while time.monotonic() < end:
                assert greeting(world) == text, watcher.said
                time.sleep(0.02)
        assert "drift corrected" not in watcher.said
