"""A repository that Flux was bootstrapped with, as `weir:source`: its path is built as Flux builds it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.property.strategies import MemoryTree
from tests.support.stack import git_repository, kustomization
from weir.flow.bootstrap import left_to_its_unit
from weir.flow.load import Loaded, load_tree
from weir.flow.render import Rendered, build_folder, render_unit
from weir.flow.tree import UnitTree
from weir.render.emit import to_yaml
from weir.render.layout import Layout
from weir.spec.identity import UnitId
from weir.spec.kustomization import KustomizationSpec
from weir.spec.stack import SourceConfig

FLUX = "https://git.example.com/fleet.git"
ROOT = UnitId("Kustomization", "flux-system", "flux-system")
COMPONENTS = """apiVersion: v1
kind: Namespace
metadata: {name: flux-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: kustomize-controller, namespace: flux-system}
"""


def texts(*objects: dict[str, Any]) -> str:
    return "---\n".join(to_yaml(item) for item in objects)


def slower(name: str) -> str:
    patch = "- {op: replace, path: /spec/interval, value: 7m}"
    target = f"{{kind: Kustomization, name: {name}}}"
    return f"patches:\n- target: {target}\n  patch: |\n    {patch}\n"


SYNC = texts(
    git_repository("flux-system", FLUX), kustomization("flux-system", "flux-system", "./clusters/prod")
)
REPOSITORY = {
    "clusters/prod/flux-system/gotk-components.yaml": COMPONENTS,
    "clusters/prod/flux-system/gotk-sync.yaml": SYNC,
    "clusters/prod/flux-system/kustomization.yaml": "resources: [gotk-components.yaml, gotk-sync.yaml]\n"
    + slower("flux-system"),
    "clusters/prod/apps.yaml": texts(kustomization("apps", "flux-system", "./apps")),
    "clusters/prod/infra.yaml": texts(kustomization("infra", "flux-system", "./infra")),
}
OVERLAY = {
    "clusters/prod/kustomization.yaml": "resources: [flux-system, apps.yaml]\n" + slower("apps"),
}


def load(files: dict[str, str], scratch: Path, url: str = "ssh://git@git.example.com/fleet") -> Loaded:
    """The documents of the path, as a session reads them."""
    build = partial(build_folder, scratch_root=scratch, cache=None)
    loaded = load_tree(MemoryTree(files), "clusters/prod", build)
    source = SourceConfig(url=url, path="./clusters/prod")
    return left_to_its_unit(loaded, source, lambda spec: render(files, spec, scratch).children)


def render(files: dict[str, str], spec: KustomizationSpec, scratch: Path) -> Rendered:
    layout = Layout(MemoryTree(files))
    return render_unit(spec, layout, lookup=lambda *_: None, scratch_root=scratch, cache=None)


def with_root(**spec: Any) -> dict[str, str]:
    """The repository with these fields in the unit of the path."""
    root = kustomization("flux-system", "flux-system", "./clusters/prod", **spec)
    sync = texts(git_repository("flux-system", FLUX), root)
    apps = texts(kustomization("apps", "flux-system", "./apps/${stage}"))
    return {
        **REPOSITORY,
        "clusters/prod/flux-system/gotk-sync.yaml": sync,
        "clusters/prod/apps.yaml": apps if "postBuild" in spec else REPOSITORY["clusters/prod/apps.yaml"],
    }


WAIT = {"patch": "- {op: add, path: /spec/wait, value: true}", "target": {"kind": "Kustomization"}}
LESS = {
    "patch": "- {op: remove, path: /spec/patches}",
    "target": {"kind": "Kustomization", "name": "flux-system"},
}
"""Comes and goes: without it, it is there again."""


def declare(files: dict[str, str], loaded: Loaded, scratch: Path) -> UnitTree:
    """What a run declares: the documents of the path, then those that the unit of the path renders."""
    tree = UnitTree()
    tree.declare(loaded.documents)
    root = tree.units[ROOT].spec
    assert isinstance(root, KustomizationSpec)
    rendered = render(files, root, scratch)
    assert [item["kind"] for item in rendered.objects] == ["Namespace", "Deployment"]
    tree.declare(rendered.children, str(ROOT))
    return tree


def specs(tree: UnitTree) -> dict[str, dict[str, Any]]:
    """The spec of each Kustomization by name."""
    return {
        unit.name: one.document.data["spec"] for unit, one in tree.units.items() if unit.kind == ROOT.kind
    }


def names(loaded: Loaded) -> set[str]:
    """The files in which what is loaded stands."""
    return {document.file.rpartition("/")[2] for document in loaded.documents}


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (REPOSITORY, {"apps": "10m", "infra": "10m", "flux-system": "7m"}),
        ({**REPOSITORY, **OVERLAY}, {"apps": "7m", "flux-system": "7m"}),
    ],
    ids=["without", "with"],
)
def test_units_are_what_flux_builds_with_and_without_a_kustomization_of_the_path(
    files: dict[str, str], wanted: dict[str, str], tmp_path: Path
) -> None:
    loaded = load(files, tmp_path)
    assert loaded.problems == ()
    assert names(loaded) == {"gotk-sync.yaml"}
    tree = declare(files, loaded, tmp_path)
    assert tree.problems == []
    assert {name: spec["interval"] for name, spec in specs(tree).items()} == wanted
    apps = tree.units[UnitId("Kustomization", "flux-system", "apps")]
    assert (apps.parent, apps.document.file) == (str(ROOT), f"{ROOT}: clusters/prod/apps.yaml")


@pytest.mark.parametrize("files", [REPOSITORY, {**REPOSITORY, **OVERLAY}], ids=["without", "with"])
def test_a_path_that_no_unit_of_its_own_applies_is_built_as_well(
    files: dict[str, str], tmp_path: Path
) -> None:
    loaded = load(files, tmp_path, url="https://git.example.com/another")
    assert loaded.problems == ()
    tree = UnitTree()
    tree.declare(loaded.documents)
    assert specs(tree) == specs(declare(files, load(files, tmp_path), tmp_path))
    assert names(loaded) == {"gotk-sync.yaml", *(f"{name}.yaml" for name in specs(tree).keys() - {ROOT.name})}


def test_the_unit_of_the_path_may_change_itself_and_what_is_in_it(tmp_path: Path) -> None:
    files = with_root(patches=[WAIT], postBuild={"substitute": {"stage": "prod"}})
    tree = declare(files, load(files, tmp_path), tmp_path)
    assert tree.problems == []
    found = specs(tree)
    assert found["apps"]["path"] == "./apps/prod"
    assert all(spec["wait"] for spec in found.values())


def test_a_unit_of_the_path_that_goes_back_and_forth_is_a_problem(tmp_path: Path) -> None:
    files = with_root(patches=[LESS])
    tree = declare(files, load(files, tmp_path), tmp_path)
    assert "declared twice with different specs" in tree.problems[0].message


def test_a_suspended_unit_of_the_path_says_again_what_it_said_once(tmp_path: Path) -> None:
    now = with_root(suspend=True, timeout="2m")
    tree = UnitTree()
    tree.declare(load(now, tmp_path).documents)
    root = tree.units[ROOT].spec
    assert isinstance(root, KustomizationSpec)
    tree.declare(render(REPOSITORY, root, tmp_path).children, str(ROOT))
    assert tree.problems == []
    assert specs(tree)["flux-system"]["timeout"] == "2m"


def test_what_cannot_be_built_names_its_file_and_leaves_nothing_known(tmp_path: Path) -> None:
    files = {**REPOSITORY, "clusters/prod/flux-system/kustomization.yaml": "resources: [gone.yaml]"}
    loaded = load(files, tmp_path)
    assert loaded.documents == (), "what patches them is not known"
    assert loaded.problems[0].message.startswith(
        "clusters/prod/flux-system/kustomization.yaml: resources[0]: "
    )
