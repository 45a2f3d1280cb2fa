"""Several stacks kept by one command, and split over replicas."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.git_server import GitServer
from tests.support.kube import wait_for
from tests.support.watched import commit, live, until_live
from tests.support.watching import WatcherRun
from tests.support.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def other(tmp_path: Path, kubeconfig: Path, git_server: GitServer) -> Iterator[World]:
    """A second stack; its state and its caches are where the first one has its own."""
    made = World(tmp_path / "other", kubeconfig, git_server)
    yield made
    made.close()


def both(world: World, other: World, *more: str, name: str = "watch") -> WatcherRun:
    """One command for two stacks, which are declared and have something to apply."""
    for one in (world, other):
        one.units(interval="1s", web="./web")
    return WatcherRun(world.stack, *other.stack.selection, *more, name=name)


def members(watcher: WatcherRun) -> list[psutil.Process]:
    """The processes that watch one stack each."""
    assert watcher.process is not None
    return psutil.Process(watcher.process.pid).children()


def watches(process: psutil.Process, world: World) -> bool:
    return world.stack.name in process.cmdline()


def leads(watcher: WatcherRun, world: World) -> bool:
    """Whether it said that it leads."""
    lines = [line for line in watcher.said.splitlines() if line.startswith(f"[{world.stack.name}]")]
    return any(f"watching stack {world.stack.name}" in line for line in lines)


def test_one_command_keeps_several_stacks_and_starts_again_what_died(world: World, other: World) -> None:
    commit(world, "1")
    commit(other, "1")
    with both(world, other, "--metrics", "127.0.0.1:0") as watcher:
        until_live(world, watcher, "1")
        until_live(other, watcher, "1")
        assert len({line for line in watcher.said.splitlines() if "probes and metrics on" in line}) == 2
        (one,) = (process for process in members(watcher) if watches(process, world))
        one.kill()
        commit(other, "2")
        until_live(other, watcher, "2")
        watcher.wait_until_said(
            f"[{world.stack.name}] the watcher ended with exit code -9; started again in 1 s"
        )
        commit(world, "2")
        until_live(world, watcher, "2")
        left = members(watcher)
        assert watcher.process is not None
        watcher.process.kill()
        assert psutil.wait_procs(left, timeout=30)[1] == [], "they outlived the process that started them"


def test_replicas_split_the_stacks_and_take_over_from_one_another(world: World, other: World) -> None:
    commit(world, "1")
    commit(other, "1")
    first, second = (both(world, other, "--replicas", "2", name=name) for name in ("first", "second"))
    with first:
        with second:
            wait_for(
                lambda: sum(leads(one, it) for one in (first, second) for it in (world, other)) == 2,
                seconds=60,
            )
            assert {leads(first, it) for it in (world, other)} == {True, False}
            assert {leads(second, it) for it in (world, other)} == {True, False}
            wait_for(lambda: live(world) == live(other) == "1", seconds=200)
            assert second.end(signal.SIGTERM, within=60) == 0
        wait_for(lambda: leads(first, world) and leads(first, other), seconds=60)
        commit(world, "2")
        commit(other, "2")
        until_live(world, first, "2")
        until_live(other, first, "2")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (("--replicas", "0"), "--replicas: found 0"),
        (("--listen", "here"), "--listen: found 'here'"),
        (("--metrics", "127.0.0.1:65535"), "--metrics: found '127.0.0.1:65535'"),
        (("--config-file", "x.yaml"), "--config-file: found 3, expected 2"),
    ],
)
def test_what_makes_no_sense_is_refused(
    world: World, other: World, wrong: tuple[str, str], named: str
) -> None:
    done = world.stack.weir("watch", *other.stack.selection, *wrong)
    assert done.code == 1
    assert named in done.out
    twice = world.stack.weir("watch", *world.stack.selection)
    assert twice.code == 1
    assert "each stack once" in twice.out
