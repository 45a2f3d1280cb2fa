"""R21, R25, R26, R30, R37: watchers that are stopped, frozen, killed, set wrong, or given units that never end."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.invariants import expect_no_process, lock_files, lock_folder
from tests.support.kube import wait_for
from tests.support.watched import (
    Eyes,
    commit,
    declare,
    drift,
    engines,
    expect_converged,
    live,
    settle,
    until_followed,
    until_live,
    until_repaired,
)
from tests.support.watching import WatcherRun
from tests.support.world import Obj, World, config_map, deployment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

LEASE = 15
"""Seconds that `docs/watcher.md` promises."""


@contextlib.contextmanager
def frozen(processes: list[psutil.Process]) -> Iterator[None]:
    """Processes that get no time, as on a machine that is suspended."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def unready(namespace: str, name: str) -> Obj:
    """A Deployment whose Pods no node takes."""
    made = deployment(namespace, name)
    made["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
    return made


@pytest.fixture
def pair(behind: World) -> Iterator[tuple[WatcherRun, WatcherRun]]:
    """Two watchers of one stack that is applied; the first leads."""
    world = behind
    declare(world)
    leader, other = (WatcherRun(world.stack, name=name) for name in ("leader", "other"))
    with leader:
        until_followed(world, leader)
        with other:
            other.wait_until_said("watches the stack")
            yield leader, other


def holder(world: World) -> str:
    """Who holds the stack's run lease, empty when nobody does."""
    space = world.checker.record_namespace
    path = f"/apis/coordination.k8s.io/v1/namespaces/{space}/leases/weir-run-{world.stack.name}"
    return str(world.rest.request("GET", path)["spec"].get("holderIdentity") or "")


@pytest.mark.parametrize("away", [False, True], ids=("unhealthy-unit", "server-away"))
def test_sigterm_ends_a_run_that_waits_and_frees_everything(
    behind: World, proxy: FaultProxy, away: bool
) -> None:
    """The health of a unit, or a server that does not answer, would be waited for much longer."""
    world = behind
    ns = world.namespace
    world.units(world.unit("slow", "./slow", wait=True, timeout="5m"), interval="1s", web="./web")
    world.commit({"slow/all.yaml": [unready(ns, "slow")]})
    commit(world, "1")
    with WatcherRun(world.stack) as watcher:
        until_live(world, watcher, "1", "m-05")
        wait_for(lambda: not world.gone("apps/v1", "Deployment", "slow"))
        session = watcher.process.pid if watcher.process else 0
        proxy.down = away
        time.sleep(2.0)
        assert watcher.end(signal.SIGTERM, within=45) == 0
        proxy.down = False
    expect_no_process(world.stack.folder, session)
    assert lock_files(world.stack) == [], watcher.said
    assert away or holder(world) == ""
    world.commit({"slow/all.yaml": [deployment(ns, "slow")]})
    with WatcherRun(world.stack, name="next") as after:
        after.wait_until_said("run done")
        assert "waiting up to" not in after.said
        expect_converged(world, after, web="web", slow="slow")


def test_a_leader_that_was_frozen_for_longer_than_its_lease_leaves_all_to_the_other(
    behind: World, pair: tuple[WatcherRun, WatcherRun]
) -> None:
    world, (leader, other) = behind, pair
    with Eyes(world) as eyes:
        with frozen(leader.family()):
            commit(world, "2")
            world.edit(world.live("v1", "ConfigMap", "m-02"), {"data": {"A": "by hand"}})
            assert other.wait_until_said("watching stack") < LEASE + 15
            until_live(world, other, "2", "m-02")
            other.wait_until_said("run done")
            commit(world, "3")
            until_live(world, other, "3")
        leader.wait_until_said("leads now")
        drift(world)
        until_repaired(world, other, "3")
        commit(world, "4")
        until_live(world, other, "4")
        other.wait_for(lambda: not engines(world), "the last run ended")
    assert eyes.most_engines <= 1
    assert eyes.values == ["1", "2", "3", "4"], "a field went back"
    assert leader.said.count("running: ") == 1
    assert leader.end(signal.SIGTERM, within=30) == 0
    expect_converged(world, other, web="web")


def test_a_run_that_was_frozen_with_its_leader_undoes_nothing(
    behind: World, proxy: FaultProxy, pair: tuple[WatcherRun, WatcherRun]
) -> None:
    """The other one leads meanwhile, and finds that the stack is still held by a process that lives."""
    world, (leader, other) = behind, pair
    with Eyes(world) as eyes:
        proxy.faults[:] = [Fault(method="PATCH", path="/configmaps/m-", delay=1.5)]
        proxy.seen.clear()
        commit(world, "2")
        leader.wait_for(lambda: any("/configmaps/m-" in one.path for one in proxy.writes()), "it writes")
        with frozen(leader.family()):
            proxy.faults.clear()
            other.wait_until_said("watching stack")
            commit(world, "3")
            other.wait_until_said("the stack is locked by")
            time.sleep(3)
            assert live(world) in ("1", "2")
            assert len(engines(world)) == 1
        until_live(world, other, "3")
        for number in range(6):
            until_live(world, other, "3", f"m-{number:02}")
        other.wait_for(lambda: not engines(world), "the last run ended")
    assert eyes.most_engines <= 1
    assert eyes.values == sorted(eyes.values), "a field went back"
    leader.wait_until_said("leads now")
    assert leader.end(signal.SIGTERM, within=30) == 0
    expect_converged(world, other, web="web")


def test_the_lock_of_a_killed_run_is_broken_and_one_of_another_host_is_waited_for(
    behind: World, proxy: FaultProxy
) -> None:
    world = behind
    declare(world)
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        proxy.faults[:] = [Fault(method="PATCH", path="/configmaps/m-", delay=2.0)]
        proxy.seen.clear()
        commit(world, "2")
        watcher.wait_for(lambda: bool(lock_files(world.stack)), "the run holds the stack")
        watcher.wait_for(lambda: any("/configmaps/m-" in one.path for one in proxy.writes()), "it writes")
        watcher.kill_all()
        proxy.faults.clear()
        assert lock_files(world.stack), "a killed run cannot clean up"
        watcher.start()
        watcher.wait_until_said("removed the stale lock of")
        until_live(world, watcher, "2")
        watcher.wait_until_said("run done", times=2)
        foreign = lock_folder(world.stack) / "foreign.json"
        foreign.write_text('{"pid": 1, "username": "ann", "hostname": "build-7.example", "timestamp": ""}')
        commit(world, "3")
        watcher.wait_until_said("the stack is locked by pid 1 of ann on build-7.example")
        time.sleep(3)
        drift(world)
        until_repaired(world, watcher, "2")
        assert live(world) == "2"
        assert foreign.exists()
        foreign.unlink()
        until_live(world, watcher, "3")
        watcher.wait_until_said("run done", times=3)
        expect_converged(world, watcher, web="web")


def test_a_clock_that_is_set_by_an_hour_moves_no_tick(world: World, tmp_path: Path) -> None:
    declare(world, interval="2s")
    offset = tmp_path / "offset"
    offset.write_text("0")
    program = ("tests.support.shifted_clock", str(offset))
    with WatcherRun(world.stack, program=program) as watcher:
        until_followed(world, watcher)
        usual = polls(world, seconds=8)
        for value, seconds in {"2": 3600, "3": -3600, "4": 0}.items():
            offset.write_text(str(seconds))
            found = polls(world, seconds=8)
            assert usual / 2 <= found <= usual * 2, f"{seconds:+} s: {found} polls, not {usual}"
            commit(world, value)
            until_live(world, watcher, value)
            drift(world)
            until_repaired(world, watcher, value)
        assert "leads now" not in watcher.said
        assert watcher.said.count("running: ") == 4
        expect_converged(world, watcher, web="web")


def polls(world: World, seconds: float) -> int:
    """Requests to the Git server in that time."""
    before = len(world.server.requests)
    time.sleep(seconds)
    return len(world.server.requests) - before


def many(world: World) -> tuple[dict[str, list[Obj]], dict[str, str]]:
    """Files and paths of twenty units with one ConfigMap each, beside `web`."""
    names = [f"u{number:02}" for number in range(20)]
    files = {f"{name}/a.yaml": [config_map(world.namespace, name, A="1")] for name in names}
    return files, {name: name for name in names}


def test_units_that_hang_or_fail_keep_twenty_others_fast(world: World) -> None:
    files, paths = many(world)
    ns = world.namespace
    world.units(
        world.unit("hangs", "./hangs", wait=True, timeout="5m"),
        interval="1s",
        fails="./fails",
        **paths,
    )
    world.commit(
        {**files, "hangs/a.yaml": [deployment(ns, "hangs")], "fails/a.yaml": [config_map(ns, "f", A="1")]}
    )
    with WatcherRun(world.stack) as watcher:
        watcher.wait_until_said("run done")
        waits = {"healthy": moves(world, watcher, "2"), "": 0.0}
        world.commit({"hangs/a.yaml": [unready(ns, "hangs")], "fails/a.yaml": "resources: [\n"})
        watcher.wait_for(lambda: "nodeSelector" in pods_of(world), "the unhealthy one is applied")
        for value in ("3", "4", "5"):
            waits[value] = moves(world, watcher, value)
        assert max(waits.values()) < 2 * waits["healthy"] + 15, waits
        world.commit(
            {"hangs/a.yaml": [deployment(ns, "hangs")], "fails/a.yaml": [config_map(ns, "f", A="2")]}
        )
        until_live(world, watcher, "2", "f")
        runs = watcher.said.count("running: ")
        watcher.wait_until_said("run done", times=3)
        assert runs < 12
        expect_converged(world, watcher, hangs="hangs", fails="fails", **paths)


def pods_of(world: World) -> str:
    return str(world.live("apps/v1", "Deployment", "hangs")["spec"]["template"]["spec"])


def moves(world: World, watcher: WatcherRun, value: str) -> float:
    """Seconds until a commit to one of the twenty is live."""
    world.commit({"u07/a.yaml": [config_map(world.namespace, "u07", A=value)]})
    return until_live(world, watcher, value, "u07")


def test_a_unit_whose_cluster_is_silent_keeps_twenty_others_fast(world: World, proxy: FaultProxy) -> None:
    """The watcher starts while that cluster accepts connections and says nothing."""
    files, paths = many(world)
    ns = world.namespace
    world.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
    secret = {"name": "remote", "namespace": world.flux}
    text = proxy.kubeconfig.read_text()
    world.rest.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": secret, "stringData": {"value": text}}
    )
    remote = world.unit("remote", "./remote", kubeConfig={"secretRef": {"name": "remote"}})
    world.units(remote, interval="1s", **paths)
    world.commit({**files, "remote/a.yaml": [config_map(ns, "remote", A="1")]})
    world.stack.up().must()
    usual = world.stack.up().must().seconds
    silence = threading.Event()
    proxy.faults[:] = [Fault(stall=silence)]
    with WatcherRun(world.stack) as watcher:
        watcher.wait_until_said("watching stack")
        waits = {value: moves(world, watcher, value) for value in ("2", "3", "4")}
        world.edit(world.live("v1", "ConfigMap", "u03"), {"data": {"A": "by hand"}})
        waits["drift"] = until_live(world, watcher, "1", "u03")
        assert max(waits.values()) < 2 * usual + 15, (usual, waits)
        proxy.faults.clear()
        silence.set()
        world.commit({"remote/a.yaml": [config_map(ns, "remote", A="2")]})
        until_live(world, watcher, "2", "remote")
        settle(watcher)
        expect_converged(world, watcher, remote="remote", **paths)
