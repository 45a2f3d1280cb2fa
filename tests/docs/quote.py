"""`python -m tests.docs.quote` puts the main figures of docs/benchmarks.md into the README."""

from __future__ import annotations

from typing import Final

from demo.stack import PROJECT

START: Final = "<!-- benchmarks: a test keeps these rows equal to those in docs/benchmarks.md -->"
STOP: Final = "<!-- /benchmarks -->"
WITHOUT: Final = "Figures come from `make bench`, which writes docs/benchmarks.md."

MAIN: Final = [
    "id",
    "B1.install",
    "P1.up_noop",
    "P1.up_one_line",
    "B5.live",
    "B1.prune",
    "B1.install_deployments",
    "P1.up_noop_deployments",
    "B9.commit",
    "B3.idle_cpu",
    "B3.idle_rss",
    "B4.p50",
    "B4.p95",
    "B5.webhook_live",
    "B6.cpu",
    "B7.chain",
    "P1.per_object_create",
]
"""What the rows begin with that answer the first questions of a reader."""


def figures() -> str:
    """The line that says when and where, and the main rows; or where figures come from when there are none."""
    page = PROJECT / "docs" / "benchmarks.md"
    if not page.exists():
        return WITHOUT
    lines = page.read_text().splitlines()
    measured = [line for line in lines if line.startswith("Measured ")]
    table = [line for line in lines if line.startswith("|") and _is_main(line)]
    rest = "How, the other figures, and the parts of each: [docs/benchmarks.md](docs/benchmarks.md)."
    return "\n".join([*measured, rest, "", *table])


def _is_main(line: str) -> bool:
    first = line.split("|")[1].strip()
    return first in MAIN or set(first) == {"-"}


def main() -> None:
    """Rewrite the block in place."""
    readme = PROJECT / "README.md"
    text = readme.read_text()
    start, stop = text.index(START) + len(START), text.index(STOP)
    readme.write_text(f"{text[:start]}\n{figures()}\n{text[stop:]}")


if __name__ == "__main__":
    main()
