"""R38: a whole day of one watcher, lived in twenty minutes: whatever happens, it holds on to no more than at first."""

from __future__ import annotations

import heapq
import itertools
import random
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.git_server import GitServer
from tests.support.long_life import LongLife
from tests.support.sink import running_sink
from tests.support.vital_signs import Hour, VitalSigns, growth
from tests.support.watching import WatcherRun
from tests.support.world import World
from weir.edges.outbox import Outbox

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

HOURS: Final = 24
FACTOR: Final = 72.0
"""A day in 20 minutes."""
WARM: Final = 4
"""Hours until everything was there once."""
SEED: Final = 20261122
MOST_FILES: Final = 10
"""That one commit leaves in caches: its pack, its tree, its new files, and what was found out about it."""

Action = Callable[[], None]
Plan = list[tuple[float, int, str, Action]]
"""Second of the day, a number of its own, what, and its doing."""


class FastWatcher(WatcherRun):
    """`weir watch` whose clock runs faster."""

    def __init__(self, world: World, *arguments: str) -> None:
        super().__init__(world.stack, *arguments)
        fast = ("-m", "tests.support.fast_clock", str(FACTOR))
        self._command = (self._command[0], *fast, *self._command[3:])


def plan_of(life: LongLife, hours: int) -> Plan:
    """What happens when. Rates are per hour, the times that troubles last are in minutes."""
    once = {
        life.new_web: 1.0,
        life.new_infra: 0.7,
        life.new_tools: 1.0,
        life.new_guest: 0.4,
        life.drift: 4.0,
        life.hook: 8.0,
        life.look: 6.0,
    }
    troubles = (
        (life.broken_tools, life.new_tools, 0.2, (5, 15)),
        (life.git_trouble, life.git_healed, 0.6, (1, 15)),
        (life.api_trouble, life.api_healed, 1.2, (0.2, 4)),
        (life.api_down, life.api_healed, 0.1, (20, 40)),
        (life.sink_trouble, life.sink_healed, 0.4, (1, 10)),
    )
    numbers, plan = itertools.count(), Plan()
    for action, rate in once.items():
        for at in moments(life.chance, rate, hours):
            plan.append((at, next(numbers), action.__name__, action))
    for quarter in range(4 * hours):
        plan.append((900.0 * quarter, next(numbers), life.forget.__name__, life.forget))
    for begin, end, rate, (shortest, longest) in troubles:
        for at in moments(life.chance, rate, hours):
            over = at + 60 * life.chance.uniform(shortest, longest)
            plan.append((at, next(numbers), begin.__name__, begin))
            plan.append((over, next(numbers), end.__name__, end))
    heapq.heapify(plan)
    return plan


def moments(chance: random.Random, rate: float, hours: int) -> Iterator[float]:
    """Seconds of the day at which something happens so many times an hour."""
    at = chance.expovariate(rate / 3600)
    while at < hours * 3600:
        yield at
        at += chance.expovariate(rate / 3600)


def live(life: LongLife, watcher: WatcherRun, plan: Plan, began: float) -> None:
    """Let everything happen when it is time."""
    while plan:
        at, _, what, action = heapq.heappop(plan)
        while (left := began + at / FACTOR - time.monotonic()) > 0:
            assert watcher.process is not None
            assert watcher.process.poll() is None, "the watcher ended by itself"
            time.sleep(min(left, 1.0))
        life.note(what)
        action()


