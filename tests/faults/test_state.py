"""R27: a state that is lost, cut, garbled or a week old is never an empty stack: nothing is recreated or deleted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.git_server import GitServer
from tests.support.invariants import expect_whole, uids
from tests.support.world import World, config_map, deployment, service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

UNITS = {"base": "base", "web": "web"}


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, control_plane: object
) -> Iterator[tuple[World, FaultProxy]]:
    """One converged stack of two units behind a proxy; each test leaves it converged."""
    folder: Path = tmp_path_factory.mktemp("state")
    (folder / "git").mkdir()
    kubeconfig: Path = control_plane.kubeconfig  # type: ignore[attr-defined]
    with GitServer(folder / "git") as server, FaultProxy.of_cluster(kubeconfig, folder) as proxy:
        world = World(folder, kubeconfig, server)
        world.stack.kubeconfig = proxy.kubeconfig
        world.stack.write_settings()
        ns = world.namespace
        world.commit(
            {
                "base/all.yaml": [config_map(ns, f"base-{n}", A="1") for n in range(10)],
                "web/all.yaml": [config_map(ns, "web", A="1"), deployment(ns, "web"), service(ns, "web")],
            }
        )
        declare(world)
        world.stack.up().must()
        expect_whole(world, **UNITS)
        yield world, proxy
        world.close()


def declare(world: World, *extra: str) -> None:
    base = world.unit("base", "./base")
    web = world.unit("web", "./web", wait=True, dependsOn=[{"name": "base"}])
    world.units(base, web, *(world.unit(name, f"./{name}") for name in extra))


def nothing_happened(world: World, proxy: FaultProxy, before: dict[str, str]) -> None:
    """One `weir up` later everything is whole, nothing was recreated, and nobody asked for a deletion."""
    proxy.seen.clear()
    world.stack.up().must()
    expect_whole(world, **UNITS)
    assert uids(world) == before
    assert [one.path for one in proxy.writes() if one.method == "DELETE"] == []


def cut(share: float) -> Callable[[Path], None]:
    def damage(state: Path) -> None:
        raw = state.read_bytes()
        state.write_bytes(raw[: int(len(raw) * share)])

    return damage


def flip(state: Path) -> None:
    """One byte inverted in the middle: no JSON any more, or JSON that says something else."""
    raw = bytearray(state.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    state.write_bytes(bytes(raw))


def delete(state: Path) -> None:
    state.unlink()


def without_copies(damage: Callable[[Path], None]) -> Callable[[Path], None]:
    """The same, with every backup and history entry gone as well: only the records in the cluster are left."""

    def both(state: Path) -> None:
        for path in state.parent.glob(f"{state.name}.*"):
            path.unlink()
        for name in ("backups", "history"):
            shutil.rmtree(state.parents[2] / name, ignore_errors=True)
        damage(state)

    return both


DAMAGES = {
    "deleted": delete,
    "emptied": cut(0),
    "cut in half": cut(0.5),
    "cut at 99 percent": cut(0.99),
    "one byte flipped": flip,
    "deleted with all copies": without_copies(delete),
    "cut in half with all copies": without_copies(cut(0.5)),
}


OFTEN = {"deleted", "cut at 99 percent"}
"""Those that every `make test` does; `make faults` does the others."""
ALL = [pytest.param(how, marks=() if how in OFTEN else pytest.mark.faults) for how in DAMAGES]


@pytest.mark.parametrize("how", ALL)
def test_after_one_up_nothing_is_recreated_nor_deleted(shared: tuple[World, FaultProxy], how: str) -> None:
    world, proxy = shared
    before = uids(world)
    DAMAGES[how](world.stack.state_file)
    nothing_happened(world, proxy, before)


def test_all_of_the_backend_gone_is_healed_by_one_up(shared: tuple[World, FaultProxy]) -> None:
    world, proxy = shared
    before = uids(world)
    shutil.rmtree(world.stack.backend / ".pulumi")
    nothing_happened(world, proxy, before)
    world.stack.expect_clean()


def test_a_week_old_state_neither_forgets_nor_brings_back(shared: tuple[World, FaultProxy]) -> None:
    world, proxy = shared
    ns = world.namespace
    old = world.stack.state_file.read_bytes()
    objects = [config_map(ns, f"base-{n}", A="2") for n in range(1, 12)]
    world.commit({"base/all.yaml": objects, "late/a.yaml": [config_map(ns, "late", A="1")]})
    declare(world, "late")
    world.stack.up().must()
    expect_whole(world, **UNITS, late="late")
    before = uids(world)
    world.stack.state_file.write_bytes(old)
    proxy.seen.clear()
    world.stack.up().must()
    expect_whole(world, **UNITS, late="late")
    assert uids(world) == before
    assert [one.path for one in proxy.writes() if one.method == "DELETE"] == []
    declare(world)
    world.stack.up().must()
    expect_whole(world, **UNITS)


def test_a_lost_state_still_prunes_what_git_dropped_meanwhile(shared: tuple[World, FaultProxy]) -> None:
    world, _ = shared
    ns = world.namespace
    world.commit({"base/all.yaml": [config_map(ns, f"base-{n}", A="3") for n in range(2, 12)]})
    without_copies(delete)(world.stack.state_file)
    world.stack.up().must()
    assert world.gone("v1", "ConfigMap", "base-1")
    expect_whole(world, **UNITS)


def test_the_state_is_written_for_its_owner_only(shared: tuple[World, FaultProxy]) -> None:
    world, _ = shared
    assert world.stack.state_file.stat().st_mode & 0o077 == 0
