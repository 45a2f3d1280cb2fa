"""No function over 40 lines, no component __init__ over 60, no file over 400."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("weir", "components", "provider", "demo", "benchmarks", "tests", "tools")
MAX_FUNCTION = 40
MAX_COMPONENT_INIT = 60
MAX_FILE = 400

FILES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")) + sorted(
    ROOT.glob("*.py")
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_and_functions_stay_small(file: Path) -> None:
    text = file.read_text()
    assert list(too_long(text, components=file.is_relative_to(ROOT / "components"))) == []


def test_a_long_function_and_a_long_file_are_found() -> None:
    body = "    pass\n" * MAX_FUNCTION
    assert list(too_long(f"def f():\n{body}", components=False)) == ["line 1: f has 41 lines"]
    assert list(too_long(f"def __init__():\n{body}", components=True)) == []
    assert list(too_long("x = 1\n" * 401, components=False)) == ["the file has 401 lines"]


def too_long(text: str, *, components: bool) -> Iterator[str]:
    if len(text.splitlines()) > MAX_FILE:
        yield f"the file has {len(text.splitlines())} lines"
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        allowed = MAX_COMPONENT_INIT if components and node.name == "__init__" else MAX_FUNCTION
        if lines > allowed:
            yield f"line {node.lineno}: {node.name} has {lines} lines"
