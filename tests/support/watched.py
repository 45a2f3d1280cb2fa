"""A watched stack with one unit, `web`: what fault tests commit, wait for, and judge in the end."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Sequence
from typing import Self

import psutil

from tests.support.invariants import expect_whole
from tests.support.notices import alert_object, provider_object
from tests.support.sink import Sink
from tests.support.watching import WatcherRun
from tests.support.world import Obj, World, config_map, deployment


def commit(world: World, value: str, count: int = 6) -> str:
    """So many ConfigMaps that hold a value, and a Deployment; the commit's hash."""
    ns = world.namespace
    parts = [config_map(ns, f"m-{number:02}", A=value) for number in range(count)]
    return world.commit({"web/all.yaml": [*parts, deployment(ns, "web")]})


def declare(world: World, interval: str = "1s") -> None:
    """The unit `web` on its source, and a first commit."""
    world.units(interval=interval, web="./web")
    commit(world, "1")


def live(world: World, name: str = "m-01") -> str:
    """The value that a ConfigMap holds, empty when it is not there."""
    found = world.rest.get("v1", "ConfigMap", world.namespace, name)
    return str(found["data"]["A"]) if found else ""


def until_live(
    world: World, watcher: WatcherRun, value: str, name: str = "m-01", within: float = 300
) -> float:
    """Seconds until a ConfigMap holds a value."""
    return watcher.wait_for(lambda: live(world, name) == value, f"{name} holds {value!r}", within)


def until_followed(world: World, watcher: WatcherRun, runs: int = 1) -> None:
    """The stack is applied, the look after that run is done, and what it owns is followed."""
    watcher.wait_until_said("run done", within=300, times=runs)
    watcher.wait_until_said(f"following ConfigMap in {world.namespace}")
    name, drifted = "m-00", {"data": {"A": "to be followed"}}
    wanted = live(world, name)
    world.edit(world.live("v1", "ConfigMap", name), drifted)
    until_live(world, watcher, wanted, name)


def drift(world: World) -> None:
    """A person edits one ConfigMap by hand, and deletes another."""
    world.edit(world.live("v1", "ConfigMap", "m-02"), {"data": {"A": "by hand"}})
    world.rest.delete("v1", "ConfigMap", world.namespace, "m-03")


def until_repaired(world: World, watcher: WatcherRun, value: str, within: float = 120) -> float:
    """Seconds until what `drift` did is undone."""
    return watcher.wait_for(
        lambda: live(world, "m-02") == value == live(world, "m-03"),
        f"drift is corrected to {value!r}",
        within,
    )


def settle(watcher: WatcherRun) -> None:
    """Wait until the watcher is at rest: no run is going on and none begins."""

    def calm() -> bool:
        before = watcher.said
        time.sleep(3)
        begun, ended = before.count("running: "), len(re.findall(r"run (?:done|ended)", before))
        return watcher.said.count("running: ") == begun == ended

    watcher.wait_for(calm, "it is at rest")


def expect_converged(world: World, watcher: WatcherRun, **paths: str) -> None:
    """End the watcher; then every invariant holds for the units `name=path`, and a preview finds nothing to do."""
    assert watcher.end(signal.SIGTERM, within=30) == 0, watcher.said
    expect_whole(world, **paths)
    world.stack.expect_clean()


def notices(world: World, sink: Sink) -> list[Obj]:
    """An alert about all sources and units, to a sink."""
    sources = [{"kind": "Kustomization", "name": "*"}, {"kind": "GitRepository", "name": "*"}]
    made = (alert_object(eventSources=sources), provider_object(sink.url))
    return [{**obj, "metadata": {**obj["metadata"], "namespace": world.flux}} for obj in made]


def engines(world: World) -> list[psutil.Process]:
    """Pulumi CLIs that update the stack; those that die already do not count."""
    found = []
    for process in psutil.process_iter(["name", "cmdline", "status"]):
        words: Sequence[str] = process.info["cmdline"] or ()
        alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if process.info["name"] == "pulumi" and f"--stack={world.stack.name}" in words and alive:
            found.append(process)
    return found


class Eyes(threading.Thread):
    """Looks all the time: how many engines work on the stack, and which values one ConfigMap has had."""

    def __init__(self, world: World, name: str = "m-01") -> None:
        super().__init__(daemon=True)
        self.world = world
        self.name = name
        self.most_engines = 0
        self.values: list[str] = []
        self.ended = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()

    def run(self) -> None:
        while not self.ended.wait(0.02):
            value = live(self.world, self.name)
            if value and (not self.values or self.values[-1] != value):
                self.values.append(value)
            self.most_engines = max(self.most_engines, len(engines(self.world)))
