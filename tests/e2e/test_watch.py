"""The watcher on the real engine: commits become live by themselves, drift is repaired, nothing runs in between."""

from __future__ import annotations

import hashlib
import signal
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.support.watching import WatcherRun
from tests.support.world import World, config_map, deployment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

TOKEN = "a-token-for-webhooks"


def declare(world: World, *documents: dict[str, Any], interval: str = "2s") -> None:
    """One source, and one unit of two objects."""
    world.units(world.unit("web", "./web"), *documents, interval=interval)
    commit(world, "hello")


def commit(world: World, text: str) -> None:
    ns = world.namespace
    world.commit({"web/all.yaml": [config_map(ns, "web", GREETING=text), deployment(ns, "web")]})


def greeting(world: World) -> str:
    found = world.rest.get("v1", "ConfigMap", world.namespace, "web")
    return str(found["data"]["GREETING"]) if found else ""


def until_followed(world: World, watcher: WatcherRun, runs: int = 1) -> None:
    watcher.wait_until_said("run done", within=120.0, times=runs)
    watcher.wait_until_said(f"following ConfigMap in {world.namespace}")
    time.sleep(1.0)


def seconds_until_undone(world: World, watcher: WatcherRun, word: str) -> float:
    """Edit the greeting by hand: seconds until what is in Git is back."""
    before = greeting(world)
    world.edit(world.live("v1", "ConfigMap", "web"), {"data": {"GREETING": word}})
    return watcher.wait_for(lambda: greeting(world) == before, "the edited field is back")


def receiver(world: World) -> dict[str, Any]:
    """A webhook receiver for the source, and its token in the cluster."""
    world.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
    secret = {"name": "hook", "namespace": world.flux}
    world.rest.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": secret, "stringData": {"token": TOKEN}}
    )
    return {
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": {"name": "git", "namespace": world.flux},
        "spec": {
            "type": "generic",
            "secretRef": {"name": "hook"},
            "resources": [{"kind": "GitRepository", "name": "apps"}],
        },
    }


