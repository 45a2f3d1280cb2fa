"""Writes `out.yaml` of every golden case again. Read the difference before committing it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.golden.cases import CASES, rendered_text


def main() -> None:
    """Render and write."""
    for case in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            (case / "out.yaml").write_text(rendered_text(case, Path(scratch)))


if __name__ == "__main__":
    main()
