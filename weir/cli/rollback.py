"""`weir rollback`: bring a unit's files back to an earlier revision by a commit."""

from __future__ import annotations

import argparse
import sys

from weir.cli._commits import add_commit_arguments, after, print_commits, print_problems
from weir.cli._stack import add_stack_arguments, open_stack
from weir.edges.runs import Run
from weir.flow.look import look
from weir.flow.rollback import roll_back
from weir.spec.artifact import short_revision
from weir.spec.identity import UnitId


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    add_stack_arguments(parser)
    parser.add_argument("unit", help="the unit, as Kustomization/namespace/name")
    parser.add_argument(
        "--to",
        default="",
        metavar="REVISION",
        help="a revision of its history, or a commit (default: the last good one that differs)",
    )
    add_commit_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Commit, unless nothing differs or it is a dry run."""
    try:
        present = look(open_stack(args))
        print_problems(present)
        done = roll_back(
            present,
            UnitId.parse(args.unit),
            to=args.to,
            message=args.message,
            user=args.user,
            dry_run=args.dry_run,
        )
    finally:
        Run.current().remove()
    if done.committed is None:
        print(f"{done.unit}: its files are as they were at {short_revision(done.revision)}")
    for warning in done.warnings:
        print(f"⚠ {warning}", file=sys.stderr)
    print_commits([done.committed] if done.committed else [], dry_run=args.dry_run)
    return after(args, [done.unit], pushed=done.committed is not None)
