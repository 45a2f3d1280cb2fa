"""`weir destroy`: remove everything that a stack owns, through the Pulumi engine.

The engine removes what the state holds. When the cluster remembers more, nothing is removed: it would be left behind
under a success.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from weir.cli._engine import EngineRequest, add_engine_arguments, request_of, run_engine
from weir.cli._orphans import orphan_refuser
from weir.edges.pulumi.project import EngineError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_engine_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask for the stack's name")


def run(args: argparse.Namespace) -> int:
    """Ask, then run the engine and give its exit code."""
    request = request_of("destroy", args)
    if not args.yes:
        _ask(request)
    allowed = {**request.environ, "WEIR_ALLOW_DELETE": "a person asked for it"}
    return run_engine(replace(request, environ=allowed), orphan_refuser(args))


def _ask(request: EngineRequest) -> None:
    """Let a person type the stack's name. Raises EngineError when there is nobody, or another name."""
    if not sys.stdin.isatty():
        raise EngineError(f"stack {request.stack}: found no --yes and nobody to ask", hint="pass --yes")
    what = f"the units {', '.join(map(str, request.targets))}" if request.targets else "everything"
    answer = input(f"This removes {what} of stack {request.stack} from the cluster. Type the stack's name: ")
    if answer.strip() != request.stack:
        raise EngineError(
            f"stack {request.stack}: found {answer[:100]!r}; nothing was removed", hint="type its name"
        )
