"""The world of a fault test: the real engine, a real API server, a real Git server, and proxies that spoil them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.git_server import GitServer
from tests.support.world import World


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    folder = tmp_path / "git"
    folder.mkdir()
    with GitServer(folder) as server:
        yield server


@pytest.fixture
def world(tmp_path: Path, kubeconfig: Path, git_server: GitServer) -> Iterator[World]:
    made = World(tmp_path, kubeconfig, git_server)
    yield made
    made.close()


@pytest.fixture
def proxy(tmp_path: Path, kubeconfig: Path) -> Iterator[FaultProxy]:
    """A proxy in front of the API server."""
    with FaultProxy.of_cluster(kubeconfig, tmp_path) as made:
        yield made


@pytest.fixture
def behind(world: World, proxy: FaultProxy) -> World:
    """A world whose stack reaches its cluster through the proxy; the judge does not."""
    world.stack.kubeconfig = proxy.kubeconfig
    world.stack.write_settings()
    return world
