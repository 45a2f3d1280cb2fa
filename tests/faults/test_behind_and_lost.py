"""R03, R27: a machine that knows less than others rolls nothing back and removes nothing that it cannot see."""

from __future__ import annotations

import shutil

import pytest

from tests.support.checker import Expected
from tests.support.invariants import uids
from tests.support.kube import wait_for
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def level(world: World, name: str) -> str:
    return str(world.live("v1", "ConfigMap", name)["data"]["LEVEL"])


@pytest.fixture
def behind(world: World) -> World:
    """A stack at its second revision, on a machine whose caches are of the first, which had an object less."""
    ns = world.namespace
    world.commit({f"web/{name}.yaml": [config_map(ns, name, LEVEL="first")] for name in "abc"})
    world.units(web="./web")
    world.stack.up().must()
    runs, kept = world.stack.cache / "runs", world.stack.folder / "kept"
    wait_for(lambda: not any(runs.iterdir()), seconds=20)
    shutil.copytree(world.stack.cache, kept)
    world.commit({f"web/{name}.yaml": [config_map(ns, name, LEVEL="second")] for name in "abcd"})
    world.stack.up().must()
    world.stack.lose_caches(put_back=kept)
    return world


@pytest.mark.slow
def test_a_suspended_source_stays_where_any_machine_left_it(behind: World) -> None:
    behind.stack.weir("suspend", "source", "git", "apps").must()
    behind.commit({"web/a.yaml": [config_map(behind.namespace, "a", LEVEL="third")]})
    behind.stack.up().must()
    assert [level(behind, name) for name in "ad"] == ["second", "second"]


@pytest.mark.slow
def test_an_outage_rolls_nothing_back(behind: World) -> None:
    behind.server.trouble.status = 503
    behind.stack.up().must_fail()
    assert [level(behind, name) for name in "ad"] == ["second", "second"]
    rows = behind.stack.weir("get", "sources").must().out
    assert behind.repo.head()[:8] in rows, "the record still says what was resolved last"
    behind.server.trouble.status = 0
    behind.stack.up().must()
    behind.judge(web="web")


def test_a_lost_state_and_a_source_that_is_away_remove_nothing(world: World) -> None:
    """Children that only their parent declares are unseen while that cannot be rendered; they are no orphans."""
    ns = world.namespace
    world.commit(
        {"top/leaf.yaml": [world.unit("leaf", "./leaf")], "leaf/a.yaml": [config_map(ns, "leaf", A="1")]}
    )
    world.units(top="./top")
    world.stack.up().must()
    before = uids(world)
    shutil.rmtree(world.stack.backend / ".pulumi")
    world.stack.lose_caches()
    world.server.trouble.status = 503
    world.stack.up().must_fail()
    assert uids(world) == before
    world.server.trouble.status = 0
    world.stack.up().must()
    assert uids(world) == before
    world.judge_units([Expected("top", (), world.flux), world.expected("leaf", "leaf")])
