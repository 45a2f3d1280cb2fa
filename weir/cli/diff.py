"""`weir diff`: what a commit, a branch, a pull request or a local folder would change, object by object."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from weir.cli._kinds import read_selection
from weir.cli._overrides import add_override_arguments, read_overrides
from weir.cli._stack import add_stack_arguments, open_stack
from weir.cli.format import OUTPUTS, format_diff
from weir.edges.runs import Run
from weir.flow.preview import plan_stack
from weir.spec.errors import SpecError, WeirError
from weir.spec.identity import UnitId

_EPILOG: Final = (
    "With units, plans of others are left out unless they are errors: these may be why a unit has no plan. "
    "Exit codes: 0 nothing would change, 1 something would change, 2 an error (shown with its unit)."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    add_stack_arguments(parser)
    parser.epilog = _EPILOG
    add_override_arguments(parser)
    parser.add_argument("-n", "--namespace", help="only units of this namespace (default: all of the stack)")
    parser.add_argument("-o", "--output", choices=OUTPUTS, default="table", help="form of the answer")
    parser.add_argument(
        "unit", nargs="*", help="only these units, as Kustomization/namespace/name or kustomization NAME"
    )


def run(args: argparse.Namespace) -> int:
    """Print the plan of the stack and tell by the exit code whether anything would change."""
    try:
        asked = _asked(args)
        every = list(plan_stack(open_stack(args, read_overrides(args))))
    except WeirError as err:
        print(f"✗ {err}", file=sys.stderr)
        return 2
    finally:
        Run.current().remove()
    found = {name: {plan.id for plan in every if means(plan.id)} for name, means in asked.items()}
    meant = frozenset().union(*found.values())
    plans = [plan for plan in every if not asked or plan.error or plan.id in meant]
    sys.stdout.write(format_diff(plans, args.output, stack=args.stack))
    missing = [name for name, units in found.items() if not units]
    for name in missing:
        print(f"✗ {_nothing(name)}", file=sys.stderr)
    if missing or any(plan.error for plan in plans):
        return 2
    return 0 if all(plan.changes.empty for plan in plans) else 1


def _asked(args: argparse.Namespace) -> dict[str, Callable[[UnitId], bool]]:
    """What is asked for, as it was said -> which units that means; empty for everything. Raises SpecError."""
    space: str | None = args.namespace
    if not args.unit:
        return {f"namespace {space}": lambda unit: unit.namespace == space} if space else {}
    if "/" in args.unit[0]:
        return {word: UnitId.parse(word).__eq__ for word in args.unit}
    selection = read_selection("weir diff", args.unit, space)
    if not selection.names:
        return {selection.word: selection.__contains__}
    return {
        f"{selection.word} {name}": replace(selection, names=(name,)).__contains__ for name in selection.names
    }


def _nothing(name: str) -> SpecError:
    hint = "see `weir get all -A`; a source has a plan only when it fails"
    return SpecError.at(name, "", found=None, expected="a unit of the stack with a plan", hint=hint)
