"""The world of an end-to-end test: the real engine, a real API server, a real Git server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
