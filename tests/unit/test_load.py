"""Where a stack's documents come from."""

from __future__ import annotations

from pathlib import Path

from weir.flow.load import load_folder

GOOD = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {interval: 1m, url: "https://git.example.com/fleet.git"}
"""


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


def test_a_plain_object_beside_units_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "cm.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}")
    loaded = load_folder(tmp_path)
    assert loaded.documents == ()
    assert "ConfigMap/x" in loaded.problems[0].message
    assert "a Git path that a Kustomization applies" in loaded.problems[0].message


def test_a_missing_folder_is_a_problem_and_not_an_empty_stack(tmp_path: Path) -> None:
    loaded = load_folder(tmp_path / "nowhere")
    assert "expected a folder of Flux objects" in loaded.problems[0].message
