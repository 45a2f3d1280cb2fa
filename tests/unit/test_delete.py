"""`weir delete`: one document leaves, every other byte stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from weir.cli import main
from weir.edit.documents import without_document
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId

UNIT = UnitId("Kustomization", "flux-system", "b")


def kustomization(name: str) -> str:
    return f"""apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec: {{interval: 1m, prune: true, sourceRef: {{kind: GitRepository, name: src}}}}  # {name}
"""


A, B, C = (kustomization(name) for name in "abc")
BLOCK = "a: |\n  text\n  --- no separator\n  ... no end\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{A}---\n{B}---\n{C}", f"{A}---\n{C}"),
        (f"---\n{A}---\n{B}", f"---\n{A}"),
        (f"{B}--- # next\n{A}", f"--- # next\n{A}"),
        (f"# head\n---\n{B}---\n{A}", f"# head\n---\n{A}"),
        (f"---\r\n{A}---\r\n{B}".replace("\n", "\r\n"), f"---\r\n{A}".replace("\n", "\r\n")),
        (f"{A}---\n{B}---\n# tail\n---\n\n", f"{A}---\n# tail\n---\n\n"),
        (f"---\n{B}---\n{BLOCK}", f"---\n{BLOCK}"),
        (f"---\n{B}---\n---a: 1\n", "---\n---a: 1\n"),
        (B, ""),
        (f"# head\n---\n{B}---\n# tail\n", ""),
    ],
    ids=[
        "middle",
        "last",
        "first",
        "comment first",
        "CRLF",
        "empty ones",
        "block",
        "keys with dashes",
        "only",
        "only beside comments",
    ],
)
def test_document_is_removed_with_its_separator(before: str, after: str) -> None:
    assert without_document(before.encode(), "t.yaml", UNIT).decode() == after


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (A, "no document of its own for Kustomization/flux-system/b"),
        (f"%YAML 1.2\n---\n{B}", "a directive or an end mark"),
        (f"{B}...\n---\n{A}", "a directive or an end mark"),
        ("kind: List\nitems:\n- " + B.replace("\n", "\n  ").rstrip() + "\n", "no document of its own"),
    ],
    ids=["absent", "directive", "end mark", "list"],
)
def test_file_that_cannot_be_edited_is_left_to_people(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        without_document(text.encode(), "t.yaml", UNIT)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "stacks" / "production"
    folder.mkdir(parents=True)
    settings = {"config": {"weir:objects": "production", "weir:cluster": {"kubeconfig": "/nowhere"}}}
    (tmp_path / "stacks" / "Pulumi.production.yaml").write_text(yaml.safe_dump(settings))
    (folder / "all.yaml").write_text(f"{A}---\n{B}")
    monkeypatch.chdir(tmp_path)
    return folder


def test_delete_edits_the_file_and_says_what_follows(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["delete", "kustomization", "b", "--stack", "production"]
    assert main(words) == 1
    assert "nobody to ask" in capsys.readouterr().err
    assert (stack / "all.yaml").read_text() == f"{A}---\n{B}"
    assert main([*words, "--silent"]) == 0
    assert "cannot be named now" in capsys.readouterr().out
    assert (stack / "all.yaml").read_text() == A
    assert main([*words, "--silent"]) == 1
    assert "when a repository declares it, remove it there" in capsys.readouterr().err


def test_file_that_holds_nothing_else_goes(stack: Path) -> None:
    (stack / "all.yaml").write_text(A)
    (stack / "b.yaml").write_text(B)
    assert main(["delete", "ks", "b", "--stack", "production", "--silent"]) == 0
    assert [path.name for path in stack.iterdir()] == ["all.yaml"]
