"""Where a stack's documents come from."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.property.strategies import Link, MemoryTree
from weir.edges.local_folder import import_folder
from weir.edges.store import Store
from weir.flow.load import load_folder, load_tree
from weir.render.layout import Layout
from weir.spec.documents import Document, read_documents
from weir.spec.errors import ArtifactError, RenderError

GOOD = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {interval: 1m, url: "https://git.example.com/fleet.git"}
"""


def unbuilt(_: Layout, folder: str) -> Sequence[Document]:
    raise RenderError(f"{folder}: found to be built")


def test_files_are_read_in_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.yaml", "a.yml", "deep/c.YAML", "notes.txt"):
        (tmp_path / name).write_text(GOOD.replace("fleet,", f"{name[0] if '/' not in name else 'c'},"))
    loaded = load_folder(tmp_path)
    assert [document.data["metadata"]["name"] for document in loaded.documents] == ["a", "b", "c"]
    assert loaded.problems == ()


def test_one_unreadable_file_is_one_problem_and_the_others_count(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [1\n")
    (tmp_path / "good.yaml").write_text(GOOD)
    loaded = load_folder(tmp_path)
    assert len(loaded.documents) == 1
    assert len(loaded.problems) == 1
    assert "bad.yaml: line 2" in loaded.problems[0].message


def test_what_cannot_be_read_is_a_problem_and_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "link.yaml").symlink_to("nowhere.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refuse(place: str) -> Iterator[os.DirEntry[str]]:
        if Path(place).name == "closed":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)
    loaded = load_folder(tmp_path)
    assert len(loaded.documents) == 1
    assert [problem.message for problem in loaded.problems] == [
        f"{tmp_path}/link.yaml: found 'No such file or directory', expected a readable file",
        f"{tmp_path}/pipe.yaml: found 'a pipe or device', expected a file",
        f"{tmp_path}/closed: found 'Permission denied', expected a readable folder",
    ]
    with pytest.raises(ArtifactError, match="closed: Permission denied; make it readable"):
        import_folder(Store.default(), tmp_path)


def test_a_linked_folder_is_a_problem_and_a_linked_file_is_read(tmp_path: Path) -> None:
    shared, stack = tmp_path / "shared", tmp_path / "stack"
    (shared / "apps").mkdir(parents=True)
    stack.mkdir()
    (shared / "apps" / "web.yaml").write_text(GOOD)
    (stack / "good.yaml").symlink_to("../shared/apps/web.yaml")
    (stack / "apps").symlink_to("../shared/apps")
    (stack / "gone").symlink_to("../shared/gone")
    (stack / "notes").symlink_to("/dev/null")
    loaded = load_folder(stack)
    assert [document.file for document in loaded.documents] == ["stack/good.yaml"]
    assert [problem.message.partition("; ")[0] for problem in loaded.problems] == [
        f"{stack}/apps: found 'a link to the folder ../shared/apps', expected a folder",
        f"{stack}/gone: found 'No such file or directory', expected a readable file or folder",
    ]


def test_links_of_a_source_are_read_or_named() -> None:
    links = {
        "flux/linked.yaml": "../shared/apps/web.yaml",
        "flux/text": "notes.txt",
        "flux/apps": "../shared/apps",
        "flux/gone": "../shared/gone",
        "flux/out.yaml": "../../web.yaml",
        "elsewhere": "nowhere",
    }
    files = {
        "flux/a.yaml": GOOD,
        "flux/notes.txt": "",
        "shared/apps/web.yaml": GOOD.replace("fleet,", "web,"),
    }
    loaded = load_tree(
        MemoryTree(files | {name: Link(target) for name, target in links.items()}), "flux", unbuilt
    )
    assert [document.file for document in loaded.documents] == ["flux/a.yaml", "flux/linked.yaml"]
    assert [problem.message.partition("; ")[0] for problem in loaded.problems] == [
        "flux/apps: found 'a link to the folder ../shared/apps', expected a folder",
        "flux/gone: found 'a link to ../shared/gone, where nothing is', expected a link to a file",
        "flux/out.yaml: found 'flux/out.yaml', where a symbolic link leaves the artifact",
    ]


def test_a_unit_whose_group_is_misspelt_is_no_plain_object() -> None:
    bad = "{apiVersion: kustomize.toolkit.fluxcd.oi/v1, kind: Kustomization, metadata: {name: x}}"
    (problem,) = load_tree(MemoryTree({"a.yaml": GOOD, "b.yaml": bad}), "", unbuilt).problems
    assert problem.message == (
        "b.yaml: Kustomization/x: apiVersion: found 'kustomize.toolkit.fluxcd.oi/v1', "
        "expected one of Flux's API groups"
    )


def test_a_plain_object_beside_units_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "cm.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}")
    loaded = load_folder(tmp_path)
    assert loaded.documents == ()
    assert "ConfigMap/x" in loaded.problems[0].message
    assert "a Git path that a Kustomization applies" in loaded.problems[0].message


