"""`weir image list|policies|update`: which tags there are, what policies choose, and the edits of automations now."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from weir.cli._commits import print_problems
from weir.cli._show import DATA, show_data
from weir.cli._stack import add_stack_arguments, open_stack
from weir.cli._workloads import FORM, named
from weir.cli.format_images import format_policies, format_trees, policy_as_json, tree_as_json
from weir.cli.proposals import plan_proposal
from weir.edges.runs import Run
from weir.edit.find_workload import WorkloadName
from weir.flow.image_list import ImageTree, repository_trees, workload_trees
from weir.flow.image_status import policy_status
from weir.flow.image_update import Found, find_updates, push_updates
from weir.flow.images import Registries
from weir.flow.look import look
from weir.flow.outcome import AutomationOutcome
from weir.flow.session import Session
from weir.spec.artifact import short_revision
from weir.spec.errors import SpecError
from weir.spec.kinds import IMAGE_REPOSITORY

_LIMIT = 10
_WORKLOADS = ("WORKLOAD", "CONTAINER")
_REPOSITORIES = ("REPOSITORY", "POLICY")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = "Exit codes: 0 done, 1 a part of the answer is an error, 2 wrong usage."
    parser.add_argument("what", choices=["list", "policies", "update"])
    add_stack_arguments(parser)
    parser.add_argument(
        "-w",
        "--workload",
        action="append",
        default=[],
        metavar="WORKLOAD",
        help=f"list: only this one, {FORM}; may be repeated",
    )
    parser.add_argument(
        "--repository",
        metavar="NAMESPACE/NAME",
        help="list: the tags of an ImageRepository as its policies see them, instead of what runs",
    )
    parser.add_argument(
        "--limit", type=int, default=_LIMIT, help=f"list: how many tags, 0 for all (default: {_LIMIT})"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="update: show the commits and do not make them"
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=["table", *DATA],
        default="table",
        help="list, policies: form of the answer",
    )


def run(args: argparse.Namespace) -> int:
    """Print the answer; the exit code is 1 when a part of it is an error."""
    _check(args)
    workloads = [WorkloadName.parse(text) for text in args.workload]
    try:
        session = open_stack(args)
        match args.what:
            case "list":
                return _list(args, session, workloads)
            case "policies":
                return _policies(args, session)
            case _:
                return _update(args, session)
    finally:
        Run.current().remove()


def _check(args: argparse.Namespace) -> None:
    """Refuse what does not go together. Raises SpecError."""
    where = f"weir image {args.what}"
    of_lists = {"--workload": args.workload, "--repository": args.repository}
    for flag, value in of_lists.items() if args.what != "list" else ():
        if value:
            raise SpecError.at(where, flag, found=value, expected="nothing: it is for weir image list")
    if args.what != "update" and args.dry_run:
        raise SpecError.at(where, "--dry-run", found="it", expected="nothing: only update writes")
    if all(of_lists.values()):
        raise SpecError.at(where, "", found="both", expected="either --workload or --repository")
    if args.limit < 0:
        raise SpecError.at(where, "--limit", found=args.limit, expected="0 or more")


def _list(args: argparse.Namespace, session: Session, workloads: Sequence[WorkloadName]) -> int:
    registries = Registries(session.clusters)
    titles = _REPOSITORIES if args.repository else _WORKLOADS
    trees: list[ImageTree]
    if args.repository:
        unit = named("--repository", IMAGE_REPOSITORY, args.repository)
        trees = repository_trees(look(session), registries, unit, args.limit)
    else:
        trees = workload_trees(session.clusters, registries, workloads, args.limit)
    if args.output in DATA:
        show_data([tree_as_json(tree, titles) for tree in trees], args.output)
    else:
        sys.stdout.write(format_trees(trees, titles, time.time()))
        for warning in dict.fromkeys(text for tree in trees for text in tree.warnings):
            print(f"⚠ {warning}", file=sys.stderr)
    return int(any(tree.error for tree in trees))


def _policies(args: argparse.Namespace, session: Session) -> int:
    present = look(session)
    found = policy_status(present)
    print_problems(present)
    if args.output in DATA:
        show_data([policy_as_json(status) for status in found], args.output)
    elif found:
        sys.stdout.write(format_policies(found))
    else:
        print(f"no ImagePolicy found in stack {args.stack}", file=sys.stderr)
    return int(any(status.error for status in found))


def _update(args: argparse.Namespace, session: Session) -> int:
    found = find_updates(session)
    if found.policies:
        sys.stdout.write(format_policies(found.policies))
    for outcome in found.automations:
        _show(outcome)
    errors = [*found.problems]
    if args.dry_run:
        errors += [f"{outcome.id}: {outcome.error}" for outcome in found.automations if outcome.error]
    else:
        errors += _push(session, found)
    for error in errors:
        print(f"✗ {error}", file=sys.stderr)
    return int(bool(errors) or any(status.error for status in found.policies))


def _show(outcome: AutomationOutcome) -> None:
    for warning in outcome.warnings:
        print(f"⚠ {outcome.id}: {warning}", file=sys.stderr)
    if outcome.diff:
        sys.stdout.write(f"► {outcome.id}: commit to {outcome.branch}\n{outcome.diff}")
    elif not outcome.error:
        print(f"{outcome.id}: nothing to commit")


def _push(session: Session, found: Found) -> list[str]:
    """Push and say so; what went wrong comes back."""
    for outcome in found.automations:
        if outcome.commit and outcome.proposal:
            plan_proposal(session, outcome)
    errors = []
    for done in push_updates(session, found):
        unit = done.outcome.id
        if done.error:
            errors.append(f"{unit}: {done.error}")
        if done.revision:
            print(f"✔ {unit}: pushed {short_revision(done.revision)}")
        if done.pull_request:
            print(f"✔ {unit}: {done.pull_request}")
    return errors
