"""What verbs about workloads share: which ones are meant, and what is said about each."""

from __future__ import annotations

import argparse
import sys

from weir.cli._commits import add_commit_arguments, after, print_commits, print_problems
from weir.cli._stack import add_stack_arguments
from weir.cli.format_images import format_results
from weir.edit.find_workload import WorkloadName
from weir.flow.look import Present
from weir.flow.workload_verbs import Request, find_place, run_request
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId

FORM = "as namespace:kind/name, such as prod:deployment/web"


def add_workload_arguments(parser: argparse.ArgumentParser) -> None:
    """The stack, the workloads, the repository, and what all commits take."""
    add_stack_arguments(parser)
    parser.add_argument(
        "-w",
        "--workload",
        action="append",
        default=[],
        metavar="WORKLOAD",
        help=f"{FORM}; may be repeated",
    )
    parser.add_argument(
        "--source",
        metavar="NAMESPACE/NAME",
        help="the GitRepository that holds them (default: that of the unit that renders them)",
    )
    add_commit_arguments(parser)


def source_of(args: argparse.Namespace) -> UnitId | None:
    """The GitRepository that is named, None when none is. Raises SpecError."""
    return None if args.source is None else named("--source", "GitRepository", args.source)


def named(flag: str, kind: str, text: str) -> UnitId:
    """The unit of a kind that `namespace/name` means. Raises SpecError."""
    namespace, slash, name = text.rpartition("/")
    if not slash or not namespace or not name or "/" in namespace:
        raise SpecError.at(flag, "", found=text, expected="namespace/name")
    return UnitId(kind, namespace, name)


def do(args: argparse.Namespace, present: Present, workloads: list[WorkloadName], request: Request) -> int:
    """Do it, say what came of it for each workload, and give the exit code."""
    source = source_of(args)
    print_problems(present)
    report = run_request(present, [find_place(present, workload, source) for workload in workloads], request)
    sys.stdout.write(format_results(report.results))
    print_commits(report.commits, dry_run=args.dry_run)
    units = {result.unit for result in report.results if result.status == "success"}
    code = after(args, units - {None}, pushed=bool(report.commits))
    return code or int(report.failed)
