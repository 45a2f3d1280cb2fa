"""`python -m benchmarks [ID ...] [--json] [--runs N] [--objects N] [--output FILE]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import bulk, hanging, images, monorepo, per_object, tags, watch
from benchmarks.session import Figure, Sample, Session, session
from benchmarks.table import markdown
from demo.stack import PROJECT

Run = Callable[[Session], Mapping[str, Sample]]

RUNS: Final[Mapping[tuple[str, ...], Run]] = {
    bulk.LIFE: bulk.life,
    ("B1.install_deployments", "P1.up_noop_deployments"): bulk.deployments,
    ("B5.monorepo", "B5.monorepo_warm"): monorepo.live,
    ("B9.select_10k",): tags.select,
    images.IDS: images.write_back,
    watch.IDLE: watch.idle,
    watch.DRIFT: watch.drift,
    ("B5.webhook_live",): watch.webhook,
    ("B6.cpu",): watch.polling,
    ("B7.chain",): watch.chain,
    ("B10.converge",): watch.crash,
    ("B10.hanging",): hanging.delay,
    ("P1.per_object_create",): per_object.create,
}
"""Which ids one run yields -> the run."""

ONCE: Final = frozenset({"P1.per_object_create", *watch.IDLE, "B6.cpu"})
"""Measured a single time, for minutes."""

UNITS: Final[Mapping[str, str]] = {
    "B9.requests": "requests",
    "B3.idle_cpu": "% of a core",
    "B3.idle_rss": "MB",
    "B6.cpu": "% of a core",
}
"""What is counted where it is not seconds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for and print it; exit code 2 for an id that does not exist."""
    known = [id_ for ids in RUNS for id_ in ids]
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID", help=f"one of {' '.join(known)} (default: all)")
    parser.add_argument("--json", action="store_true", help="one JSON object per line, and no table")
    parser.add_argument("--runs", type=int, default=3, help="repetitions; the median is reported (default 3)")
    parser.add_argument(
        "--objects", type=int, default=1000, help="objects of a unit, for a quick try (default 1000)"
    )
    parser.add_argument(
        "--output", type=Path, default=PROJECT / "docs" / "benchmarks.md", help="where the table goes"
    )
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.ids) - set(known))
    if unknown:
        parser.error(f"unknown id {unknown[0]}; known are {' '.join(known)}")
    figures = measure(frozenset(options.ids or known), options.runs, options.objects, as_json=options.json)
    if not options.json and not options.ids and options.objects == parser.get_default("objects"):
        options.output.parent.mkdir(exist_ok=True)
        options.output.write_text(markdown(figures, options.runs, datetime.now(UTC).date()))
        print(f"written to {options.output}")
    return 0


def measure(wanted: frozenset[str], runs: int, objects: int, *, as_json: bool) -> list[Figure]:
    """The figures asked for, each printed as soon as its runs are done."""
    figures: list[Figure] = []
    with session(objects) as box:
        for ids, run in RUNS.items():
            asked = [id_ for id_ in ids if id_ in wanted]
            if not asked:
                continue
            results = [run(box) for _ in range(1 if ONCE.issuperset(ids) else runs)]
            for id_ in asked:
                figures.append(Figure(id_, tuple(result[id_] for result in results), UNITS.get(id_, "s")))
                _print(figures[-1], as_json=as_json)
    return figures


def _print(figure: Figure, *, as_json: bool) -> None:
    found = figure.as_json()
    if as_json:
        print(json.dumps(found), flush=True)
        return
    unit = found["unit"]
    print(
        f"{found['id']:24} {found['value']:>8} {unit}   floor {found['floor']:>7} {unit}   ratio {found['ratio']}"
    )
    parts = found["parts"]
    assert isinstance(parts, dict)
    print("    " + "  ".join(f"{name} {value}" for name, value in parts.items()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
