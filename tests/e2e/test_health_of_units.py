"""healthChecks that name other units of the run: waited for, however many wait, and told when they do not get ready."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.support.world import World, config_map, deployment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def check(name: str) -> list[dict[str, Any]]:
    """A health check of a Kustomization of the same namespace."""
    return [{"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "name": name}]


def test_more_units_than_cores_wait_for_one_that_starts_later(world: World) -> None:
    ns, many = world.namespace, [f"app-{number}" for number in range((os.cpu_count() or 1) + 6)]
    world.commit(
        {
            **{f"{name}/a.yaml": [config_map(ns, name, A="1")] for name in (*many, "base")},
            "gate/a.yaml": [deployment(ns, "gate", replicas=1)],
        }
    )
    waiting = [world.unit(name, f"./{name}", healthChecks=check("base"), timeout="1m") for name in many]
    base = world.unit("base", "./base", dependsOn=[{"name": "gate"}])
    world.units(*waiting, base, world.unit("gate", "./gate", wait=True))
    world.stack.up().must()
    world.judge(**{name.replace("-", "_"): name for name in (*many, "base", "gate")})
    world.stack.expect_clean()


def test_a_unit_that_is_not_ready_fails_those_that_check_it_and_says_why_in_its_record(world: World) -> None:
    ns = world.namespace
    names = ("base", "app", "top")
    world.commit({f"{name}/a.yaml": [config_map(ns, name, A="1")] for name in names})
    top = world.unit("top", "./top", dependsOn=[{"name": "app"}])
    app = world.unit("app", "./app", healthChecks=check("base"), timeout="30s")
    world.units(world.unit("base", "./base"), app, top)
    world.stack.up().must()
    world.commit({"base/a.yaml": "kind: [", "app/a.yaml": [config_map(ns, "app", A="2")]})
    failed = world.stack.up().must_fail()
    assert f"Kustomization/{world.flux}/base: BuildFailed:" in failed.out
    shown = json.loads(world.stack.weir("get", "kustomizations", "-A", "-o", "json").must().out)
    assert {one["name"]: (one["ready"], one["reason"]) for one in shown} == {
        "base": ("False", "BuildFailed"),
        "app": ("False", "HealthCheckFailed"),
        "top": ("False", "DependencyNotReady"),
    }
    assert world.live("v1", "ConfigMap", "base")["data"] == {"A": "1"}
    world.commit({"base/a.yaml": [config_map(ns, "base", A="2")]})
    world.stack.up().must()
    world.judge(base="base", app="app", top="top")
