"""`weir logs`: what the watcher of a stack on this machine says."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from weir.cli._kinds import kind_of
from weir.cli._show import DATA, as_data, write
from weir.cli._stack import add_namespace_arguments, add_stack_arguments
from weir.cli.format_age import epoch
from weir.cli.format_logs import LEVELS, LogFilter, format_entry, read_entry
from weir.edges.log_lines import follow_lines, read_lines
from weir.edges.pulumi.project import check_stack_name
from weir.spec.duration import parse_duration
from weir.watch.journal import log_file

Entry = Mapping[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = (
        "The watcher's files on this machine are read; of one in a cluster, see `kubectl logs`. "
        "Exit codes: 0 shown, 1 there is no log, 2 wrong usage."
    )
    add_stack_arguments(parser)
    parser.add_argument("--level", choices=LEVELS, default="", help="only this level")
    parser.add_argument("--kind", type=kind_of, default="", help="only units of this kind")
    parser.add_argument("--name", default="", help="only units of this name")
    add_namespace_arguments(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on, and show each line as it comes")
    parser.add_argument(
        "--tail", type=_count, metavar="LINES", help="only the last so many (default: all, as is -1)"
    )
    parser.add_argument(
        "--since", type=_ago, metavar="DURATION", help="only what is younger than this, such as 5m"
    )
    parser.add_argument(
        "--since-time", type=_moment, metavar="TIME", help="only what is younger, in RFC 3339"
    )
    parser.add_argument("-o", "--output", choices=["text", *DATA], default="text", help="form of each line")


def _count(text: str) -> int | None:
    if text != "-1" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"found {text}, expected 0 or more, or -1 for all")
    return None if text == "-1" else int(text)


def _ago(text: str) -> float:
    try:
        return time.time() - parse_duration(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(f"found {text}, expected {err}") from err


def _moment(text: str) -> float:
    found = epoch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"found {text}, expected a time such as 2026-01-31T12:00:00Z")
    return found


def run(args: argparse.Namespace) -> int:
    """Print the lines that are asked for, the oldest first."""
    path = log_file(check_stack_name(args.stack))
    older = path.with_suffix(".old.jsonl")
    if not path.exists() and not older.exists() and not args.follow:
        print(f"✗ {path}: found no log; `weir watch --stack {args.stack}` writes it", file=sys.stderr)
        return 1
    wanted = LogFilter(
        level=args.level,
        kind=args.kind,
        name=args.name,
        namespace=args.namespace,
        since=max(filter(None, (args.since, args.since_time)), default=None),
    )
    lines = follow_lines(path) if args.follow else itertools.chain(read_lines(path), [None])
    _print_all(itertools.chain(read_lines(older), lines), wanted, args)
    return 0


def _print_all(lines: Iterable[str | None], wanted: LogFilter, args: argparse.Namespace) -> None:
    """Print what is there, or the last of it, then what comes: the first None is the end of what is there."""
    waiting: deque[Entry] = deque(maxlen=args.tail)
    there = True
    for line in lines:
        entry = read_entry(line) if line is not None else None
        if entry is not None and wanted.lets_through(entry):
            waiting.append(entry)
        there = there and line is not None
        while waiting and (args.tail is None or not there):
            _print(waiting.popleft(), args.output)


def _print(entry: Entry, output: str) -> None:
    match output:
        case "json":
            write(json.dumps(entry) + "\n")
        case "yaml":
            write(as_data([dict(entry)], output))
        case _:
            write(format_entry(entry))
