"""`weir explain COMMIT`: the first thing that keeps a commit from being live."""

from __future__ import annotations

import argparse
import sys

from weir.cli._commits import print_problems
from weir.cli._show import DATA, add_output_argument, show, show_data
from weir.cli._stack import add_stack_arguments, open_stack
from weir.cli.format_explain import explanation_as_data, format_explanation
from weir.edges.runs import Run
from weir.flow.find_commit import explain_commit
from weir.flow.look import look
from weir.spec.errors import WeirError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = "Exit codes: 0 the commit is live everywhere, 1 something keeps it back, 2 an error."
    parser.add_argument("commit", metavar="COMMIT", help="a hash, or its first digits (4 or more)")
    add_stack_arguments(parser)
    add_output_argument(parser, "text")


def run(args: argparse.Namespace) -> int:
    """Ask the servers, the stack and the cluster, and say how far the commit came."""
    try:
        session = open_stack(args)
        present = look(session)
        print_problems(present)
        found = explain_commit(session, present, args.commit.lower())
    except WeirError as err:
        print(f"✗ {err}", file=sys.stderr)
        return 2
    finally:
        Run.current().remove()
    if args.output in DATA:
        show_data(explanation_as_data(found), args.output)
    else:
        show(format_explanation(found))
    return int(found.obstacle is not None)
