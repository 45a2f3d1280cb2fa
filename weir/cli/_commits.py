"""What verbs that commit share: their arguments, what they say about commits, and the rollout that may follow."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence

from weir.cli._rollout import roll_out
from weir.cli._stack import settings_path
from weir.cli.format_status import format_units
from weir.flow.by_hand import Committed
from weir.flow.clusters import Clusters
from weir.flow.look import Present
from weir.flow.settings import read_settings_file
from weir.spec.artifact import short_revision
from weir.spec.identity import UnitId


def add_commit_arguments(parser: argparse.ArgumentParser) -> None:
    """`--message`, `--user`, `--dry-run` and `--wait`."""
    parser.add_argument("-m", "--message", default="", help="the commit message (default: what was done)")
    parser.add_argument(
        "--user",
        default="",
        metavar="PERSON",
        help="who asks for it, as 'Jane Doe <jane@example.com>'; commits, unless an ImageUpdateAutomation "
        "of the source says who does",
    )
    parser.add_argument("--dry-run", action="store_true", help="show the commit and do not make it")
    parser.add_argument("--wait", action="store_true", help="then run `weir up` and show how the units are")


def print_problems(present: Present) -> None:
    """What the stack declares and could not be read or rendered: the rest goes on."""
    for problem in present.problems:
        print(f"⚠ {problem}", file=sys.stderr)


def print_commits(commits: Sequence[Committed], *, dry_run: bool) -> None:
    """The diffs of a dry run, else where the commits are."""
    for done in commits:
        if dry_run:
            sys.stdout.write(f"► {done.source} would get this commit:\n{done.diff}")
        else:
            print(f"✔ {done.source}: pushed {short_revision(done.revision)}")


def after(args: argparse.Namespace, units: Collection[UnitId | None], *, pushed: bool) -> int:
    """The rollout when it is waited for; the exit code."""
    if not args.wait or args.dry_run or not pushed:
        return 0
    code = roll_out(args)
    config = read_settings_file(args.stack, settings_path(args))
    records = Clusters(config.cluster, config.options, config.name).records
    found = [record for unit in sorted(filter(None, units)) if (record := records.read_own(unit))]
    sys.stdout.write(format_units(found, all_namespaces=True))
    return code
