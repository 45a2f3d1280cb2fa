"""`weir check`: whether everything is there that a stack needs."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

from weir.cli._show import DATA, add_output_argument, show, show_data
from weir.cli._stack import add_stack_arguments, settings_path
from weir.cli.format import plain
from weir.flow import doctor
from weir.flow.clusters import Clusters
from weir.flow.doctor import Finding
from weir.flow.settings import read_settings_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = "Nothing is changed. Exit codes: 0 all checks passed, 1 some did not, 2 wrong usage."
    add_stack_arguments(parser, required=False)
    parser.add_argument(
        "--pre", action="store_true", help="only programs and cluster (without --stack, programs only)"
    )
    add_output_argument(parser, "text")


def run(args: argparse.Namespace) -> int:
    """Look at everything and say how it is."""
    found: list[Finding] = []
    for title, findings in _parts(args):
        if args.output not in DATA:
            show(f"► checking {title}\n")
        for finding in findings:
            found.append(finding)
            if args.output not in DATA:
                show(f"{'✔' if finding.ok else '✗'} {plain(finding.text)}\n")
    passed = all(finding.ok for finding in found)
    if args.output in DATA:
        show_data([{"ok": finding.ok, "message": finding.text} for finding in found], args.output)
    else:
        show("✔ all checks passed\n" if passed else "✗ some checks failed\n")
    return int(not passed)


def _parts(args: argparse.Namespace) -> Iterator[tuple[str, Iterable[Finding]]]:
    yield "prerequisites", doctor.programs()
    if args.stack is None:
        return
    path = settings_path(args)
    config = read_settings_file(args.stack, path)
    clusters = Clusters(config.cluster, config.options, config.name)
    yield "cluster", doctor.cluster(clusters)
    if not args.pre:
        yield f"stack {args.stack}", doctor.stack(clusters, config, path)
