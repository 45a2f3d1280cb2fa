"""`weir up`: bring the cluster to what Git says, through the Pulumi engine."""

from __future__ import annotations

import argparse

from weir.cli._engine import add_engine_arguments, request_of, run_engine
from weir.cli._orphans import orphan_finder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_engine_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the engine and give its exit code."""
    return run_engine(request_of("up", args), orphan_finder(args))
