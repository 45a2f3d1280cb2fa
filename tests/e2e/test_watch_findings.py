"""What the watcher knows to be wrong with objects, on its pages and in what it tells."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from tests.support.policy import denied
from tests.support.watching import WatcherRun
from tests.support.world import World, config_map, service

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]


def read(address: str, path: str) -> str:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def stall(world: World, status: str) -> None:
    """Say in the Service's status whether it is stuck."""
    condition: dict[str, Any] = {"type": "Stalled", "status": status, "reason": "NoAddress"}
    condition |= {"message": "the pool is empty", "lastTransitionTime": "2024-01-01T00:00:00Z"}
    path = world.rest.kind("v1", "Service").path(world.namespace, "web") + "/status"
    patch = {"status": {"conditions": [condition]}}
    world.rest.request("PATCH", path, patch, content="application/merge-patch+json")


def test_drift_that_stays_and_health_that_is_lost_show_until_they_are_over(world: World) -> None:
    ns = world.namespace
    unit = world.unit("web", "./web")
    unit["metadata"]["annotations"] = {"weir.dev/drift-policy": "report"}
    world.units(unit, interval="10m")
    world.commit({"web/all.yaml": [config_map(ns, "web", GREETING="hello"), service(ns, "web")]})
    with WatcherRun(world.stack, "--dashboard", "127.0.0.1:0") as watcher:
        watcher.wait_until_said("run done", within=120.0)
        watcher.wait_until_said(f"following Service in {ns}")
        pages = watcher.address("dashboard")

        def shown() -> str:
            return read(pages, f"/unit?id=Kustomization/{world.flux}/web")

        assert "Synced" in shown()
        assert "Healthy" in shown()
        world.edit(world.live("v1", "ConfigMap", "web"), {"data": {"GREETING": "nonsense"}})
        watcher.wait_for(lambda: "OutOfSync" in shown(), "drift shows")
        assert "1 not as wanted" in shown()
        assert "data.GREETING: nonsense -&gt; hello" in shown()
        stall(world, "True")
        watcher.wait_for(lambda: "Degraded" in shown(), "lost health shows")
        assert "NoAddress: the pool is empty" in shown()
        watcher.wait_for(lambda: "HealthCheckFailed" in read(pages, "/events?severity=error"), "it is told")
        stall(world, "False")
        watcher.wait_for(lambda: "Healthy" in shown(), "it is well again")
        watcher.wait_until_said("healthy again: Service/")
        world.stack.up().must()
        watcher.wait_for(lambda: "OutOfSync" not in shown(), "a run mends it")
        assert "not as wanted" not in shown()
        assert watcher.said.count("drift found:") == 1, watcher.said
        assert watcher.said.count("not healthy any more:") == 1, watcher.said
        world.judge(web="web")


def test_a_correction_that_is_refused_is_told_as_an_error_once_and_tried_again(world: World) -> None:
    ns = world.namespace
    world.units(world.unit("web", "./web", retryInterval="2s"), interval="10m")
    world.commit({"web/all.yaml": [config_map(ns, "web", GREETING="hello")]})
    with WatcherRun(world.stack, "--dashboard", "127.0.0.1:0") as watcher:
        watcher.wait_until_said("run done", within=120.0)
        watcher.wait_until_said(f"following ConfigMap in {ns}")
        pages = watcher.address("dashboard")
        with denied(world.rest, ns, "object.metadata.name == 'kube-root-ca.crt'"):
            world.rest.delete("v1", "ConfigMap", ns, "web")
            watcher.wait_until_said("drift not corrected:")
            errors = "/events?severity=error"
            watcher.wait_for(lambda: "DriftCorrectionFailed" in read(pages, errors), "it is told")
            told = read(pages, errors)
            assert f"ConfigMap/{ns}/web" in told
            assert "the test&#39;s policy says no" in told
        watcher.wait_for(lambda: not world.gone("v1", "ConfigMap", "web"), "it is made when that is allowed")
        watcher.wait_until_said("drift corrected:")
        assert watcher.said.count("drift not corrected:") == 1, watcher.said
        world.judge(web="web")
