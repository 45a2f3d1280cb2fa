"""`weir version`: of Weir, of the programs that it starts, and of the stack's cluster."""

from __future__ import annotations

import argparse
from importlib import metadata

from weir.cli._show import DATA, add_output_argument, show, show_data
from weir.cli._stack import add_stack_arguments, settings_path
from weir.flow.clusters import Clusters
from weir.flow.doctor import kubernetes_version, tool_versions
from weir.flow.settings import read_settings_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = "Exit codes: 0 shown, 1 the cluster gives no answer, 2 wrong usage."
    add_stack_arguments(parser, required=False)
    parser.add_argument("--client", action="store_true", help="do not ask the cluster (as without --stack)")
    add_output_argument(parser, "text")


def run(args: argparse.Namespace) -> int:
    """Print the versions."""
    versions = {"weir": f"v{metadata.version('weir')}", **tool_versions()}
    if args.stack is not None and not args.client:
        config = read_settings_file(args.stack, settings_path(args))
        clusters = Clusters(config.cluster, config.options, config.name)
        versions["kubernetes"] = kubernetes_version(clusters.main)
    if args.output in DATA:
        show_data(versions, args.output)
    else:
        show("".join(f"{name}: {version}\n" for name, version in versions.items()))
    return 0
