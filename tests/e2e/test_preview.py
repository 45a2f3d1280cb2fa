"""Preview is the product: it names what changes, field by field, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_server import GitServer
from tests.support.stack import changed as summary_changed
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

COUNT = 1000


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory, control_plane: object) -> Iterator[World]:
    """A converged unit of 1,000 ConfigMaps, shared by the tests of this file; each leaves it converged."""
    folder: Path = tmp_path_factory.mktemp("big")
    (folder / "git").mkdir()
    with GitServer(folder / "git") as server:
        world = World(folder, control_plane.kubeconfig, server)  # type: ignore[attr-defined]
        for start in range(0, COUNT, 100):
            world.commit({f"big/part-{start:04}.yaml": batch(world, start)})
        world.units(big="./big")
        world.stack.up().must()
        yield world
        world.close()


def batch(world: World, start: int) -> list[dict[str, object]]:
    return [
        config_map(world.namespace, f"m-{n:04}", LEVEL="info", SIZE=str(n)) for n in range(start, start + 100)
    ]


def named(text: str) -> set[str]:
    return set(re.findall(r"\bm-\d{4}\b", text))


def test_one_field_committed_shows_that_object_and_field_and_none_of_the_others(big: World) -> None:
    objects = batch(big, 500)
    objects[42]["data"] = {"LEVEL": "debug", "SIZE": "542"}
    big.commit({"big/part-0500.yaml": objects})
    shown = big.stack.bare("preview", "--diff").must()
    assert named(shown.out) == {"m-0542"}
    line = next(line for line in shown.out.splitlines() if "data.LEVEL" in line)
    assert "info" in line
    assert "debug" in line
    big.stack.up().must()
    big.judge(big="big")


def test_drift_of_one_field_shows_that_object_and_field(big: World) -> None:
    live = big.live("v1", "ConfigMap", "m-0007")
    big.edit({**live, "apiVersion": "v1", "kind": "ConfigMap"}, {"data": {"LEVEL": "by-hand"}})
    shown = big.stack.bare("preview", "--diff").must()
    assert named(shown.out) == {"m-0007"}
    line = next(line for line in shown.out.splitlines() if "data.LEVEL" in line)
    assert "by-hand" in line
    big.stack.up().must()
    big.judge(big="big")


def test_a_second_preview_shows_no_change(big: World) -> None:
    big.stack.expect_clean()
    assert named(big.stack.bare("preview", "--diff").must().out) == set()


def test_plain_preview_names_objects_in_at_most_20_lines(big: World) -> None:
    files = {f"big/part-{start:04}.yaml": batch(big, start) for start in range(0, 100, 100)}
    objects = files["big/part-0000.yaml"]
    for obj in objects:
        obj["data"] = {"LEVEL": "warn", "SIZE": "0"}
    big.commit(files)
    shown = big.stack.bare("preview").must()
    diagnostics = shown.out.partition("Diagnostics:")[2]
    lines = [line for line in diagnostics.splitlines() if named(line)]
    assert 1 <= len(lines) <= 20, shown.out
    assert f"{100 - len(lines)} more" in diagnostics
    big.stack.up().must()
    big.judge(big="big")


def test_refresh_then_preview_shows_no_change_until_something_is_deleted_by_hand(big: World) -> None:
    big.stack.up().must()
    big.stack.bare("refresh", "--yes", "--skip-preview").must()
    big.stack.expect_clean()
    big.rest.delete("v1", "ConfigMap", big.namespace, "m-0900")
    big.stack.bare("refresh", "--yes", "--skip-preview").must()
    shown = big.stack.bare("preview", "--diff").must()
    assert summary_changed(shown), shown.out
    assert named(shown.out) == {"m-0900"}
    big.stack.up().must()
    big.judge(big="big")


def test_secret_values_are_not_shown(world: World) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "token", "namespace": world.namespace},
        "stringData": {"password": "canary-before-7d1f"},
    }
    world.commit({"web/secret.yaml": [secret]})
    world.units(web="./web")
    world.stack.up().must()
    world.commit({"web/secret.yaml": [{**secret, "stringData": {"password": "canary-after-93ce"}}]})
    shown = world.stack.preview("--diff").must()
    assert f"Secret/{world.namespace}/token" in shown.out
    done = world.stack.up().must()
    text = shown.out + done.out + world.stack.state_file.read_text()
    assert "canary" not in text
    assert "Y2FuYXJ5" not in text
    world.judge(web="web")