def test_a_kustomization_among_files_that_are_never_built_is_refused(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    text = "{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, resources: [good.yaml]}"
    (tmp_path / "kustomization.yaml").write_text(text)
    loaded = load_folder(tmp_path)
    assert len(loaded.documents) == 1
    assert "never built; weir:source builds a path of a repository" in loaded.problems[0].message


def test_a_folder_of_a_source_with_a_kustomization_is_what_it_builds_to() -> None:
    def build(_: Layout, folder: str) -> Sequence[Document]:
        if folder == "flux/bad":
            raise RenderError("flux/bad/kustomization.yaml: resources: found nothing")
        return read_documents(GOOD.replace("fleet,", "built,").encode(), folder)

    files = {f"flux/{name}.yaml": GOOD for name in ("a", "system/left-out", "system/deep/left-out", "bad/c")}
    files |= {f"flux/{folder}/Kustomization": "" for folder in ("system", "bad")}
    loaded = load_tree(MemoryTree(files), "flux", build)
    assert loaded.documents == ()
    assert [problem.message for problem in loaded.problems] == [
        "flux/bad/kustomization.yaml: resources: found nothing"
    ]
    del files["flux/bad/Kustomization"], files["flux/bad/c.yaml"]
    loaded = load_tree(MemoryTree(files), "flux", build)
    assert [document.file for document in loaded.documents] == ["flux/a.yaml", "flux/system"]


def test_a_missing_folder_is_a_problem_and_not_an_empty_stack(tmp_path: Path) -> None:
    loaded = load_folder(tmp_path / "nowhere")
    assert "expected a folder of Flux objects" in loaded.problems[0].message


FLEET = {f"{folder}{name}.yaml": GOOD.replace("fleet,", f"{name},") for folder, name in (
    (".flux/", "dot"), ("flux/", "plain"), ("flux/prod/", "deep"), ("fluxes/", "longer"), ("", "root"),
)}  # fmt: skip
ALL = ["dot", "plain", "deep", "longer", "root"]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (".flux", ["dot"]),
        ("./.flux/", ["dot"]),
        ("flux", ["plain", "deep"]),
        ("/flux//./prod/", ["deep"]),
        ("", ALL),
        ("./", ALL),
        ("/", ALL),
    ],
)
def test_a_source_is_read_below_its_path(path: str, names: list[str]) -> None:
    loaded = load_tree(MemoryTree(FLEET), path, unbuilt)
    assert sorted(document.data["metadata"]["name"] for document in loaded.documents) == sorted(names)
    assert loaded.problems == ()


@pytest.mark.parametrize("path", ["..", "../flux", "flux/../flux", ".flux/..", "flux\\prod", "flux\0"])
def test_a_path_out_of_the_source_is_a_problem_and_not_another_folder(path: str) -> None:
    loaded = load_tree(MemoryTree(FLEET), path, unbuilt)
    assert loaded.documents == ()
    assert [problem.message.partition(" expected ")[2].partition("\n")[0] for problem in loaded.problems] == [
        "a folder inside the source, with '/' between names"
    ]


def test_a_path_without_yaml_is_a_problem() -> None:
    loaded = load_tree(MemoryTree(FLEET), ".fluxes", unbuilt)
    assert "expected a folder with YAML files in the repository" in loaded.problems[0].message
