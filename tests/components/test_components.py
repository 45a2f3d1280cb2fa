"""The components as wiring: what is registered, under which names, and what depends on what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.cluster import Cluster
from components.kustomization import Kustomization
from components.source import Source, without_credentials
from tests.support import echo
from weir.spec.documents import read_documents
from weir.spec.git_repository import parse_git_repository
from weir.spec.identity import UnitId
from weir.spec.stack import ClusterConfig

SOURCE = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {interval: 1m, url: "https://bot:hunter2@git.example.com/fleet.git?token=hunter3"}
"""


def registered(build: Callable[[], object]) -> dict[str, dict[str, Any]]:
    """The state of every resource that `build` registers, by `type::name`."""
    found = echo.registered(build, "weir")
    names = {name.removeprefix("pulumi:pulumi:Stack$"): state for name, state in found.items()}
    return {name: state for name, state in names.items() if not name.startswith("pulumi:pulumi:Stack::")}


def test_a_source_is_one_dynamic_resource_inside_its_component() -> None:
    spec = parse_git_repository(read_documents(SOURCE, "fleet.yaml")[0])
    found = registered(lambda: Source("flux-system/fleet", {"spec": spec}))
    assert set(found) == {
        "weir:index:Source::flux-system/fleet",
        "weir:index:Source$pulumi-python:dynamic/weir:GitRepository::flux-system/fleet",
    }
    state = found["weir:index:Source$pulumi-python:dynamic/weir:GitRepository::flux-system/fleet"]
    assert state["unit"] == "GitRepository/flux-system/fleet"
    assert "hunter" not in str(state)


def test_a_kustomization_is_one_resource_of_the_plugin_inside_its_component() -> None:
    unit = UnitId("Kustomization", "flux-system", "apps")
    args: Any = {"unit": unit, "source": "GitRepository/flux-system/fleet", "orphan": False}
    found = registered(lambda: Kustomization("flux-system/apps", args))
    name = "weir:index:Kustomization$weir:kustomize:Kustomization::flux-system/apps"
    assert set(found) == {"weir:index:Kustomization::flux-system/apps", name}
    assert {key: value for key, value in found[name].items() if value is not None} == {
        "unit": "Kustomization/flux-system/apps",
        "source": "GitRepository/flux-system/fleet",
    }


def test_a_cluster_without_wishes_registers_nothing_but_itself() -> None:
    found = registered(lambda: Cluster("test", {"config": ClusterConfig()}))
    assert set(found) == {"weir:index:Cluster::test"}


def test_a_cluster_makes_the_namespaces_and_tenants_it_is_asked_for() -> None:
    config = ClusterConfig(namespaces=("team-a",), service_accounts=("team-a/deployer",))
    found = registered(lambda: Cluster("test", {"config": config}))
    kinds = {key.split("$", 1)[1] for key in found if "$" in key}
    assert kinds == {
        "pulumi:providers:kubernetes::test",
        "kubernetes:core/v1:Namespace::team-a",
        "kubernetes:core/v1:ServiceAccount::team-a/deployer",
        "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding::team-a/deployer",
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@git.example.com/a/b.git", "https://git.example.com/a/b.git"),
        ("https://git.example.com:8443/a?access_token=secret#x", "https://git.example.com:8443/a"),
        ("ssh://git@git.example.com/a/b.git", "ssh://git.example.com/a/b.git"),
    ],
)
def test_a_shown_url_holds_no_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
