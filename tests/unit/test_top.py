"""The kustomization a unit starts from: the one in its folder, or the one Flux would generate there."""

from __future__ import annotations

import pytest

from tests.property.strategies import Link, MemoryTree, config_map
from weir.render.closure import close
from weir.render.layout import Layout
from weir.render.top import find_top
from weir.spec.errors import PathError

LINKED = {
    "a.yaml": config_map("a"),
    "b.yaml": Link("other/b.txt"),
    "other/b.txt": config_map("b"),
    "sub/kustomization.yaml": Link("../hidden/kustomization.txt"),
    "sub/c.yaml": config_map("c"),
    "hidden/kustomization.txt": "resources: [../sub/c.yaml]\nnamePrefix: x-\n",
}


def test_a_path_that_the_artifact_does_not_hold_is_told_apart() -> None:
    with pytest.raises(PathError):
        find_top(Layout(MemoryTree(LINKED)), "nowhere")


def test_links_count_only_where_a_path_names_them() -> None:
    top = find_top(Layout(MemoryTree(LINKED)), "")
    assert top.data["resources"] == ["./a.yaml", "./sub/c.yaml"]
    told = "not read: a symbolic link, which counts only where a path names it"
    assert top.warnings == (f"b.yaml: {told}", f"sub/kustomization.yaml: {told}")


def test_a_unit_whose_kustomization_is_a_link_gets_a_generated_one() -> None:
    top = find_top(Layout(MemoryTree(LINKED)), "sub")
    assert (top.generated, top.data["resources"]) == (True, ["./c.yaml"])


def files_of(content: dict[str, str]) -> tuple[str, ...]:
    """What a build of the folder `top` reads."""
    layout = Layout(MemoryTree(content))
    return close(layout, find_top(layout, "top")).files


def test_a_folder_that_a_kustomization_names_may_have_a_link_for_its_own() -> None:
    content = {**LINKED, "top/kustomization.yaml": "resources: [../sub, ../b.yaml]\n"}
    assert files_of(content) == ("other/b.txt", "sub/c.yaml")
    beside = {**content, "sub/Kustomization": "resources: [d.yaml]\n", "sub/d.yaml": config_map("d")}
    assert files_of(beside) == ("other/b.txt", "sub/d.yaml"), "a file goes before a link"


def test_yaml_files_with_capital_endings_are_left_out_with_a_warning() -> None:
    top = find_top(Layout(MemoryTree({"a.yaml": config_map("a"), "sub/B.YAML": config_map("b")})), "")
    assert top.data["resources"] == ["./a.yaml"]
    assert top.warnings == ("sub/B.YAML: not read: only .yaml and .yml, in lower case, are",)
