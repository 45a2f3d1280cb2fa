"""R01, R02, R36: the watcher before an API server that is away, in trouble, or silent: nothing missed, nothing lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tests.support.aggregated import available, broken_service
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.invariants import uids
from tests.support.kube import wait_for
from tests.support.watched import (
    commit,
    declare,
    drift,
    expect_converged,
    live,
    until_followed,
    until_live,
    until_repaired,
)
from tests.support.watching import WatcherRun
from tests.support.world import World, service

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

CONVERGED = 10.0
"""Seconds after the server's return, beside what a run takes."""


def deletions(proxy: FaultProxy) -> list[str]:
    return [one.path for one in proxy.writes() if one.method == "DELETE"]


def test_a_server_that_is_away_at_the_start_is_waited_for(behind: World, proxy: FaultProxy) -> None:
    world = behind
    declare(world)
    usual = world.stack.up().must().seconds
    before = uids(world)
    commit(world, "2", count=4)
    proxy.seen.clear()
    proxy.down = True
    with WatcherRun(world.stack) as watcher:
        watcher.wait_until_said("cannot be reached")
        time.sleep(8)
        assert watcher.said.count("cannot be reached") == 1, watcher.said
        assert len(proxy.seen) < 10, "no busy loop"
        assert uids(world) == before
        proxy.down = False
        assert until_live(world, watcher, "2") < CONVERGED + 2 * usual
        watcher.wait_until_said("run done")
        expect_converged(world, watcher, web="web")


@pytest.mark.parametrize("seconds", [5, 20], ids=("short", "longer-than-the-lease"))
def test_a_server_that_goes_away_amid_a_run_costs_nothing(
    behind: World, proxy: FaultProxy, seconds: int
) -> None:
    world = behind
    declare(world)
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        before = uids(world)
        proxy.seen.clear()
        commit(world, "2", count=40)
        wait_for(lambda: sum("/configmaps/m-" in one.path for one in proxy.writes()) >= 4, seconds=60)
        proxy.down = True
        time.sleep(seconds)
        asked = [one for one in proxy.seen if one.spoiled]
        assert len(asked) < 40 * seconds, "no busy loop"
        assert deletions(proxy) == []
        proxy.down = False
        until_live(world, watcher, "2", "m-39")
        watcher.wait_for(lambda: live(world) == "2", "all of it is live")
        drift(world)
        until_repaired(world, watcher, "2")
        now = uids(world)
        kept = [name for name in before if not name.endswith("m-03")]
        assert {name: now[name] for name in kept} == {name: before[name] for name in kept}
        expect_converged(world, watcher, web="web")


TROUBLES: dict[str, Callable[[], list[Fault]]] = {
    "429": lambda: [Fault(method="PATCH", status=429, retry_after="1", times=6)],
    "500 and 503": lambda: [Fault(status=500, times=3), Fault(status=503, times=3)],
    "resets": lambda: [Fault(drop=True, times=8)],
    "answers cut off": lambda: [
        Fault(method="PATCH", cut_after=100, times=5),
        Fault(method="GET", cut_after=10, times=5),
    ],
    "slow": lambda: [Fault(delay=0.5, times=25)],
}


def has_passed(proxy: FaultProxy) -> bool:
    """Whether a trouble was met as often as it is, and the lease was renewed since: a longer one costs the lead."""
    renewals = [one for one in proxy.seen if one.method == "PATCH" and "/leases/weir-watch" in one.path]
    return all(one.times == 0 for one in proxy.faults) and not any(one.spoiled for one in renewals[-1:])


def test_commits_and_repairs_get_through_passing_trouble(behind: World, proxy: FaultProxy) -> None:
    world = behind
    declare(world)
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        proxy.seen.clear()
        for turn, (how, faults) in enumerate(TROUBLES.items(), 2):
            proxy.faults[:] = faults()
            commit(world, str(turn))
            until_live(world, watcher, str(turn))
            watcher.wait_for(lambda: has_passed(proxy), f"{how} was met by the commit")
            proxy.faults[:] = faults()
            drift(world)
            until_repaired(world, watcher, str(turn))
            watcher.wait_for(lambda: has_passed(proxy), f"{how} was met by the repair")
        assert deletions(proxy) == []
        assert "leads now" not in watcher.said
        expect_converged(world, watcher, web="web")


def test_answers_that_never_come_are_given_up_and_asked_again(behind: World, proxy: FaultProxy) -> None:
    world = behind
    declare(world)
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        never = threading.Event()
        proxy.faults[:] = [
            Fault(method="PATCH", path="/configmaps/m-", stall=never, times=1),
            Fault(method="PATCH", path="/leases/weir-watch", stall=never, times=1),
        ]
        commit(world, "2")
        watcher.wait_for(
            lambda: all(live(world, f"m-{number:02}") == "2" for number in range(6)), "all is live"
        )
        drift(world)
        until_repaired(world, watcher, "2")
        assert "leads now" not in watcher.said
        expect_converged(world, watcher, web="web")


def test_one_broken_aggregated_api_harms_no_other_group(world: World) -> None:
    declare(world)
    group = f"{world.namespace}.broken.test"
    made = broken_service(group)
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        world.rest.apply(made)
        try:
            wait_for(lambda: available(world, made) == "False", seconds=30)
            commit(world, "2", count=5)
            until_live(world, watcher, "2")
            watcher.wait_for(lambda: world.gone("v1", "ConfigMap", "m-05"), "what Git dropped is pruned")
            world.commit({"web/more.yaml": [service(world.namespace, "web")]})
            watcher.wait_for(lambda: not world.gone("v1", "Service", "web"), "another kind is applied")
            drift(world)
            until_repaired(world, watcher, "2")
        finally:
            world.rest.delete(made["apiVersion"], "APIService", "", made["metadata"]["name"])
            wait_for(
                lambda: group not in {one["name"] for one in world.rest.request("GET", "/apis")["groups"]}
            )
        expect_converged(world, watcher, web="web")


def test_what_a_watch_that_is_too_old_missed_is_found_by_listing_anew(
    behind: World, proxy: FaultProxy
) -> None:
    world = behind
    declare(world)
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        proxy.seen.clear()
        proxy.faults[:] = [Fault(path="/configmaps.*watch=1", status=410)]
        proxy.down = True
        world.edit(world.live("v1", "ConfigMap", "m-04"), {"data": {"A": "ends the stream"}})
        time.sleep(1.0)
        drift(world)
        proxy.down = False
        until_repaired(world, watcher, "1")
        time.sleep(5.0)
        lists = [one for one in proxy.seen if "/configmaps?limit=" in one.path and not one.spoiled]
        assert len(lists) < 40, "no busy loop while every watch is refused"
        proxy.faults.clear()
        drift(world)
        until_repaired(world, watcher, "1")
        expect_converged(world, watcher, web="web")


def test_drift_behind_a_connection_that_went_silent_is_found(behind: World, proxy: FaultProxy) -> None:
    """Half-open: the stream stays open, and not even bookmarks come. The server would send one a minute."""
    world = behind
    declare(world)
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        proxy.deaf = True
        drift(world)
        time.sleep(1.0)
        proxy.deaf = False
        took = until_repaired(world, watcher, "1", within=120)
        assert took > 5.0, "it was not deaf"
        drift(world)
        assert until_repaired(world, watcher, "1") < took / 2
        expect_converged(world, watcher, web="web")
