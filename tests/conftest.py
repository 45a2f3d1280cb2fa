"""Fixtures for every test: one real control plane per session; per test one namespace, or one whole world."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.control_plane import fresh_namespace
from tests.support.git_server import GitServer
from tests.support.kube import Kube
from tests.support.sink import Sink, running_sink
from tests.support.world import World
from weir.edges.git import github_app
from weir.edges.http import budget
from weir.edges.local_cluster import LocalCluster, running_cluster

settings.register_profile("weir", deadline=None)
settings.load_profile("weir")


def pytest_configure() -> None:
    """Programs under test hear Ctrl-C, also where the tests run as a script's background job, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def fresh_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port of an earlier test's server may be given out again: what that server said is forgotten."""
    monkeypatch.setattr(budget, "_budgets", {})
    monkeypatch.setattr(github_app, "_tokens", {})


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One local cluster for the session; a test that stops its API server starts it again."""
    with running_cluster(tmp_path_factory.mktemp("control-plane") / "cluster") as cluster:
        yield cluster


@pytest.fixture
def kubeconfig(control_plane: LocalCluster) -> Path:
    """The administrator's kubeconfig of the session's cluster."""
    return control_plane.kubeconfig


@pytest.fixture
def kube(kubeconfig: Path) -> Kube:
    """An independent client for the session's cluster."""
    return Kube(kubeconfig)


@pytest.fixture
def namespace(kube: Kube, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own."""
    with fresh_namespace(kube, request.node.name.removeprefix("test_")) as name:
        yield name


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A service that takes everything."""
    with running_sink() as running:
        yield running


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    """A Git server without repositories."""
    folder = tmp_path / "git"
    folder.mkdir()
    with GitServer(folder) as server:
        yield server


@pytest.fixture
def world(tmp_path: Path, kubeconfig: Path, git_server: GitServer) -> Iterator[World]:
    """The world of an end-to-end test: the real engine, the session's API server, a real Git server."""
    made = World(tmp_path, kubeconfig, git_server)
    yield made
    made.close()
