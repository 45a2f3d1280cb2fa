"""`weir diff`: what a commit, a branch, a pull request or a local folder would change, object by object."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from weir.cli._stack import add_stack_arguments, open_stack
from weir.cli.format import OUTPUTS, format_diff
from weir.edges.runs import Run
from weir.flow.preview import plan_stack
from weir.flow.work import Overrides
from weir.spec.errors import SpecError, WeirError

EVERY: Final = "*"
_EPILOG: Final = (
    "exit codes: 0 nothing would change, 1 something would change, 2 an error (shown with its unit)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    add_stack_arguments(parser)
    parser.epilog = _EPILOG
    parser.add_argument(
        "--ref",
        action="append",
        default=[],
        metavar="[SOURCE=]REF",
        help="look at this branch, tag, commit or full ref (refs/pull/7/head) instead of the sources' own; "
        "SOURCE is GitRepository/namespace/name, without it every source is meant",
    )
    parser.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="[SOURCE=]FOLDER",
        help="look at a local folder instead of what the sources hold",
    )
    parser.add_argument("-o", "--output", choices=OUTPUTS, default="table", help="form of the answer")
    parser.add_argument("unit", nargs="*", help="only these units, as Kustomization/namespace/name")


def run(args: argparse.Namespace) -> int:
    """Print the plan of the stack and tell by the exit code whether anything would change."""
    refs = dict(_pair(text) for text in args.ref)
    folders = {source: _folder(path) for source, path in (_pair(text) for text in args.path)}
    try:
        session = open_stack(args, Overrides(refs=refs, folders=folders))
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


def _pair(text: str) -> tuple[str, str]:
    source, equals, value = text.partition("=")
    if equals and source.count("/") == 2:  # noqa: PLR2004 - Kind/namespace/name
        return source, value
    return EVERY, text


def _folder(path: str) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise SpecError.at("--path", "", found=path, expected="a folder")
    return folder.resolve()
