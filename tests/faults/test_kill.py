"""R11, R28: whatever kills a run, and whenever, the next `weir up` converges: no orphan, no duplicate, no zombie."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import IO, cast

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.invariants import expect_no_process, expect_whole, steady, uids
from tests.support.processes import kill, members
from tests.support.waiting import killed_at_last, waiting
from tests.support.world import Obj, World, config_map, service

pytestmark = [pytest.mark.e2e]

COUNT = 200
FRESH = 20
"""Objects that each commit adds, and that the one after the next prunes."""
FILES = 10
DEAD = 2.0
"""Seconds after which nothing of a killed run may live or write."""


def content(world: World, turn: int) -> dict[str, list[Obj]]:
    """The commit of a turn: 200 objects that all change, of which 20 are new and the last turn's 20 are gone."""
    ns, word = world.namespace, f"turn-{turn}"
    lasting: list[Obj] = [config_map(ns, f"m-{n:03}", TURN=word, NUMBER=str(n)) for n in range(COUNT - FRESH)]
    lasting[:10] = [service(ns, f"s-{n:03}") for n in range(10)]
    for obj in lasting[:10]:
        obj["metadata"]["annotations"] = {"turn": word}
    fresh = [config_map(ns, f"turn-{turn}-{n:02}", TURN=word) for n in range(FRESH)]
    objects = [*lasting, *fresh]
    return {f"big/part-{n}.yaml": objects[n::FILES] for n in range(FILES)}


def running(world: World) -> AbstractContextManager[subprocess.Popen[str]]:
    """`weir up` in the background."""
    return killed_at_last(world, world.stack.start_weir("up"))


@contextlib.contextmanager
def waited(world: World) -> Iterator[subprocess.Popen[str]]:
    """The same by a process that waited to be told, as the watcher runs it."""
    with waiting(world) as process:
        told = cast("IO[str]", process.stdin)
        told.write("[]\n")
        told.flush()
        yield process


Start = Callable[[World], AbstractContextManager[subprocess.Popen[str]]]


def victim(world: World, session: int, dice: random.Random) -> int:
    """The command itself, or the engine below it: either may be what the out-of-memory killer takes."""
    engines = [one.pid for one in members(world.stack.folder, session) if one.name == "pulumi"]
    return dice.choice([session, *engines[:1]])


def one_kill(world: World, proxy: FaultProxy, dice: random.Random, longest: float, start: Start) -> None:
    """Kill a run at a random time and see that nothing of it lives or writes two seconds later."""
    with start(world) as process:
        after = dice.uniform(0.05, longest)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after)
        target = victim(world, process.pid, dice)
        what = f"killed {'weir' if target == process.pid else 'pulumi'} after {after:.2f} s"
        print(what)  # noqa: T201 - shown when a round fails
        kill(target)
        expect_no_process(world.stack.folder, process.pid, DEAD)
        dead = time.monotonic()
        time.sleep(DEAD)
        late = [
            one for one in proxy.writes() if one.at > dead + 1.0
        ]  # what was on its way is seen until then
        assert not late, f"{what}: still writing: {late}"


def rounds(world: World, proxy: FaultProxy, count: int, start: Start = running) -> None:
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(10**6))
    print(f"KILL_SEED={seed}")  # noqa: T201 - shown when a round fails
    dice = random.Random(seed)
    world.commit(content(world, 0))
    world.units(big="./big")
    one_kill(world, proxy, dice, 2.5, start)
    longest = world.stack.up().must().seconds
    expect_whole(world, big="big")
    for turn in range(1, count):
        before = uids(world)
        world.commit(content(world, turn))
        one_kill(world, proxy, dice, longest, start)
        world.stack.up().must()
        expect_whole(world, big="big")
        after = uids(world)
        assert {name: uid for name, uid in after.items() if before.get(name, uid) != uid} == {}
        proxy.seen.clear()
    calm = steady(world)
    world.stack.up().must()
    assert world.versions() == calm


@pytest.mark.timeout(900)
def test_ten_kills_at_random_times_are_each_healed_by_one_up(behind: World, proxy: FaultProxy) -> None:
    rounds(behind, proxy, 10)


@pytest.mark.faults
@pytest.mark.timeout(5400)
def test_fifty_kills_at_random_times_are_each_healed_by_one_up(behind: World, proxy: FaultProxy) -> None:
    rounds(behind, proxy, 50)


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_ten_kills_of_runs_that_waited_are_each_healed_by_one_up(behind: World, proxy: FaultProxy) -> None:
    rounds(behind, proxy, 10, waited)


OFTEN = ("patched:117",)
POINTS = ("inventory-written:1", "patched:1", *OFTEN, "pruned:13", "pruned:1", "record-written:1")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "points", [OFTEN, pytest.param(POINTS, marks=pytest.mark.faults)], ids=("one", "all")
)
def test_a_plugin_killed_at_each_named_point_is_healed_by_one_up(world: World, points: Sequence[str]) -> None:
    world.commit(content(world, 0))
    world.units(big="./big")
    world.stack.up().must()
    for turn, point in enumerate(points, 1):
        before = uids(world)
        world.commit(content(world, turn))
        world.stack.extra_environment["WEIR_FAULT"] = point
        died = world.stack.up()
        assert died.code != 0, f"{point} was not reached:\n{died.out}"
        assert "Traceback" not in died.out
        del world.stack.extra_environment["WEIR_FAULT"]
        world.stack.up().must()
        expect_whole(world, big="big")
        after = uids(world)
        assert all(after[name] == uid for name, uid in before.items() if name in after), point


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_first_install_killed_at_every_tenth_patch_is_healed_by_one_up(world: World) -> None:
    world.commit(content(world, 0))
    world.units(big="./big")
    for count in range(1, COUNT, 10):
        world.stack.extra_environment["WEIR_FAULT"] = f"patched:{count}"
        world.stack.up().must_fail()
        del world.stack.extra_environment["WEIR_FAULT"]
        world.stack.up().must()
        expect_whole(world, big="big")
        world.stack.destroy().must()
        world.checker.wait_gone(set(world.checker.owned())).must_hold()
