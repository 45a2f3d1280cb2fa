"""`weir get sources|kustomizations|all`: the units of a stack and how they are, in Flux's columns."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Final

from weir.cli._stack import add_stack_arguments, settings_path
from weir.cli.format_status import format_units
from weir.flow.clusters import Clusters
from weir.flow.settings import read_settings_file
from weir.spec.record import UnitRecord

_KINDS: Final = {
    "sources": ("GitRepository",),
    "kustomizations": ("Kustomization",),
    "ks": ("Kustomization",),
    "all": ("GitRepository", "Kustomization"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("what", choices=sorted(_KINDS))
    parser.add_argument("kind", nargs="?", choices=["git", "all"], help="with sources: which kind of source")
    add_stack_arguments(parser)
    parser.add_argument("-n", "--namespace", help="only units of this namespace")
    parser.add_argument(
        "-A", "--all-namespaces", action="store_true", help="show the namespace of every unit"
    )
    parser.add_argument("--show-source", action="store_true", help="show the source of every unit")
    parser.add_argument("--no-header", action="store_true", help="leave out the column titles")
    parser.add_argument(
        "-o", "--output", choices=["table", "json"], default="table", help="form of the answer"
    )


def run(args: argparse.Namespace) -> int:
    """Print the units as the cluster's records have them."""
    config = read_settings_file(args.stack, settings_path(args))
    clusters = Clusters(config.cluster, config.options, config.name)
    records = [
        record
        for record in clusters.records.read_all()
        if record.id.kind in _KINDS[args.what] and args.namespace in (None, record.id.namespace)
    ]
    if args.output == "json":
        sys.stdout.write(json.dumps([_as_json(record) for record in records], indent=2) + "\n")
        return 0
    text = format_units(
        records,
        all_namespaces=args.all_namespaces,
        with_kind=args.what == "all",
        show_source=args.show_source,
        header=not args.no_header,
    )
    if not text:
        print(f"no {args.what} found in stack {args.stack}", file=sys.stderr)
    sys.stdout.write(text)
    return 0


def _as_json(record: UnitRecord) -> dict[str, Any]:
    ready = record.ready
    return {
        "kind": record.id.kind,
        "namespace": record.id.namespace,
        "name": record.id.name,
        "source": record.source,
        "revision": record.revision,
        "attempted": record.attempted,
        "suspended": record.suspended,
        "ready": ready.status if ready else "Unknown",
        "reason": ready.reason if ready else "",
        "message": ready.message if ready else "",
        "objects": [str(item) for item, _ in record.inventory],
    }
