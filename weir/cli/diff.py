"""`weir diff`: what a commit, a branch, a pull request or a local folder would change, object by object."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from weir.cli._overrides import add_override_arguments, read_overrides
from weir.cli._stack import add_stack_arguments, open_stack
from weir.cli.format import OUTPUTS, format_diff
from weir.edges.runs import Run
from weir.flow.preview import plan_stack
from weir.spec.errors import WeirError

_EPILOG: Final = (
    "exit codes: 0 nothing would change, 1 something would change, 2 an error (shown with its unit)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    add_stack_arguments(parser)
    parser.epilog = _EPILOG
    add_override_arguments(parser)
    parser.add_argument("-o", "--output", choices=OUTPUTS, default="table", help="form of the answer")
    parser.add_argument("unit", nargs="*", help="only these units, as Kustomization/namespace/name")


def run(args: argparse.Namespace) -> int:
    """Print the plan of the stack and tell by the exit code whether anything would change."""
    overrides = read_overrides(args)
    try:
        session = open_stack(args, overrides)
        plans = [plan for plan in plan_stack(session) if not args.unit or str(plan.id) in args.unit]
    except WeirError as err:
        print(f"✗ {err}", file=sys.stderr)
        return 2
    finally:
        Run.current().remove()
    sys.stdout.write(format_diff(plans, args.output, stack=args.stack))
    if any(plan.error for plan in plans):
        return 2
    return 0 if all(plan.changes.empty for plan in plans) else 1
