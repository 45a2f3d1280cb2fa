"""`python -m tests.docs.quote` puts the figures of docs/benchmarks.md into the README."""

from __future__ import annotations

from typing import Final

from demo.stack import PROJECT

START: Final = "<!-- benchmarks: a test keeps this block equal to the table in docs/benchmarks.md -->"
STOP: Final = "<!-- /benchmarks -->"
WITHOUT: Final = "Figures come from `make bench`, which writes docs/benchmarks.md."


def figures() -> str:
    """The line that says when and where, and the table; or where figures come from when there are none."""
    page = PROJECT / "docs" / "benchmarks.md"
    if not page.exists():
        return WITHOUT
    lines = page.read_text().splitlines()
    measured = [line for line in lines if line.startswith("Measured ")]
    table = [line for line in lines if line.startswith("|")]
    rest = "How, and the parts of each: [docs/benchmarks.md](docs/benchmarks.md)."
    return "\n".join([*measured, rest, "", *table])


def main() -> None:
    """Rewrite the block in place."""
    readme = PROJECT / "README.md"
    text = readme.read_text()
    start, stop = text.index(START) + len(START), text.index(STOP)
    readme.write_text(f"{text[:start]}\n{figures()}\n{text[stop:]}")


if __name__ == "__main__":
    main()
