"""`weir diff` and `weir get`: what they print and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def installed(world: World) -> World:
    """A converged unit of two ConfigMaps."""
    world.commit({"web/a.yaml": [config_map(world.namespace, "a", LEVEL="info")]})
    world.commit({"web/b.yaml": [config_map(world.namespace, "b", LEVEL="info")]})
    world.units(web="./web")
    world.stack.up().must()
    return world


def test_diff_ends_with_0_1_or_2_as_nothing_something_or_an_error_was_found(installed: World) -> None:
    assert installed.stack.weir("diff").code == 0
    installed.commit({"web/a.yaml": [config_map(installed.namespace, "a", LEVEL="debug")]})
    changed = installed.stack.weir("diff")
    assert changed.code == 1
    assert f"ConfigMap/{installed.namespace}/a  data.LEVEL: info -> debug" in changed.out
    assert f"ConfigMap/{installed.namespace}/b" not in changed.out
    broken = installed.stack.weir("diff", "--ref", "no-such-branch")
    assert broken.code == 2
    assert "no-such-branch" in broken.out
    assert installed.stack.weir("diff", "--stack", "x", "--config-file", "/nowhere.yaml").code == 2


def test_diff_as_json_follows_the_documented_form(installed: World) -> None:
    installed.commit({"web/b.yaml": None})
    found = json.loads(installed.stack.weir("diff", "--output", "json").out)
    assert found["version"] == 1
    unit = found["units"][0]
    assert unit["unit"] == f"Kustomization/{installed.flux}/web"
    assert unit["unchanged"] == 1
    assert [(item["object"], item["action"]) for item in unit["changes"]] == [
        (f"ConfigMap/{installed.namespace}/b", "delete")
    ]


def test_diff_of_a_local_folder_shows_what_is_not_committed_yet(installed: World, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    (folder / "web").mkdir(parents=True)
    (folder / "web" / "a.yaml").write_text(
        (installed.tree / "web/a.yaml").read_text().replace("info", "warn")
    )
    (folder / "web" / "b.yaml").write_text((installed.tree / "web/b.yaml").read_text())
    found = installed.stack.weir("diff", "--path", str(folder))
    assert found.code == 1
    assert "data.LEVEL: info -> warn" in found.out
    assert installed.stack.weir("diff").code == 0


def test_diff_shows_what_goes_with_a_unit_that_is_no_longer_declared(installed: World) -> None:
    installed.units()
    found = installed.stack.weir("diff")
    assert found.code == 1
    assert f"delete    ConfigMap/{installed.namespace}/a" in found.out


def test_get_shows_fluxs_columns(installed: World) -> None:
    text = installed.stack.weir("get", "kustomizations").must().out
    titles, row = (line.split("\t") for line in text.splitlines())
    assert [title.strip() for title in titles] == ["NAME", "REVISION", "SUSPENDED", "READY", "MESSAGE"]
    cells = [cell.strip() for cell in row]
    assert cells[0] == "web"
    assert cells[1].startswith("main@sha1:")
    assert len(cells[1]) == len("main@sha1:") + 8
    assert cells[2:4] == ["False", "True"]
    assert cells[4] == f"Applied revision: {cells[1]}"
    everything = installed.stack.weir("get", "all", "-A").must().out
    assert everything.startswith("NAMESPACE")
    assert "gitrepository/apps" in everything
    assert "kustomization/web" in everything


def test_get_shows_why_a_unit_or_a_source_is_not_ready(installed: World) -> None:
    installed.commit({"web/a.yaml": "a: [\n"})
    installed.stack.up().must_fail()
    installed.server.stop()
    installed.stack.up().must_fail()
    source = installed.stack.weir("get", "sources").must().out.splitlines()[1]
    assert "False" in source
    assert "main@sha1:" in source
