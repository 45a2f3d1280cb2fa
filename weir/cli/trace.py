"""`weir trace KIND NAME`: from a live object back to the commit that it comes from."""

from __future__ import annotations

import argparse
import time

from weir.cli._show import DATA, add_output_argument, show, show_data
from weir.cli._stack import add_stack_arguments, lazy_documents
from weir.cli.format_trace import format_trace, trace_as_data
from weir.flow.trace import Wanted, trace
from weir.flow.write_work import Access
from weir.spec.errors import SpecError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = "Exit codes: 0 shown, 1 failed as the message says, 2 wrong usage."
    parser.add_argument(
        "kind", metavar="KIND", help="a kind, plural or short name, such as deployment; or KIND/NAME"
    )
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="the object's name")
    add_stack_arguments(parser)
    parser.add_argument(
        "-n", "--namespace", help="the object's namespace (default: that of the one which the stack owns)"
    )
    parser.add_argument(
        "--api-version", default="", metavar="VERSION", help="where several kinds are called so: apps/v1"
    )
    add_output_argument(parser, "text")


def run(args: argparse.Namespace) -> int:
    """Show the way back."""
    word, _, inside = args.kind.partition("/")
    name = args.name or inside
    if not name or (args.name and inside):
        raise SpecError.at("weir trace", "NAME", found=name or None, expected="one name")
    wanted = Wanted(word=word, name=name, namespace=args.namespace, api_version=args.api_version)
    with lazy_documents(args) as documents:
        session = documents.session
        access = Access(
            secrets=session.clusters.secret, allow_file_urls=session.config.options.allow_file_urls
        )
        traced = trace(documents, wanted, access)
    if args.output in DATA:
        show_data(trace_as_data(traced), args.output)
    else:
        show(format_trace(traced, args.stack, time.time()))
    return 0
