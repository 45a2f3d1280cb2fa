"""Proxies that spoil the world of a fault test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.world import World


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
