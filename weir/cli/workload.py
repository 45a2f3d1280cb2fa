"""`weir automate|deautomate|lock|unlock`: what a workload's annotations say about its images, by a commit."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from weir.cli._stack import open_stack
from weir.cli._workloads import add_workload_arguments, do
from weir.edges.runs import Run
from weir.edit import workload_commands
from weir.edit.changes import Edited
from weir.edit.find_workload import Found, WorkloadName
from weir.edit.workload_commands import Released
from weir.flow.look import look
from weir.flow.workload_verbs import Request
from weir.spec.errors import SpecError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of all four verbs; of a lock, message and user are kept beside it."""
    add_workload_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Commit what the verb says about the workloads."""
    if not args.workload:
        raise SpecError.at(f"weir {args.verb}", "--workload", found=None, expected="one workload or more")
    edits: dict[str, Callable[[Found], Edited]] = {
        "automate": workload_commands.automate,
        "deautomate": workload_commands.deautomate,
        "lock": partial(workload_commands.lock, message=args.message, user=args.user),
        "unlock": workload_commands.unlock,
    }
    edit = edits[args.verb]

    def command(found: Found) -> Released:
        return Released(edit(found), ())

    workloads = [WorkloadName.parse(text) for text in args.workload]
    request = Request(
        title=args.verb.capitalize(),
        command=command,
        message=args.message,
        user=args.user,
        dry_run=args.dry_run,
    )
    try:
        return do(args, look(open_stack(args)), workloads, request)
    finally:
        Run.current().remove()
