"""`weir tree [kustomization NAME]`: what a unit owns and renders, or a whole stack."""

from __future__ import annotations

import argparse

from weir.cli._commits import print_problems
from weir.cli._kinds import kind_of, the_one
from weir.cli._show import DATA, add_output_argument, show, show_data
from weir.cli._stack import add_stack_arguments, open_stack
from weir.cli.format_tree import format_tree, tree_as_data
from weir.edges.runs import Run
from weir.flow.look import look
from weir.flow.object_tree import stack_tree, unit_tree


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = """Units are those that Git declares now, objects those that the last run left in the cluster.
Exit codes: 0 shown, 1 failed as the message says, 2 wrong usage."""
    parser.add_argument(
        "kind", nargs="?", metavar="KIND", help="kustomization; without it, the whole stack is shown"
    )
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="the unit's name")
    add_stack_arguments(parser)
    parser.add_argument("-n", "--namespace", help="the unit's namespace (default: any of the stack)")
    parser.add_argument("--compact", action="store_true", help="only units, no other objects")
    add_output_argument(parser, "tree")


def run(args: argparse.Namespace) -> int:
    """Draw the tree."""
    try:
        session = open_stack(args)
        present = look(session)
        records = {record.id: record for record in session.clusters.records.read_all()}
        print_problems(present)
        if args.kind is None:
            node = stack_tree(present, records, args.stack, compact=args.compact)
        else:
            unit = the_one(present.units, kind_of(args.kind), args.name, args.namespace)
            node = unit_tree(present, records, unit, compact=args.compact)
    finally:
        Run.current().remove()
    if args.output in DATA:
        show_data(tree_as_data(node), args.output)
    else:
        show(format_tree(node))
    return 0
