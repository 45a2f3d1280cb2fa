"""`weir watch`: keep a stack converged: commits, tags and drift are noticed within moments."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path
from typing import Final

from weir.cli._stack import add_stack_arguments, open_stack, settings_path
from weir.edges.runs import Run
from weir.flow.clusters import Clusters
from weir.flow.settings import read_settings_file
from weir.spec.errors import SpecError
from weir.watch.dashboard.access import VARIABLE
from weir.watch.engine import Engine
from weir.watch.journal import Journal
from weir.watch.service import Address, Service

_MOST: Final = 65535
_HURRY: Final = 5.0
"""Seconds that a look waits for the cluster of a few units while the others wait for the look."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    add_stack_arguments(parser)
    listening = parser.add_argument_group("listening (off unless asked for; port 0 takes a free one)")
    listening.add_argument("--listen", metavar="HOST:PORT", help="answer webhooks of the stack's Receivers")
    listening.add_argument("--metrics", metavar="HOST:PORT", help="answer /metrics, /healthz and /readyz")
    listening.add_argument(
        "--dashboard",
        metavar="HOST:PORT",
        help=f"show the stack's pages; beyond loopback to whoever has ${VARIABLE}",
    )
    parser.add_argument("--quiet", action="store_true", help="write the log file only (see weir logs)")


def run(args: argparse.Namespace) -> int:
    """Watch until SIGTERM or Ctrl-C; 0 then."""
    config = read_settings_file(args.stack, settings_path(args))
    journal = Journal(args.stack, quiet=args.quiet)
    service = Service(
        stack=args.stack,
        clusters=Clusters(config.cluster, config.options, config.name, hurry=_HURRY),
        journal=journal,
        open_session=lambda: open_stack(args),
        engine=Engine(stack=args.stack, cwd=Path.cwd(), config_file=args.config_file, on_line=journal.info),
        hooks=_address("--listen", args.listen),
        probes=_address("--metrics", args.metrics),
        pages=_address("--dashboard", args.dashboard),
        token=os.environ.get(VARIABLE, ""),
    )
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: service.end())
    try:
        service.run()
    finally:
        Run.current().remove()
    return 0


def _address(flag: str, text: str | None) -> Address | None:
    """Host and port. Raises SpecError."""
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _MOST:
        raise SpecError.at("weir watch", flag, found=text, expected="HOST:PORT, for example 127.0.0.1:9292")
    return Address(host=host.strip("[]"), port=int(port))
