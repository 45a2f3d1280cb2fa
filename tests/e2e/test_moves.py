"""Objects that move to a unit which fails to render: they stay as they are until it has them."""

from __future__ import annotations

import pytest

from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def uids(world: World, *names: str) -> list[str]:
    return [world.live("v1", "ConfigMap", name)["metadata"]["uid"] for name in names]


def test_objects_stay_while_the_unit_they_move_to_cannot_be_rendered(world: World) -> None:
    ns = world.namespace
    moved = config_map(ns, "moved", A="1")
    world.commit(
        {
            "one/keep.yaml": [config_map(ns, "keep", A="1")],
            "one/moved.yaml": [moved, config_map(ns, "gone", A="1")],
            "two/other.yaml": [config_map(ns, "other", A="1")],
        }
    )
    two = world.unit("two", "./two", postBuild={"substitute": {"known": "x"}})
    world.units(world.unit("one", "./one"), two)
    world.stack.up().must()
    before = uids(world, "moved")
    broken = config_map(ns, "other", A="${UNDEFINED_THING}")
    world.commit(
        {
            "one/moved.yaml": None,
            "one/keep.yaml": [config_map(ns, "keep", A="2")],
            "two/moved.yaml": [moved],
            "two/other.yaml": [broken],
        }
    )
    failed = world.stack.up().must_fail()
    why = f"not deleted: Kustomization/{world.flux}/two is not rendered as Git has it and may want it"
    assert why in failed.out
    assert f"ConfigMap/{ns}/moved" in failed.out
    assert uids(world, "moved") == before
    assert world.gone("v1", "ConfigMap", "gone"), "the unit that fails does not mention it"
    assert world.live("v1", "ConfigMap", "keep")["data"] == {"A": "2"}, "the rest of the unit is applied"
    world.commit({"two/other.yaml": [config_map(ns, "other", A="3")]})
    world.stack.up().must()
    assert uids(world, "moved") == before
    world.judge(one="one", two="two")
    world.stack.expect_clean()
    world.stack.destroy().must()
    assert world.checker.owned() == {}
