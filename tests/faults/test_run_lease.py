"""R25: runs on one stack take turns by a Lease, wherever they are: a dead one is replaced, a live one waited for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.invariants import expect_whole
from tests.support.kube import wait_for
from tests.support.processes import kill, members
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

LOCKED = 3
DURATION = 15.0
"""Seconds that `docs/ci.md` promises."""


def small(world: World, value: str = "1") -> None:
    world.commit({"web/a.yaml": [config_map(world.namespace, "web", A=value)]})
    world.units(web="./web")


def place(world: World) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{world.checker.record_namespace}/leases"


def lease(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.rest.request("GET", f"{place(world)}/weir-run-{world.stack.name}")["spec"]
    return found


def hold(world: World, holder: str) -> None:
    """Somebody else takes the lease, or says that it is still there."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": now}
    path = f"{place(world)}/weir-run-{world.stack.name}"
    world.rest.request("PATCH", path, {"spec": spec}, content="application/merge-patch+json")


def start(world: World, *flags: str) -> subprocess.Popen[str]:
    return world.stack.start_weir("up", *flags)


@pytest.fixture
def slow_write(behind: World, proxy: FaultProxy) -> Iterator[World]:
    """A stack whose next write of the object takes ten seconds."""
    small(behind)
    behind.stack.up().must()
    small(behind, "2")
    proxy.faults.append(Fault(method="PATCH", path="/configmaps/web", delay=10.0, times=1))
    yield behind
    for one in members(behind.stack.folder):
        kill(one.pid)


@pytest.mark.slow
def test_a_run_holds_the_lease_and_one_on_another_machine_is_waited_for(world: World) -> None:
    small(world)
    world.stack.up().must()
    assert lease(world)["holderIdentity"] == ""
    assert lease(world)["leaseTransitions"] == 2, "one hold was ended"
    hold(world, "build-7/4711/elsewhere-1-aa")
    small(world, "2")
    refused = world.stack.up("--lock-timeout", "0s")
    assert refused.code == LOCKED, refused.out
    assert "pid 4711 on build-7 holds the stack" in refused.out
    assert world.live("v1", "ConfigMap", "web")["data"] == {"A": "1"}
    waiting = start(world, "--lock-timeout", "1m")
    assert waiting.stdout
    said = waiting.stdout.readline()
    assert "waiting up to 1m: pid 4711 on build-7 holds the stack" in said
    hold(world, "")
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, out
    assert world.live("v1", "ConfigMap", "web")["data"] == {"A": "2"}


@pytest.mark.faults
def test_a_live_holder_is_waited_for_until_patience_ends(world: World) -> None:
    small(world)
    world.stack.up().must()
    hold(world, "build-7/4711/elsewhere-1-aa")
    waiting = start(world, "--lock-timeout", "22s")
    while waiting.poll() is None:
        hold(world, "build-7/4711/elsewhere-1-aa")
        time.sleep(3)
    out, _ = waiting.communicate()
    assert waiting.returncode == LOCKED, out
    said = [line.split(":")[0] for line in out.splitlines() if "waiting up to" in line]
    assert said == ["► waiting up to 22s", "► waiting up to 12s", "► waiting up to 2s"], out


@pytest.mark.faults
def test_a_dead_holder_on_another_machine_is_replaced_after_fifteen_seconds(world: World) -> None:
    small(world)
    usual = world.stack.up().must().seconds
    hold(world, "build-7/4711/elsewhere-1-aa")
    small(world, "2")
    done = world.stack.up().must()
    assert DURATION <= done.seconds < DURATION + 3 * usual
    assert done.out.count("pid 4711 on build-7 holds the stack") == 2, "once every ten seconds"
    expect_whole(world, web="web")


@pytest.mark.faults
def test_a_killed_run_on_this_machine_is_replaced_at_once(slow_write: World) -> None:
    world = slow_write
    first = start(world)
    wait_for(lambda: lease(world)["holderIdentity"], seconds=30)
    held = lease(world)
    wait_for(lambda: lease(world)["renewTime"] > held["renewTime"], seconds=10)
    kill(first.pid)
    first.communicate()
    assert lease(world)["holderIdentity"] == held["holderIdentity"], "nobody gave it up"
    done = world.stack.up().must()
    assert "weir-run-" not in done.out, "it was waited for"
    assert lease(world)["leaseTransitions"] >= held["leaseTransitions"] + 2
    expect_whole(world, web="web")


@pytest.mark.faults
def test_two_runs_at_once_are_one_after_the_other(slow_write: World) -> None:
    """Neither fails, and the second, which waited, starts from what the first left."""
    world = slow_write
    running = [start(world) for _ in range(2)]
    outs = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], outs
    assert sum("waiting up to" in out for out in outs) == 1, outs
    expect_whole(world, web="web")


@pytest.mark.parametrize("verb", ["GET", "PATCH", "POST"])
@pytest.mark.faults
def test_a_run_that_may_not_write_leases_says_so_once_and_goes_on(
    behind: World, proxy: FaultProxy, verb: str
) -> None:
    small(behind)
    proxy.faults.append(Fault(method=verb, path="/leases", status=403))
    done = behind.stack.up().must()
    assert done.out.count("other runners do not see this run") <= 1
    if verb != "GET":
        assert done.out.count("other runners do not see this run") == 1
    expect_whole(behind, web="web")


@pytest.mark.faults
def test_a_preview_neither_takes_the_lease_nor_waits(world: World) -> None:
    small(world)
    world.stack.up().must()
    hold(world, "build-7/4711/elsewhere-1-aa")
    done = world.stack.preview().must()
    assert "weir-run-" not in done.out
    assert lease(world)["holderIdentity"] == "build-7/4711/elsewhere-1-aa"


@pytest.mark.faults
def test_a_short_run_asks_once_at_its_start_and_once_at_its_end(behind: World, proxy: FaultProxy) -> None:
    small(behind)
    behind.stack.up().must()
    proxy.seen.clear()
    done = behind.stack.up().must()
    asked = [one.method for one in proxy.seen if "/leases" in one.path]
    beats = int(done.seconds // 5)
    assert asked[:2] == ["PATCH", "PATCH"]
    assert len(asked) <= 2 + beats, "and every five seconds of a longer run"
