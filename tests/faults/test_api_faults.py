"""R01, R02: an API server that is down, slow, overloaded or half known; failure never looks like "object gone"."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from tests.support.aggregated import available, broken_service
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.invariants import expect_whole, uids
from tests.support.kube import wait_for
from tests.support.world import Obj, World, config_map, deployment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def app(world: World, value: str, count: int = 12) -> dict[str, list[Obj]]:
    ns = world.namespace
    return {
        "web/a.yaml": [*(config_map(ns, f"m-{n:02}", A=value) for n in range(count)), deployment(ns, "web")]
    }


def installed(world: World) -> None:
    world.commit(app(world, "1"))
    world.units(web="./web")
    world.stack.up().must()


def deletions(proxy: FaultProxy) -> list[str]:
    return [one.path for one in proxy.writes() if one.method == "DELETE"]


@pytest.mark.slow
def test_a_server_that_is_down_is_named_soon_and_nothing_is_lost(behind: World, proxy: FaultProxy) -> None:
    world = behind
    installed(world)
    before = uids(world)
    world.commit(app(world, "2", count=9))
    proxy.down = True
    failed = world.stack.up().must_fail()
    proxy.down = False
    assert failed.seconds < 60
    assert proxy.url in failed.out
    assert "Traceback" not in failed.out
    assert len(proxy.seen) < 200, "it does not hammer a dead server"
    assert uids(world) == before
    world.stack.up().must()
    expect_whole(world, web="web")


@pytest.mark.faults
@pytest.mark.parametrize("after", [7, 1])
def test_a_server_that_restarts_during_the_apply_is_waited_for(
    behind: World, proxy: FaultProxy, after: int
) -> None:
    world = behind
    installed(world)
    world.commit(app(world, "2"))
    proxy.seen.clear()
    back = threading.Thread(target=lambda: outage(proxy, after, 3.0), daemon=True)
    back.start()
    world.stack.up().must()
    back.join(10)
    expect_whole(world, web="web")


def outage(proxy: FaultProxy, after: int, seconds: float) -> None:
    """Take the server away once so many writes of managed objects were asked for, for that long."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if sum("/configmaps/m-" in one.path for one in proxy.writes()) >= after:
            proxy.down = True
            time.sleep(seconds)
            proxy.down = False
            return
        time.sleep(0.005)


TROUBLES: dict[str, Callable[[], list[Fault]]] = {
    "429 with Retry-After": lambda: [Fault(method="PATCH", status=429, retry_after="1", times=6)],
    "429 on reads": lambda: [Fault(method="GET", status=429, retry_after="1", times=4)],
    "500 and 503": lambda: [Fault(status=500, times=3), Fault(status=503, times=3)],
    "answers cut off": lambda: [
        Fault(method="PATCH", cut_after=100, times=5),
        Fault(method="GET", cut_after=10, times=3),
    ],
    "connections reset": lambda: [Fault(drop=True, times=5)],
    "slow": lambda: [Fault(delay=0.3, times=25)],
}
OFTEN = ("answers cut off",)


@pytest.mark.parametrize(
    "troubles", [OFTEN, pytest.param(tuple(TROUBLES), marks=pytest.mark.faults)], ids=("one", "all")
)
def test_passing_trouble_is_got_over_in_one_run(
    behind: World, proxy: FaultProxy, troubles: Sequence[str]
) -> None:
    world = behind
    installed(world)
    before = uids(world)
    for turn, how in enumerate(troubles, 2):
        world.commit(app(world, str(turn)))
        proxy.seen.clear()
        proxy.faults[:] = TROUBLES[how]()
        world.stack.up().must()
        assert all(fault.times == 0 for fault in proxy.faults), f"{how} was not met: {proxy.faults}"
        proxy.faults.clear()
        expect_whole(world, web="web")
        assert uids(world) == before, how
        assert deletions(proxy) == [], how


def test_retry_after_is_kept_to(behind: World, proxy: FaultProxy) -> None:
    world = behind
    installed(world)
    world.commit(app(world, "2", count=12))
    proxy.seen.clear()
    proxy.faults[:] = [Fault(method="PATCH", path="/configmaps/m-03", status=429, retry_after="2", times=2)]
    world.stack.up().must()
    tries = [one.at for one in proxy.seen if one.method == "PATCH" and "/configmaps/m-03" in one.path]
    assert len(tries) >= 3
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)][:2]
    assert all(pause >= 1.9 for pause in pauses), pauses


@pytest.mark.faults
@pytest.mark.parametrize("status", [403, 401, 500])
def test_reads_that_fail_for_good_prune_nothing(behind: World, proxy: FaultProxy, status: int) -> None:
    """Lists, discovery and records alike: the objects that Git dropped stay until the cluster can be read."""
    world = behind
    installed(world)
    before = uids(world)
    world.commit(app(world, "2", count=9))
    proxy.faults[:] = [Fault(method="GET", path="/configmaps", status=status)]
    failed = world.stack.up().must_fail()
    assert "Traceback" not in failed.out
    proxy.faults[:] = [Fault(method="GET", path="^/apis?(/apps|/v1)?(\\?|$)", status=status)]
    failed = world.stack.up().must_fail()
    assert "Traceback" not in failed.out
    proxy.faults.clear()
    assert uids(world) == before
    world.stack.up().must()
    expect_whole(world, web="web")


@pytest.mark.faults
def test_one_broken_aggregated_api_harms_no_other_group(world: World) -> None:
    installed(world)
    group = f"{world.namespace}.broken.test"
    service = broken_service(group)
    world.rest.apply(service)
    try:
        wait_for(lambda: available(world, service) == "False", seconds=30)
        world.commit(app(world, "2", count=9))
        world.stack.up().must()
        assert world.gone("v1", "ConfigMap", "m-10")
        assert world.live("v1", "ConfigMap", "m-01")["data"] == {"A": "2"}
    finally:
        world.rest.delete("apiregistration.k8s.io/v1", "APIService", "", service["metadata"]["name"])
        wait_for(lambda: group not in {one["name"] for one in world.rest.request("GET", "/apis")["groups"]})
    expect_whole(world, web="web")


@pytest.mark.faults
@pytest.mark.timeout(400)
def test_a_stalled_answer_is_given_up_and_asked_again(behind: World, proxy: FaultProxy) -> None:
    """Half-open connections: the server accepts, and says nothing for as long as the client can bear."""
    world = behind
    installed(world)
    world.commit(app(world, "2"))
    proxy.faults[:] = [Fault(method="PATCH", stall=threading.Event(), times=1)]
    world.stack.up().must()
    expect_whole(world, web="web")


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_an_outage_of_a_minute_is_told_and_the_next_run_converges(behind: World, proxy: FaultProxy) -> None:
    world = behind
    installed(world)
    before = uids(world)
    world.commit(app(world, "2", count=9))
    proxy.seen.clear()
    back = threading.Thread(target=lambda: outage(proxy, 2, 60.0), daemon=True)
    back.start()
    failed = world.stack.up()
    back.join(70)
    assert len(proxy.seen) < 1000, "no busy loop"
    assert "Traceback" not in failed.out
    begin = time.monotonic()
    world.stack.up().must()
    assert time.monotonic() - begin < 20
    expect_whole(world, web="web")
    assert {name: uid for name, uid in uids(world).items() if before.get(name, uid) != uid} == {}
