"""`weir stats`: how many units of each kind there are, and how they are."""

from __future__ import annotations

import argparse

from weir.cli._kinds import RECORDED
from weir.cli._show import DATA, add_output_argument, show, show_data
from weir.cli._stack import add_namespace_arguments, add_stack_arguments, settings_path
from weir.cli.format_stats import format_stats, stats_as_data
from weir.edges.store import Store
from weir.flow.clusters import Clusters
from weir.flow.settings import read_settings_file
from weir.flow.stats import kind_stats


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = (
        "Storage is what this machine keeps of the artifacts. Exit codes: 0 shown, 1 failed, 2 wrong usage."
    )
    add_stack_arguments(parser)
    add_namespace_arguments(parser)
    add_output_argument(parser, "table")


def run(args: argparse.Namespace) -> int:
    """Print one row for each kind."""
    config = read_settings_file(args.stack, settings_path(args))
    records = [
        record
        for record in Clusters(config.cluster, config.options, config.name).records.read_all()
        if args.namespace in (None, record.id.namespace)
    ]
    store = Store.default()
    kinds = [kind_stats(kind, records, store) for kind in RECORDED]
    if args.output in DATA:
        show_data([stats_as_data(one) for one in kinds], args.output)
    else:
        show(format_stats(kinds))
    return 0
