"""Units that are suspended by hand, through the real engine."""

from __future__ import annotations

import pytest

from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def installed(world: World) -> World:
    """A converged unit of two ConfigMaps."""
    world.commit({f"web/{name}.yaml": [config_map(world.namespace, name, LEVEL="info")] for name in "ab"})
    world.units(web="./web")
    world.stack.up().must()
    return world


def level(world: World, name: str) -> str:
    return str(world.live("v1", "ConfigMap", name)["data"]["LEVEL"])


def test_suspended_unit_keeps_drift_until_it_is_resumed(installed: World) -> None:
    installed.stack.weir("suspend", "kustomization", "web", "--message", "incident 7").must()
    installed.edit(installed.live("v1", "ConfigMap", "a"), {"data": {"LEVEL": "drift"}})
    installed.commit({"web/b.yaml": None})
    assert installed.stack.weir("diff").code == 0
    assert "left as it is: suspended by" in installed.stack.up().must().out
    assert level(installed, "a") == "drift"
    assert not installed.gone("v1", "ConfigMap", "b")
    assert "incident 7" in installed.stack.weir("get", "kustomizations").must().out
    resumed = installed.stack.weir("resume", "kustomization", "web", "--wait").must()
    assert "✔ applied revision main@sha1:" in resumed.out
    installed.judge(web="./web")


@pytest.mark.slow
def test_suspended_source_keeps_its_revision_on_every_machine(installed: World) -> None:
    installed.stack.weir("suspend", "source", "git", "apps").must()
    installed.commit({"web/a.yaml": [config_map(installed.namespace, "a", LEVEL="debug")]})
    installed.stack.lose_caches()
    installed.stack.up().must()
    assert level(installed, "a") == "info"
    installed.edit(installed.live("v1", "ConfigMap", "a"), {"data": {"LEVEL": "drift"}})
    installed.stack.up().must()
    assert level(installed, "a") == "info"
    rows = installed.stack.weir("get", "sources").must().out
    assert "suspended by" in rows
    installed.stack.weir("resume", "source", "git", "apps", "--wait").must()
    installed.judge(web="./web")
    assert "True" not in installed.stack.weir("get", "sources").must().out.splitlines()[1].split("\t")[2]


@pytest.mark.slow
def test_removal_of_a_suspended_unit_leaves_its_objects(installed: World) -> None:
    installed.stack.weir("suspend", "kustomization", "web").must()
    installed.units()
    installed.stack.up().must()
    assert level(installed, "a") == "info"
    installed.stack.expect_clean()


@pytest.mark.slow
def test_uninstall_leaves_the_workloads_and_a_later_up_takes_them_over(installed: World) -> None:
    before = installed.versions()
    assert installed.stack.weir("uninstall").must_fail().out.count("pass --yes") == 1
    installed.stack.weir("uninstall", "--yes").must()
    assert installed.stack.resources() == []
    assert installed.versions() == before
    kind = installed.rest.kind("v1", "ConfigMap")
    assert installed.rest.list(kind, "weir.dev/stack", installed.checker.record_namespace) == []
    installed.stack.up().must()
    assert installed.versions() == before
    installed.judge(web="./web")
