"""Whole units rendered, compared as text with what was read once and found right.

A case is a folder: `kustomization.yaml` (the unit), `in/` (the artifact) and `out.yaml`. To write `out.yaml` again
after a change that is meant: `python -m tests.golden.rewrite`; then read the difference.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.cases import CASES, rendered_text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_unit_renders_as_it_was_read(case: Path, tmp_path: Path) -> None:
    assert rendered_text(case, tmp_path) == (case / "out.yaml").read_text()


def test_there_are_cases() -> None:
    assert len(CASES) >= 5
