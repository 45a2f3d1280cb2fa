"""`weir trace KIND NAME...`: from live objects back to the commits that they come from."""

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
        "words",
        nargs="+",
        metavar="KIND NAME",
        help="a kind, plural or short name, such as deployment, and names; or KIND/NAME once or more",
    )
    parser.add_argument(
        "--kind", default="", help="the kind, when only names are given: NAME --kind=deployment"
    )
    add_stack_arguments(parser)
    parser.add_argument(
        "-n", "--namespace", help="the object's namespace (default: that of the one which the stack owns)"
    )
    parser.add_argument(
        "--api-version", default="", metavar="VERSION", help="where several kinds are called so: apps/v1"
    )
    add_output_argument(parser, "text")


def run(args: argparse.Namespace) -> int:
    """Show the ways back; of several objects as a list."""
    every = _wanted(args)
    with lazy_documents(args) as documents:
        session = documents.session
        access = Access(
            secrets=session.clusters.secret, allow_file_urls=session.config.options.allow_file_urls
        )
        traced = [trace(documents, wanted, access) for wanted in every]
    if args.output in DATA:
        found = [trace_as_data(one) for one in traced]
        show_data(found if len(found) > 1 else found[0], args.output)
    else:
        show("\n".join(format_trace(one, args.stack, time.time()) for one in traced))
    return 0


def _wanted(args: argparse.Namespace) -> list[Wanted]:
    """The objects that the arguments name. Raises SpecError."""
    words: list[str] = args.words
    if args.kind:
        pairs = [(args.kind, word) for word in words]
    elif "/" in words[0]:
        pairs = [(kind, name) for kind, _, name in (word.partition("/") for word in words)]
    else:
        pairs = [(words[0], name) for name in words[1:]]
    if not pairs or any(not kind or not name or "/" in name for kind, name in pairs):
        expected = "KIND NAME, KIND/NAME or NAME --kind=KIND"
        raise SpecError.at("weir trace", "", found=" ".join(words), expected=expected)
    return [
        Wanted(word=kind, name=name, namespace=args.namespace, api_version=args.api_version)
        for kind, name in pairs
    ]
