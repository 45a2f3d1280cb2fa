"""`weir events`: what happened to the units of a stack, as far as the cluster remembers."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable

from weir.cli._kinds import KINDS, kind_of
from weir.cli._show import DATA, add_output_argument, print_trouble, show, show_data, show_row, write
from weir.cli._stack import add_stack_arguments, settings_path
from weir.cli.format_events import TYPES, event_as_data, format_events
from weir.edges.kube.events import read_events
from weir.flow.clusters import Clusters
from weir.flow.news import follow_events
from weir.flow.settings import read_settings_file
from weir.spec.errors import SpecError
from weir.spec.event import Event
from weir.spec.identity import UnitId


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = (
        "The API server forgets events after an hour. "
        "Exit codes: 0 shown, 1 they cannot be read, 2 wrong usage."
    )
    add_stack_arguments(parser)
    parser.add_argument("-n", "--namespace", help="only units of this namespace (default: all of the stack)")
    parser.add_argument(
        "-A", "--all-namespaces", action="store_true", help="show the namespace of every unit"
    )
    parser.add_argument(
        "--for",
        dest="unit",
        metavar="KIND[/NAME]",
        help="only this unit and its source, as Kustomization/apps, or those of a kind",
    )
    parser.add_argument(
        "--types",
        type=_types,
        action="extend",
        default=[],
        metavar="TYPES",
        help="only these: Normal, Warning or both",
    )
    parser.add_argument("-w", "--watch", action="store_true", help="go on, and show each event as it comes")
    parser.add_argument("--no-header", action="store_true", help="leave out the column titles")
    add_output_argument(parser, "table")


def _types(text: str) -> tuple[str, ...]:
    known = {name.lower(): name for name in TYPES.values()}
    found = tuple(known.get(part.strip().lower(), "") for part in text.split(","))
    if not all(found):
        raise argparse.ArgumentTypeError(f"found {text}, expected Normal, Warning or Normal,Warning")
    return found


def run(args: argparse.Namespace) -> int:
    """Print events, the oldest first."""
    config = read_settings_file(args.stack, settings_path(args))
    clusters = Clusters(config.cluster, config.options, config.name)
    wanted = _filter(args, clusters)
    if args.watch:
        return _watch(args, filter(wanted, follow_events(clusters, config, print_trouble)))
    space = config.cluster.record_namespace
    events = [event for event in read_events(clusters.main, space, config.name) if wanted(event)]
    if args.output in DATA:
        show_data([event_as_data(event) for event in events], args.output)
    elif events:
        shown = {"all_namespaces": args.all_namespaces, "header": not args.no_header}
        show(format_events(events, time.time(), **shown))
    else:
        print(f"no events found in stack {args.stack}", file=sys.stderr)
    return 0


def _filter(args: argparse.Namespace, clusters: Clusters) -> Callable[[Event], bool]:
    """Which events are asked for; those of a unit's source belong to the unit. Raises WeirError."""
    only, units = _meant(args.unit, clusters) if args.unit else ("", None)

    def wanted(event: Event) -> bool:
        return (
            args.namespace in (None, event.unit.namespace)
            and (not args.types or TYPES[event.severity] in args.types)
            and only in ("", event.unit.kind)
            and (units is None or (event.unit.kind, event.unit.name) in units)
        )

    return wanted


def _meant(text: str, clusters: Clusters) -> tuple[str, set[tuple[str, str]] | None]:
    """The kind that `--for KIND` means, or the unit of `--for KIND/NAME` and its sources. Raises WeirError."""
    word, slash, name = text.partition("/")
    kind = kind_of(word)
    if not slash and kind in KINDS:
        return kind, None
    if not word or not name or "/" in name:
        expected = "a kind or Kind/name, such as Kustomization/apps"
        raise SpecError.at("--for", "", found=text, expected=expected)
    records = [one for one in clusters.records.read_all() if (one.id.kind, one.id.name) == (kind, name)]
    sources = (UnitId.parse(one.source) for one in records if one.source)
    return "", {(kind, name), *((source.kind, source.name) for source in sources)}


def _watch(args: argparse.Namespace, events: Iterable[Event]) -> int:
    """Print each event as it comes, until Ctrl-C."""
    titled = not args.no_header
    for event in events:
        if args.output in DATA:
            write(json.dumps(event_as_data(event)) + "\n")
            continue
        head, row = format_events([event], time.time(), all_namespaces=args.all_namespaces).splitlines()
        show_row(head, row, titled=titled)
        titled = False
    return 0