def read_metrics(address: str) -> dict[str, float]:
    """All samples without their labels, summed up."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for name, value in re.findall(r"^(\w+)(?:\{.*\})? ([-+\d.e]+)$", text, re.MULTILINE):
        found[name] = found.get(name, 0.0) + float(value)
    return found


def unsettled(life: LongLife) -> str:
    """What is not as Git says, and how many notifications wait; empty when all is well."""
    stack = life.world.stack
    waiting = len(Outbox(stack.cache / "outbox" / stack.name))
    problems = life.world.checker.judge(life.wanted()).problems
    return "\n".join([*problems, *([f"{waiting} notifications wait"] if waiting else [])])


def settle(life: LongLife, watcher: WatcherRun, within: float) -> None:
    """Wait until everything is as it should be."""
    try:
        watcher.wait_for(lambda: not unsettled(life), "everything is live", within)
    except AssertionError as err:
        raise AssertionError(f"{unsettled(life)}\n{err}") from None


def judge_hours(hours: list[Hour], commits: int) -> None:
    """No growth after the first hours, but for the content of new commits, which the store's own bound limits."""
    early, late = hours[: WARM + 1], hours[WARM:]
    grown = growth([hour.rss for hour in late])
    assert grown < 0.05, f"memory grew by {grown:.1%}"
    assert max(hour.fds for hour in late) <= max(hour.fds for hour in early) + 10, "files stay open"
    assert max(hour.threads for hour in late) <= max(hour.threads for hour in early) + 5, "threads stay"
    for name in ("temporary", "runs", "calls"):
        assert max(hour.files[name] for hour in late) <= late[0].files[name] + 5, f"{name} files stay"
    kept = late[-1].files["cache"] - late[0].files["cache"]
    assert kept <= MOST_FILES * commits, f"{commits} commits left {kept} files"


def lived(life: LongLife, folders: Mapping[str, Path]) -> tuple[list[Hour], dict[str, float]]:
    """Live the day: its hours, and what the watcher counted meanwhile. Afterwards everything is as Git says."""
    listening = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--dashboard", "127.0.0.1:0")
    with FastWatcher(life.world, *listening) as watcher:
        metrics = watcher.address("probes and metrics")
        life.hooks, pages = watcher.address("webhooks"), watcher.address("dashboard")
        life.pages = (f"{pages}/", f"{pages}/events", f"{metrics}/metrics", f"{metrics}/readyz")
        settle(life, watcher, within=180)
        before, began = read_metrics(metrics), time.monotonic()
        assert watcher.process is not None
        with VitalSigns(watcher.process.pid, folders, lambda: hour_of(began)) as signs:
            live(life, watcher, plan_of(life, HOURS), began)
            after = read_metrics(metrics)
        life.close()
        settle(life, watcher, within=300)
        assert watcher.end(signal.SIGTERM, within=30) == 0
    done = {name: value - before.get(name, 0) for name, value in after.items() if name.endswith("_total")}
    return signs.hours()[:HOURS], done


def hour_of(began: float) -> float:
    """The hour of the day that it is."""
    return (time.monotonic() - began) * FACTOR / 3600


@pytest.fixture
def other(tmp_path: Path) -> Iterator[GitServer]:
    """The second Git server."""
    with GitServer(tmp_path / "other-git") as server:
        yield server


def test_a_day_of_troubles_leaves_nothing_behind(
    behind: World, proxy: FaultProxy, other: GitServer, tmp_path: Path
) -> None:
    cache, temporary = behind.stack.cache, tmp_path / "temporary"
    temporary.mkdir()
    behind.stack.extra_environment["TMPDIR"] = str(temporary)
    folders = {
        "temporary": temporary,
        "runs": cache / "runs",
        "calls": cache / "git" / "calls",
        "cache": cache,
    }
    with running_sink() as sink:
        life = LongLife(behind, proxy, other, sink, random.Random(SEED), hour=3600 / FACTOR)
        life.declare()
        hours, done = lived(life, folders)
    report = [f"hour {number:2}: {hour}" for number, hour in enumerate(hours)]
    sys.stdout.write("\n".join([*report, f"{life.counts}", f"{done}", ""]))
    assert done["weir_polls_total"] > 0.5 * HOURS * 60 * len(life.sources), "the day was not lived"
    judge_hours(hours, life.counts["commits"])
    behind.judge_units(life.wanted())
    behind.stack.expect_clean()
