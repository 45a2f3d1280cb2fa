"""S41: a unit reaches no other namespace's secrets, and other references only while the stack allows it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.stack import git_repository, kustomization
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

VALUE = "other-tenants-value-81d4"


@pytest.fixture
def tenants(world: World) -> Iterator[tuple[World, str]]:
    """Two Flux namespaces; the second holds a Secret and a source that are not the first one's business."""
    other = f"{world.flux}-b"
    for name in (world.flux, other):
        world.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "theirs", "namespace": other},
        "data": {"theirs": base64.b64encode(VALUE.encode()).decode()},
    }
    world.rest.apply(secret)
    yield world, other
    for name in (world.flux, other):
        world.rest.delete("v1", "Namespace", "", name)


def refused(world: World, *documents: dict[str, Any], word: str) -> None:
    """The run fails and says why, the unit beside it converges, and nothing of the other tenant shows."""
    world.units(world.unit("mine", "./mine"), *documents)
    failed = world.stack.up().must_fail()
    assert word in failed.out
    assert "Traceback" not in failed.out
    assert VALUE not in failed.out
    assert VALUE not in world.stack.state_file.read_text()
    assert world.live("v1", "ConfigMap", "mine")["data"] == {"A": "1"}
    for name in ("taken",):
        found = world.rest.get("v1", "ConfigMap", world.namespace, name)
        assert found is None or VALUE not in str(found)


def test_secrets_of_another_namespace_are_out_of_reach(tenants: tuple[World, str]) -> None:
    """Neither a namespace field nor a path in a name leads there."""
    world, other = tenants
    ns = world.namespace
    world.commit(
        {
            "mine/a.yaml": [config_map(ns, "mine", A="1")],
            "app/a.yaml": [config_map(ns, "taken", A="${theirs}")],
        }
    )
    for reference in (
        {"kind": "Secret", "name": "theirs"},
        {"kind": "Secret", "name": f"../{other}/secrets/theirs"},
    ):
        refused(world, world.unit("app", "./app", postBuild={"substituteFrom": [reference]}), word="app")
    with_field = {"kind": "Secret", "name": "theirs", "namespace": other}
    refused(world, world.unit("app", "./app", postBuild={"substituteFrom": [with_field]}), word="namespace")
    config = {"secretRef": {"name": "theirs", "namespace": other}}
    refused(world, world.unit("app", "./app", kubeConfig=config), word="namespace")
    source = git_repository("far", world.repo.url, namespace=world.flux)
    source["spec"]["secretRef"] = {"name": "theirs", "namespace": other}
    refused(world, source, kustomization("app", "far", "./app", namespace=world.flux), word="namespace")


@pytest.mark.slow
def test_references_to_units_of_another_namespace_are_forbidden_when_the_stack_says_so(
    tenants: tuple[World, str],
) -> None:
    world, other = tenants
    ns = world.namespace
    world.stack.settings["options"] = {"noCrossNamespaceRefs": True}
    world.stack.write_settings()
    world.commit(
        {"mine/a.yaml": [config_map(ns, "mine", A="1")], "app/a.yaml": [config_map(ns, "taken", A="1")]}
    )
    source = git_repository("far", world.repo.url, namespace=other)
    theirs = kustomization("app", "far", "./app", namespace=world.flux)
    theirs["spec"]["sourceRef"]["namespace"] = other
    refused(world, source, theirs, word="noCrossNamespaceRefs")
    there = kustomization("there", "far", "./nothing", namespace=other)
    waits = world.unit("app", "./app", dependsOn=[{"name": "there", "namespace": other}])
    refused(world, source, there, waits, word="noCrossNamespaceRefs")
    assert world.gone("v1", "ConfigMap", "taken")


def test_a_tenants_account_bounds_what_its_unit_may_do(tenants: tuple[World, str]) -> None:
    """The unit acts as its ServiceAccount, in reads too: the objects of others stay as they are."""
    world, other = tenants
    ns = world.namespace
    world.commit(
        {
            "mine/a.yaml": [config_map(ns, "mine", A="1")],
            "app/a.yaml": [config_map(other, "taken", A="1"), config_map(world.flux, "own", A="1")],
        }
    )
    account = {"name": "deployer", "namespace": world.flux}
    world.rest.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": account,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", **account}],
    }
    world.rest.apply(binding)
    refused(world, world.unit("app", "./app", serviceAccountName="deployer"), word="forbidden")
    assert world.rest.get("v1", "ConfigMap", other, "taken") is None
    assert world.rest.get("v1", "ConfigMap", world.flux, "own") is None, "nothing of the stage is applied"
    refused(world, world.unit("app", "./app", serviceAccountName="nobody-here"), word="nobody-here")
    assert world.rest.get("v1", "ConfigMap", world.flux, "own") is None


def test_a_tenant_declares_no_unit_in_another_namespace_that_its_account_may_not_create(
    tenants: tuple[World, str],
) -> None:
    """Such a source would send the other's credentials to where it likes, such a unit act as the other's account."""
    world, other = tenants
    account = {"name": "tenant", "namespace": world.flux}
    world.rest.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    rbac = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", **account}

    def bind(namespace: str, role: str) -> None:
        ref = {"apiGroup": rbac, "kind": "ClusterRole", "name": role}
        meta = {"name": f"{world.flux}-{role}", "namespace": namespace}
        binding = {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": meta}
        world.rest.apply({**binding, "roleRef": ref, "subjects": [subject]})

    bind(world.namespace, "admin")
    far = git_repository("far", world.repo.url, namespace=other)
    far["spec"]["secretRef"] = {"name": "theirs"}
    own = world.unit("own", "./own", serviceAccountName="tenant")
    files = {
        "mine/a.yaml": [config_map(world.namespace, "mine", A="1")],
        "tenant/units.yaml": [own],
        "own/a.yaml": [config_map(world.namespace, "own", A="1")],
    }
    world.commit({**files, "tenant/far.yaml": [far]})
    tenant = world.unit("tenant", "./tenant", serviceAccountName="tenant")
    refused(world, tenant, word=f"may not create; move it to namespace {world.flux}")
    assert not [item for item in world.stack.units() if "own" in item]
    role = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": f"{other}-sources"}}
    rule = {"apiGroups": ["source.toolkit.fluxcd.io"], "resources": ["gitrepositories"], "verbs": ["create"]}
    world.rest.apply({**role, "rules": [rule]})
    bind(other, f"{other}-sources")
    world.commit({"tenant/far.yaml": [git_repository("far", world.repo.url, namespace=other)]})
    world.stack.up().must()
    assert world.live("v1", "ConfigMap", "own")["data"] == {"A": "1"}
    world.rest.delete(f"{rbac}/v1", "ClusterRole", "", f"{other}-sources")
