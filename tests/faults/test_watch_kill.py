"""Two watchers of one stack, the leader killed again and again: never two at work, nothing undone, nothing lost."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import psutil
import pytest

from tests.support.watching import WatcherRun
from tests.support.world import World, config_map

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

ROUNDS = 50


class Eyes(threading.Thread):
    """Looks all the time: how many engines work on the stack, and whether the value ever goes back."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self.world = world
        self.most_engines = 0
        self.values: list[int] = []
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.02):
            value = number(self.world)
            if value >= 0 and (not self.values or self.values[-1] != value):
                self.values.append(value)
            self.most_engines = max(self.most_engines, len(engines(self.world)))

    def close(self) -> None:
        self.ended.set()
        self.join()


def number(world: World) -> int:
    found = world.rest.get("v1", "ConfigMap", world.namespace, "part-0")
    return int(found["data"]["N"]) if found else -1


def engines(world: World) -> list[psutil.Process]:
    """Pulumi CLIs that update the stack; those that die already do not count.

    Nor do the children of one: for a moment before it becomes a plugin, a child looks like its parent.
    """
    found = {}
    for process in psutil.process_iter(["name", "cmdline", "status", "ppid"]):
        words = process.info["cmdline"] or []
        alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if process.info["name"] == "pulumi" and f"--stack={world.stack.name}" in words and alive:
            found[process.pid] = process
    return [process for process in found.values() if process.info["ppid"] not in found]


def commit(world: World, value: int) -> None:
    ns = world.namespace
    world.commit({"web/all.yaml": [config_map(ns, f"part-{n}", N=str(value)) for n in range(30)]})


def test_the_leader_killed_at_random_times_loses_nothing(world: World) -> None:
    chance = random.Random(20261121)
    world.units(world.unit("web", "./web"), interval="1s")
    commit(world, 0)
    eyes = Eyes(world)
    watchers = [WatcherRun(world.stack, name=f"watch-{name}") for name in "ab"]
    for watcher in watchers:
        watcher.start()
    eyes.start()
    try:
        watchers[0].wait_for(lambda: number(world) == 0, "the first commit is live", within=120)
        for value in range(1, ROUNDS + 1):
            commit(world, value)
            time.sleep(chance.uniform(0.0, 6.0))
            victim = chance.choice(watchers)
            assert victim.process is not None
            os.kill(victim.process.pid, signal.SIGKILL)
            victim.process.wait(10)
            victim.start()
        watchers[0].wait_for(lambda: number(world) == ROUNDS, "the last commit is live", within=180)
        watchers[0].wait_for(lambda: not engines(world), "the last run ended", within=60)
    finally:
        eyes.close()
        for watcher in watchers:
            watcher.end(signal.SIGTERM, within=60)
    assert eyes.values == sorted(eyes.values), "a field went back to an older revision"
    assert eyes.most_engines <= 1, "two engines worked on one stack"
    world.judge(web="web")
    world.stack.expect_clean()
