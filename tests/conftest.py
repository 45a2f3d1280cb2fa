"""Fixtures for every test: one real control plane per session, one namespace per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control_plane import fresh_namespace
from tests.support.kube import Kube
from weir.edges.local_cluster import LocalCluster, running_cluster


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
