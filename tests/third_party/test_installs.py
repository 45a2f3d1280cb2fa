"""Argo CD, cert-manager and Cluster API in full: deployed, unchanged, upgraded, removed with nothing left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tests.support import checker
from tests.support.checker import Expected
from tests.support.stack import changed as summary_changed
from tests.support.world import Obj, World
from tests.third_party import modules

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1200)]

ARGO_CD = ("github.com/argoproj/argo-cd/v2@v2.14.11", "github.com/argoproj/argo-cd/v3@v3.0.6")
CERT_MANAGER = ("v1.16.3", "v1.17.2")
CLUSTER_API = ("sigs.k8s.io/cluster-api@v1.8.10", "sigs.k8s.io/cluster-api@v1.9.5")
CORE, BOOTSTRAP, CONTROL = "config", "bootstrap/kubeadm/config", "controlplane/kubeadm/config"


def replace(world: World, files: Mapping[str, str]) -> None:
    """Commit a tree that holds exactly these files."""
    gone = {name: None for name in world.files if name not in files}
    world.commit({**gone, **files})


def whole_life(world: World, trees: Sequence[Mapping[str, str]], units: Mapping[str, str]) -> None:
    """Deploy one version, find it unchanged, move to the next, and remove it; judged after each step."""
    world.stack.settings["options"] = {"allowMassDelete": True}
    world.stack.write_settings()
    for files in trees:
        replace(world, files)
        world.stack.up(timeout=600).must()
        world.judge_units(expected(world, units))
        before = world.versions()
        again = world.stack.up().must()
        assert not summary_changed(again), again.out
        assert world.versions() == before
    world.stack.expect_clean()
    owned = set(world.checker.owned())
    world.stack.destroy(timeout=600).must()
    world.checker.wait_gone(owned, 60).must_hold()
    assert world.checker.owned() == {}


def expected(world: World, units: Mapping[str, str]) -> list[Expected]:
    return [Expected(name, checker.render(world.tree, path, {}), world.flux) for name, path in units.items()]


def namespace(name: str) -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n"


def overlay(space: str, *resources: str) -> str:
    lines = "".join(f"  - {item}\n" for item in resources)
    head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    return f"{head}namespace: {space}\nresources:\n{lines}"


def substituted(world: World, name: str, path: str, **spec: object) -> Obj:
    """A unit whose text has `${NAME:=default}` everywhere and no variable set."""
    return world.unit(name, path, postBuild={"substituteStrategy": "Always", "substitute": {}}, **spec)


def argo_cd(version: str) -> dict[str, str]:
    files = modules.texts(modules.module(version), ["manifests"])
    own = {
        "deploy/kustomization.yaml": overlay("argocd", "namespace.yaml", "../manifests/cluster-install"),
        "deploy/namespace.yaml": namespace("argocd"),
    }
    return {**files, **own}


def test_argo_cd(world: World) -> None:
    world.units(world.unit("argo-cd", "./deploy", timeout="3m"))
    whole_life(world, [argo_cd(version) for version in ARGO_CD], {"argo-cd": "deploy"})


def cert_manager(version: str) -> dict[str, str]:
    files = {"release.yaml": modules.cert_manager(version), "namespace.yaml": namespace("cert-manager")}
    return {f"deploy/{name}": text for name, text in files.items()}


def test_cert_manager(world: World) -> None:
    world.units(world.unit("cert-manager", "./deploy", timeout="3m"))
    whole_life(world, [cert_manager(version) for version in CERT_MANAGER], {"cert-manager": "deploy"})


def cluster_api(version: str) -> dict[str, str]:
    """The three providers of a release, and the definitions of cert-manager that they use."""
    files = modules.texts(modules.module(version), [CORE, BOOTSTRAP, CONTROL])
    release = modules.cert_manager(CERT_MANAGER[0])
    parts = [part for part in release.split("\n---\n") if "kind: CustomResourceDefinition" in part]
    return {**files, "definitions/crds.yaml": "\n---\n".join(parts)}


def test_cluster_api(world: World) -> None:
    after = [{"name": "definitions"}]
    units = {"core": f"{CORE}/default", "bootstrap": f"{BOOTSTRAP}/default", "control": f"{CONTROL}/default"}
    documents = [substituted(world, name, f"./{path}", dependsOn=after) for name, path in units.items()]
    world.units(world.unit("definitions", "./definitions", wait=True), *documents)
    everything = {"definitions": "definitions", **units}
    whole_life(world, [cluster_api(version) for version in CLUSTER_API], everything)
