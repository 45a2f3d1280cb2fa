"""R03, R05, R08, R09: when the source fails, the last good artifact goes on being applied, and nothing is deleted."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.canary import everything_under
from tests.support.invariants import expect_whole, uids
from tests.support.world import Obj, World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


def app(world: World, value: str, count: int = 5) -> dict[str, list[Obj]]:
    return {"web/a.yaml": [config_map(world.namespace, f"m-{n}", A=value) for n in range(count)]}


def installed(world: World) -> dict[str, str]:
    world.commit(app(world, "1"))
    world.units(web="./web")
    world.stack.up().must()
    return uids(world)


def drift(world: World) -> None:
    """A person's changes that the next run corrects: one object deleted, one edited."""
    world.rest.delete("v1", "ConfigMap", world.namespace, "m-0")
    world.edit(config_map(world.namespace, "m-1"), {"data": {"A": "by-hand"}})


def corrected(world: World) -> None:
    assert world.live("v1", "ConfigMap", "m-0")["data"] == {"A": "1"}
    assert world.live("v1", "ConfigMap", "m-1")["data"] == {"A": "1"}


def revoked(world: World) -> None:
    world.server.authorization = "Basic bm9ib2R5Om5vYm9keQ=="


def server_error(world: World) -> None:
    world.server.trouble.status = 503


def branch_deleted(world: World) -> None:
    world.repo.git("update-ref", "-d", "refs/heads/main")


def unreachable(world: World) -> None:
    world.server.stop()


OUTAGES: dict[str, Callable[[World], None]] = {
    "auth": revoked,
    "503": server_error,
    "main": branch_deleted,
    "127.0.0.1": unreachable,
}
"""A word that the error must hold, and what goes wrong."""


def repaired(world: World, head: str) -> None:
    world.server.authorization = ""
    world.server.trouble.status = 0
    world.repo.git("update-ref", "refs/heads/main", head)


@pytest.mark.faults
def test_drift_is_still_corrected_from_the_last_artifact(world: World) -> None:
    installed(world)
    head = world.repo.head()
    for word, spoil in OUTAGES.items():
        drift(world)
        spoil(world)
        told = world.stack.up()
        assert word in told.out.lower(), told.out
        assert f"GitRepository/{world.flux}/apps" in told.out
        assert "Traceback" not in told.out
        corrected(world)
        assert len(uids(world)) == 5
        repaired(world, head)


@pytest.mark.slow
def test_the_server_comes_back_and_the_next_run_moves_on(world: World) -> None:
    installed(world)
    world.server.stop()
    world.commit(app(world, "2"))
    world.stack.up()
    assert world.live("v1", "ConfigMap", "m-2")["data"] == {"A": "1"}
    world.server.start()
    world.stack.up().must()
    expect_whole(world, web="web")


def test_a_path_that_vanishes_from_git_deletes_nothing(world: World) -> None:
    before = installed(world)
    world.commit({"web/a.yaml": None, "elsewhere/a.yaml": [config_map(world.namespace, "else", A="1")]})
    failed = world.stack.up().must_fail()
    assert "web" in failed.out
    assert uids(world) == before


def test_an_empty_render_is_refused_until_it_is_asked_for(world: World) -> None:
    before = installed(world)
    world.commit({"web/a.yaml": "# nothing here any more\n"})
    failed = world.stack.up().must_fail()
    assert "weir.dev/allow-empty" in failed.out
    assert "allowEmpty" in failed.out
    assert uids(world) == before
    unit = world.unit("web", "./web")
    unit["metadata"]["annotations"] = {"weir.dev/allow-empty": "true"}
    world.units(unit)
    world.stack.up().must()
    world.checker.wait_gone(set(world.checker.owned())).must_hold()


@pytest.mark.slow
def test_more_than_half_of_a_unit_is_not_deleted_unless_asked_for(world: World) -> None:
    before = installed(world)
    world.commit(app(world, "1", count=2))
    failed = world.stack.up().must_fail()
    assert "allowMassDelete" in failed.out
    assert uids(world) == before
    world.stack.settings["options"] = {"allowMassDelete": True}
    world.stack.write_settings()
    world.stack.up().must()
    expect_whole(world, web="web")


@pytest.mark.slow
def test_a_download_cut_anywhere_or_altered_is_never_applied(world: World) -> None:
    """Cut at tenths of the answer, then with one byte inverted: refused each time, the old content stays."""
    installed(world)
    noise = config_map(world.namespace, "noise", A=secrets.token_hex(1000))
    world.commit({**app(world, "2"), "web/noise.yaml": [noise]})
    size = 1000  # at least, for what does not compress
    for tenth in range(10):
        world.server.trouble.cut_after = size * tenth // 10
        told = world.stack.up()
        assert "Traceback" not in told.out
        assert world.live("v1", "ConfigMap", "m-2")["data"] == {"A": "1"}, tenth
    world.server.trouble.cut_after = -1
    world.server.trouble.flip_at = size // 2
    told = world.stack.up()
    assert f"GitRepository/{world.flux}/apps" in told.out
    assert world.live("v1", "ConfigMap", "m-2")["data"] == {"A": "1"}
    world.server.trouble.flip_at = -1
    world.stack.up().must()
    expect_whole(world, web="web")


def evicted(path: Path) -> None:
    path.unlink()


def truncated(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-10])


def edited(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"A: '1'", b"A: '6'"))


@pytest.mark.slow
def test_a_cached_artifact_that_was_tampered_with_is_fetched_again(world: World) -> None:
    installed(world)
    for how in (evicted, truncated, edited):
        files = (path for path in everything_under(world.stack.cache) if path.is_file())
        stored = [path for path in files if b"name: m-0" in path.read_bytes()]
        assert stored, "the artifact is in the cache as the source held it"
        for path in stored:
            path.parent.chmod(0o700)
            how(path)
        world.rest.delete("v1", "ConfigMap", world.namespace, "m-0")
        world.stack.up().must()
        expect_whole(world, web="web")
        assert {world.live("v1", "ConfigMap", f"m-{n}")["data"]["A"] for n in range(5)} == {"1"}
