"""A repository that Flux was bootstrapped with, as `weir:source`: its path is built as Flux builds it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.property.strategies import MemoryTree
from tests.support.stack import git_repository, kustomization
from weir.flow.load import Loaded, load_tree
from weir.flow.render import build_folder, render_unit
from weir.flow.tree import UnitTree
from weir.render.emit import to_yaml
from weir.render.layout import Layout
from weir.spec.identity import UnitId
from weir.spec.kustomization import KustomizationSpec

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


def load(files: dict[str, str], scratch: Path) -> Loaded:
    build = partial(build_folder, scratch_root=scratch, cache=None)
    return load_tree(MemoryTree(files), "clusters/prod", build)


def units(loaded: Loaded) -> dict[str, Any]:
    """The interval of each Kustomization by name."""
    found = (document.data for document in loaded.documents)
    return {item["metadata"]["name"]: item["spec"]["interval"] for item in found if "path" in item["spec"]}


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
    assert units(loaded) == wanted
    assert {document.file.rpartition("/")[2] for document in loaded.documents} == {
        "gotk-sync.yaml",
        *(f"{name}.yaml" for name in wanted.keys() - {"flux-system"}),
    }
    tree = UnitTree()
    tree.declare(loaded.documents)
    root = tree.units[ROOT].spec
    assert isinstance(root, KustomizationSpec)
    layout = Layout(MemoryTree(files))
    rendered = render_unit(root, layout, lookup=lambda *_: None, scratch_root=tmp_path, cache=None)
    assert [item["kind"] for item in rendered.objects] == ["Namespace", "Deployment"]
    assert tree.declare(rendered.children, str(ROOT)) == []
    assert tree.problems == []


def test_what_cannot_be_built_names_its_file_and_leaves_the_others(tmp_path: Path) -> None:
    files = {**REPOSITORY, "clusters/prod/flux-system/kustomization.yaml": "resources: [gone.yaml]"}
    loaded = load(files, tmp_path)
    assert units(loaded).keys() == {"apps", "infra"}
    assert loaded.problems[0].message.startswith(
        "clusters/prod/flux-system/kustomization.yaml: resources[0]: "
    )
