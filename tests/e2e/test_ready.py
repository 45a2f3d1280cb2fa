"""Runs that waited: they do what `weir up` does, and one that is never told to begin leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from typing import Any

import psutil
import pytest

from tests.support.kube import wait_for
from tests.support.waiting import waiting
from tests.support.watched import commit, declare, until_live
from tests.support.watching import WatcherRun
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

KEPT = ("type", "parent", "provider", "custom")


def told(process: subprocess.Popen[str], *units: str) -> tuple[int, str]:
    """Its exit code and what it said, once it was told to bring up these units."""
    out, _ = process.communicate(f"{json.dumps(units)}\n", timeout=200)
    return process.returncode, out


def state(world: World) -> dict[str, dict[str, Any]]:
    """How the resources hang together, by the state."""
    latest = json.loads(world.stack.state_file.read_text())["checkpoint"]["latest"]
    return {
        one["urn"]: {**{key: one.get(key) for key in KEPT}, "after": sorted(one.get("dependencies") or ())}
        for one in latest["resources"]
    }


def waits_for(watcher: WatcherRun) -> list[psutil.Process]:
    """What waits to be the next run of a watcher, while no run goes on."""
    assert watcher.process is not None
    found = []
    for child in psutil.Process(watcher.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "components.ready" in child.cmdline():
                found.append(child)
    return found


def the_next(watcher: WatcherRun, runs: int) -> psutil.Process:
    """The one that waits, once there were so many runs."""
    watcher.wait_until_said("run done", within=300, times=runs)
    (found,) = wait_for(lambda: alone if len(alone := waits_for(watcher)) == 1 else [], seconds=60)
    return found


def test_it_does_what_up_does_and_the_next_up_finds_nothing_to_do(world: World) -> None:
    world.stack.settings["cluster"]["namespaces"] = [f"{world.namespace}-made"]
    world.stack.write_settings()
    declare(world)
    world.stack.up().must()
    with waiting(world) as process:
        commit(world, "2")
        code, said = told(process)
    assert code == 0, said
    world.judge(web="./web")
    before = state(world)
    world.stack.preview("--", "--expect-no-changes").must()
    world.stack.up().must()
    assert state(world) == before


def test_only_the_units_it_is_told_are_brought_up(world: World) -> None:
    world.units(one="./one", two="./two")
    ns = world.namespace
    for value in ("1", "2"):
        world.commit(
            {f"{name}/a.yaml": [config_map(ns, name, VALUE=value)] for name in ("one", "two")}, value
        )
        if value == "1":
            world.stack.up().must()
    with waiting(world) as process:
        code, said = told(process, f"Kustomization/{world.flux}/one")
    assert code == 0, said
    assert world.live("v1", "ConfigMap", "one")["data"] == {"VALUE": "2"}
    assert world.live("v1", "ConfigMap", "two")["data"] == {"VALUE": "1"}


def test_settings_that_are_no_good_are_said_once(world: World) -> None:
    world.units(web="./web")
    commit(world, "1")
    world.stack.up().must()
    world.stack.settings["objekts"] = "x"
    world.stack.write_settings()
    with waiting(world) as process:
        code, said = told(process)
    assert code not in (0, 3)
    assert said.count("weir.objekts") == 2, "while it runs, and at the end"
    assert "Traceback" not in said
    assert "unhandled error" not in said


def test_it_ends_with_its_input_and_leaves_nothing_behind(world: World) -> None:
    declare(world)
    with waiting(world) as process:
        out, _ = process.communicate("", timeout=60)
    assert (process.returncode, out) == (0, "")
    assert not world.stack.state_file.exists()


def test_a_watcher_has_one_waiting_and_replaces_one_that_was_killed(world: World) -> None:
    declare(world)
    with WatcherRun(world.stack) as watcher:
        until_live(world, watcher, "1")
        first = the_next(watcher, runs=1)
        first.kill()
        commit(world, "2")
        until_live(world, watcher, "2")
        second = the_next(watcher, runs=2)
        assert second.pid != first.pid
        assert watcher.end(signal.SIGTERM, within=60) == 0
        assert psutil.wait_procs([second], timeout=10)[1] == []


def test_what_waits_ends_with_a_watcher_that_is_killed(world: World) -> None:
    declare(world)
    with WatcherRun(world.stack) as watcher:
        until_live(world, watcher, "1")
        left = the_next(watcher, runs=1)
        assert watcher.process is not None
        watcher.process.kill()
        assert psutil.wait_procs([left], timeout=10)[1] == []