def call(address: str, path: str, method: str = "GET") -> tuple[int, str]:
    request = urllib.request.Request(f"http://{address}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as err:
        return err.code, err.read().decode()


def test_a_watched_stack_follows_git_and_repairs_drift(world: World) -> None:
    declare(world)
    ns = world.namespace
    with WatcherRun(world.stack) as watcher:
        watcher.wait_for(lambda: greeting(world) == "hello", "the first commit is live")
        commit(world, "hi")
        watcher.wait_for(lambda: greeting(world) == "hi", "the second commit is live")
        until_followed(world, watcher, runs=2)
        seconds_until_undone(world, watcher, "to be followed")
        assert seconds_until_undone(world, watcher, "nonsense") < 20.0
        watcher.wait_until_said("data.GREETING: nonsense -> hi")
        world.rest.delete("apps/v1", "Deployment", ns, "web")
        watcher.wait_for(lambda: not world.gone("apps/v1", "Deployment", "web"), "the Deployment is back")
        watcher.wait_until_said("was deleted")
        assert watcher.said.count("running:") == 2, watcher.said
        world.judge(web="web")
        assert watcher.end(signal.SIGTERM, within=10.0) == 0
    world.stack.expect_clean()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_up_beside_the_watcher_is_not_undone(world: World) -> None:
    declare(world, interval="10m")
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        for number in range(20):
            text = f"round {number}"
            commit(world, text)
            world.stack.up().must()
            end = time.monotonic() + 1.0
            while time.monotonic() < end:
                assert greeting(world) == text, watcher.said
                time.sleep(0.02)
        assert "drift corrected" not in watcher.said


@pytest.mark.slow
def test_a_webhook_makes_a_commit_live_and_pages_tell(world: World) -> None:
    declare(world, receiver(world), interval="1h")
    listening = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--dashboard", "127.0.0.1:0")
    with WatcherRun(world.stack, *listening) as watcher:
        until_followed(world, watcher)
        probes, pages = watcher.address("probes and metrics"), watcher.address("dashboard")
        assert call(probes, "/healthz")[0] == 200
        assert call(probes, "/readyz")[0] == 200
        commit(world, "told")
        hooks = watcher.address("webhooks")
        digest = hashlib.sha256(f"{TOKEN}git{world.flux}".encode()).hexdigest()
        assert call(hooks, f"/hook/{'0' * 64}", "POST")[0] == 404
        assert call(hooks, f"/hook/{digest}", "POST")[0] == 200
        watcher.wait_for(lambda: greeting(world) == "told", "the commit is live")
        watcher.wait_until_said("run done", times=2)
        status, page = call(pages, "/")
        assert status == 200
        assert "Synced" in page
        assert "Healthy" in page
        assert 'weir_engine_runs_total{result="done"} 2.0' in call(probes, "/metrics")[1]


@pytest.mark.slow
def test_a_bad_unit_delays_nobody_and_its_fix_goes_live(world: World) -> None:
    ns = world.namespace
    never = {
        "name": "main",
        "image": "registry.k8s.io/pause:3.10",
        "readinessProbe": {"exec": {"command": ["no"]}},
    }
    broken = deployment(ns, "broken")
    broken["spec"]["template"]["spec"]["containers"] = [never]
    broken["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
    world.units(
        world.unit("web", "./web"), world.unit("broken", "./broken", wait=True, timeout="5m"), interval="2s"
    )
    world.commit({"broken/all.yaml": [broken]})
    commit(world, "hello")
    with WatcherRun(world.stack) as watcher:
        watcher.wait_for(lambda: greeting(world) == "hello", "the good unit is live")
        time.sleep(5.0)
        commit(world, "hi")
        took = watcher.wait_for(lambda: greeting(world) == "hi", "the next commit is live", within=90.0)
        assert took < 90.0, "the health check of the other unit was waited for"
        world.commit({"broken/all.yaml": [deployment(ns, "broken")]})
        watcher.wait_for(
            lambda: world.live("apps/v1", "Deployment", "broken")["status"].get("readyReplicas") == 2,
            "the fix is live",
            within=120.0,
        )


@pytest.mark.slow
def test_sigterm_in_the_middle_of_a_run_loses_nothing(world: World) -> None:
    ns = world.namespace
    world.units(world.unit("web", "./web"), interval="1m")
    world.commit({"web/all.yaml": [config_map(ns, f"part-{number}", N=str(number)) for number in range(200)]})
    watcher = WatcherRun(world.stack)
    with watcher:
        watcher.wait_until_said("running:")
        watcher.wait_for(lambda: not world.gone("v1", "ConfigMap", "part-3"), "some of it is there")
        assert watcher.end(signal.SIGTERM, within=30.0) == 0
    with WatcherRun(world.stack) as again:
        again.wait_until_said("run done", within=120.0)
        world.judge(web="web")
    world.stack.expect_clean()


@pytest.mark.slow
def test_a_replica_that_does_not_lead_is_ready_passes_webhooks_on_and_takes_over(world: World) -> None:
    declare(world, receiver(world), interval="1h")
    listening = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    leader, other = (WatcherRun(world.stack, *listening, name=name) for name in ("leader", "other"))
    with leader:
        until_followed(world, leader)
        with other:
            other.wait_until_said("watches the stack")
            probes = other.address("probes and metrics")
            other.wait_for(lambda: call(probes, "/readyz")[0] == 200, "the one that waits is ready")
            commit(world, "told to the other")
            digest = hashlib.sha256(f"{TOKEN}git{world.flux}".encode()).hexdigest()
            assert call(other.address("webhooks"), f"/hook/{digest}", "POST")[0] == 200
            leader.wait_for(lambda: greeting(world) == "told to the other", "the commit is live")
            assert "running:" not in other.said
            assert leader.end(signal.SIGKILL, within=10.0) != 0
            commit(world, "after the leader")
            other.wait_until_said("watching stack")
            other.wait_for(lambda: greeting(world) == "after the leader", "the next commit is live")
