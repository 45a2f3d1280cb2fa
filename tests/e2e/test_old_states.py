"""States written by earlier releases: their stacks preview without a change, and go on.

`tests/fixtures/states/<version>.json` holds the resources of one stack as that release wrote them, with names, hashes
and addresses of the world replaced by placeholders. A release adds its own file: WEIR_KEEP_STATE=<version> runs this
test and writes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.world import World, config_map, deployment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STATES = Path(__file__).resolve().parents[1] / "fixtures" / "states"


def placeholders(world: World, resources: list[dict[str, Any]]) -> dict[str, str]:
    """What differs from world to world -> its placeholder, longest first."""
    inputs = [item.get("inputs") or {} for item in resources]
    one, two = (item for item in inputs if str(item.get("unit", "")).startswith("Kustomization/"))
    source = next(item for item in inputs if str(item.get("unit", "")).startswith("GitRepository/"))
    found = {
        world.stack.name: "@STACK@",
        world.flux: "@FLUX@",
        world.namespace: "@NAMESPACE@",
        world.checker.record_namespace: "@RECORDS@",
        world.repo.url: "@URL@",
        str(world.kubeconfig): "@KUBECONFIG@",
        str(world.stack.objects): "@OBJECTS@",
        one["cluster"]: "@CLUSTER@",
        one["digest"]: "@ONE@",
        two["digest"]: "@TWO@",
        source["digest"]: "@SOURCE@",
        one["revision"]: "@REVISION@",
    }
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))


def swapped(text: str, names: Mapping[str, str]) -> str:
    """The text with every key replaced by its value."""
    for old, new in names.items():
        text = text.replace(old, new)
    return text


def stack_command(world: World, *words: str) -> str:
    """What a `pulumi stack` command prints."""
    name = ("--stack", world.stack.name, "--non-interactive")
    return world.stack.run("pulumi", "stack", *words, *name).must().out


def exported(world: World) -> dict[str, Any]:
    """The stack's deployment as Pulumi exports it."""
    found: dict[str, Any] = json.loads(stack_command(world, "export"))
    return found


def installed(world: World) -> dict[str, Any]:
    """The export of a stack with one source and two units, one after the other."""
    ns = world.namespace
    world.commit({"one/a.yaml": [config_map(ns, "one", A="1")], "two/b.yaml": [deployment(ns, "two")]})
    after = world.unit("two", "./two", wait=True, dependsOn=[{"name": "one"}])
    world.units(after, one="./one")
    world.stack.up().must()
    return exported(world)


@pytest.mark.skipif("WEIR_KEEP_STATE" not in os.environ, reason="writes the state of a new release")
def test_keep_the_state_of_this_release(world: World) -> None:
    resources = installed(world)["deployment"]["resources"]
    names = placeholders(world, resources)
    for resource in resources:
        for key in ("created", "modified", "sourcePosition", "stackTrace"):
            resource.pop(key, None)
    text = swapped(json.dumps(resources, indent=1, sort_keys=True), names)
    (STATES / f"{os.environ['WEIR_KEEP_STATE']}.json").write_text(text + "\n")


@pytest.mark.parametrize("path", sorted(STATES.glob("*.json")), ids=lambda path: path.stem)
def test_a_state_of_an_earlier_release_shows_no_change_and_goes_on(world: World, path: Path) -> None:
    export = installed(world)
    names = placeholders(world, export["deployment"]["resources"])
    old = swapped(path.read_text(), {new: old for old, new in names.items()})
    export["deployment"]["resources"] = json.loads(old)
    file = world.stack.folder / "old-state.json"
    file.write_text(json.dumps(export))
    stack_command(world, "import", "--file", str(file))
    world.stack.expect_clean()
    world.commit({"one/a.yaml": [config_map(world.namespace, "one", A="2")]})
    world.stack.up().must()
    world.judge(one="one", two="two")
    world.stack.destroy().must()
    assert world.gone("v1", "ConfigMap", "one")
