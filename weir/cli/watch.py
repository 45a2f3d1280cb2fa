"""`weir watch`: keep stacks converged: commits, tags and drift are noticed within moments."""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Final

from weir.cli._stack import open_stack, settings_path
from weir.edges.runs import Run
from weir.edges.slots import Slots
from weir.flow.clusters import Clusters
from weir.flow.settings import read_settings_file
from weir.spec.errors import SpecError
from weir.watch.dashboard.access import VARIABLE
from weir.watch.engine import Engine
from weir.watch.fleet import Fleet
from weir.watch.journal import Journal
from weir.watch.service import Address, Service

_MOST: Final = 65535
_LISTENING: Final = ("listen", "metrics", "dashboard")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = "Exit codes: 0 ended by SIGTERM or Ctrl-C, 1 failed as the message says, 2 wrong usage."
    parser.add_argument(
        "-s",
        "--stack",
        action="append",
        required=True,
        help="name of the stack, e.g. production; may be repeated: each stack gets a process of its own",
    )
    parser.add_argument(
        "--config-file",
        action="append",
        type=Path,
        help="the stack's settings, for each stack in turn (default: stacks/Pulumi.STACK.yaml)",
    )
    parser.add_argument(
        "--replicas",
        type=int,
        default=1,
        metavar="N",
        help="how many machines watch these stacks: each leads its share, and more while others are away (default 1)",
    )
    listening = parser.add_argument_group(
        "listening (off unless asked for; port 0 takes a free one; each further stack takes the next port)"
    )
    listening.add_argument("--listen", metavar="HOST:PORT", help="answer webhooks of the stack's Receivers")
    listening.add_argument("--metrics", metavar="HOST:PORT", help="answer /metrics, /healthz and /readyz")
    listening.add_argument(
        "--dashboard",
        metavar="HOST:PORT",
        help=f"show the stack's pages; beyond loopback to whoever has ${VARIABLE}",
    )
    parser.add_argument("--quiet", action="store_true", help="write the log file only (see weir logs)")
    parser.add_argument("--slots", type=Path, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Watch until SIGTERM or Ctrl-C; 0 then."""
    every = _single(args)
    if len(every) == 1:
        return _watch(every[0])
    for one in every:
        read_settings_file(one.stack, settings_path(one))
    run = Run.current()
    run.guard()
    try:
        slots = run.scratch()
        Slots.make(slots, math.ceil(len(every) / args.replicas))
        fleet = Fleet({one.stack: _command(one, slots) for one in every}, os.environ, _say)
        _end_on_signals(fleet.end)
        fleet.run()
    finally:
        run.remove()
    return 0


def _watch(args: argparse.Namespace) -> int:
    """Watch one stack."""
    config = read_settings_file(args.stack, settings_path(args))
    journal = Journal(args.stack, quiet=args.quiet)
    service = Service(
        stack=args.stack,
        clusters=Clusters(config.cluster, config.options, config.name),
        journal=journal,
        open_session=lambda: open_stack(args),
        engine=Engine(stack=args.stack, cwd=Path.cwd(), config_file=args.config_file, on_line=journal.info),
        hooks=args.listen,
        probes=args.metrics,
        pages=args.dashboard,
        slots=Slots(args.slots) if args.slots else None,
        token=os.environ.get(VARIABLE, ""),
    )
    _end_on_signals(service.end)
    if args.slots:
        threading.Thread(target=_end_with_parent, args=(service.end,), daemon=True).start()
    try:
        service.run()
    finally:
        Run.current().remove()
    return 0


def _single(args: argparse.Namespace) -> list[argparse.Namespace]:
    """The arguments for each of the stacks. Raises SpecError."""
    files = args.config_file or [None] * len(args.stack)
    if len(files) != len(args.stack):
        expected = f"{len(args.stack)}, one for each --stack, or none"
        raise SpecError.at("weir watch", "--config-file", found=len(files), expected=expected)
    if len(set(args.stack)) < len(args.stack):
        raise SpecError.at("weir watch", "--stack", found=args.stack, expected="each stack once")
    if args.replicas < 1:
        raise SpecError.at("weir watch", "--replicas", found=args.replicas, expected="1 or more")
    first = {name: _address(f"--{name}", getattr(args, name), len(files)) for name in _LISTENING}
    made = []
    for number, (stack, file) in enumerate(zip(args.stack, files, strict=True)):
        addresses = {name: address and address.next(number) for name, address in first.items()}
        made.append(argparse.Namespace(**{**vars(args), **addresses, "stack": stack, "config_file": file}))
    _refuse_collisions(made)
    return made


def _refuse_collisions(every: Sequence[argparse.Namespace]) -> None:
    """Raise SpecError when two would listen on the same address: whichever began second would fail for ever."""
    taken: list[tuple[str, str, Address]] = []
    for name, one in product(_LISTENING, every):
        address = getattr(one, name)
        for other, stack, held in taken if address else ():
            if held.collides(address):
                raise SpecError.at(
                    "weir watch",
                    f"--{name} for stack {one.stack}",
                    found=str(address),
                    expected=f"an address that --{other} for stack {stack} ({held}) leaves free",
                    hint=f"each further stack takes the next port: let the flags' be {len(every)} or more apart",
                )
        if address:
            taken.append((name, one.stack, address))


def _command(args: argparse.Namespace, slots: Path) -> Sequence[str]:
    """What watches one of several stacks."""
    command = [sys.executable, "-m", "weir.cli", "watch", "--stack", args.stack, "--slots", str(slots)]
    if args.config_file:
        command += ["--config-file", str(args.config_file)]
    for name in _LISTENING:
        if address := getattr(args, name):
            command += [f"--{name}", str(address)]
    return [*command, "--quiet"] if args.quiet else command


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _end_on_signals(end: Callable[[], None]) -> None:
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: end())


def _end_with_parent(end: Callable[[], None]) -> None:
    """A watcher of several: its standard input ends when the process does that started it.

    It is read without `sys.stdin`, whose lock would be held when the interpreter ends, which is fatal to it.
    """
    while os.read(0, 65536):
        pass
    end()


def _address(flag: str, text: str | None, stacks: int) -> Address | None:
    """Host and port of the first of so many stacks. Raises SpecError."""
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) + stacks - 1 > _MOST:
        raise SpecError.at("weir watch", flag, found=text, expected="HOST:PORT, for example 127.0.0.1:9292")
    return Address(host=host.strip("[]"), port=int(port))
