"""`weir watch`: keep a stack converged: commits, tags and drift are noticed within moments."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from weir.cli._stack import add_stack_arguments, open_stack, settings_path
from weir.edges.runs import Run
from weir.flow.clusters import Clusters
from weir.flow.settings import read_settings_file
from weir.watch.engine import Engine
from weir.watch.journal import Journal
from weir.watch.loop import Watcher


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    add_stack_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="write the log file only (see weir logs)")


def run(args: argparse.Namespace) -> int:
    """Watch until SIGTERM or Ctrl-C; 0 then."""
    config = read_settings_file(args.stack, settings_path(args))
    stop = threading.Event()
    journal = Journal(args.stack, quiet=args.quiet)
    watcher = Watcher(
        clusters=Clusters(config.cluster, config.options, config.name),
        journal=journal,
        open_session=lambda: open_stack(args),
        engine=Engine(stack=args.stack, cwd=Path.cwd(), config_file=args.config_file, on_line=journal.info),
        stop=stop,
    )

    def end(*_: object) -> None:
        stop.set()
        watcher.wake()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        watcher.run()
    finally:
        Run.current().remove()
    return 0
