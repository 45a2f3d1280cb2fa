"""The `weir` command: a closed table of verbs, each in a module of its own that is imported only when it is used."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

from weir.cli import _flux_words
from weir.cli._parser import Parser
from weir.spec.errors import WeirError


class Verb(Protocol):
    """What a verb module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's own arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it and return the exit code; a WeirError is printed as one line and becomes 1."""


VERBS: Final[dict[str, tuple[str, str]]] = {
    "up": ("weir.cli.up", "bring the cluster to what Git says, healing the stack's state first"),
    "preview": ("weir.cli.preview", "show what up would change"),
    "refresh": ("weir.cli.refresh", "read the cluster's state into the stack's state"),
    "destroy": ("weir.cli.destroy", "remove everything that a stack owns"),
    "watch": ("weir.cli.watch", "keep a stack converged: notice commits, tags and drift as they come"),
    "diff": ("weir.cli.diff", "show what a commit, a branch or a folder would change, object by object"),
    "get": ("weir.cli.get", "list units and how they are"),
    "tree": ("weir.cli.tree", "show what a unit, or the whole stack, owns and renders"),
    "events": ("weir.cli.events", "list what happened to the units of a stack"),
    "logs": ("weir.cli.logs", "show what the watcher on this machine says"),
    "stats": ("weir.cli.stats", "count the units of each kind, and how they are"),
    "explain": ("weir.cli.explain", "name the first thing that keeps a commit from being live"),
    "trace": ("weir.cli.trace", "lead from a live object back to its unit, source and commit"),
    "build": ("weir.cli.build", "print the objects of a unit as YAML, secret values masked"),
    "export": ("weir.cli.export", "print units as YAML, as Git declares them"),
    "image": ("weir.cli.image", "list tags and policies, and write newer images to Git now"),
    "release": ("weir.cli.release", "give workloads other images, by a commit"),
    "automate": ("weir.cli.workload", "let newer images of a workload be released, by a commit"),
    "deautomate": ("weir.cli.workload", "release newer images of a workload no more, by a commit"),
    "lock": ("weir.cli.workload", "keep the images of a workload as they are, by a commit"),
    "unlock": ("weir.cli.workload", "take a workload's lock away, by a commit"),
    "rollback": ("weir.cli.rollback", "bring a unit's files back to an earlier revision, by a commit"),
    "reconcile": ("weir.cli.reconcile", "bring a unit up to date now, through the watcher or by a run"),
    "trigger": ("weir.cli.trigger", "send a webhook to a receiver, from a job or by hand"),
    "suspend": ("weir.cli.suspend", "leave units as they are, at once and without a commit"),
    "resume": ("weir.cli.resume", "let runs act on suspended units again"),
    "create": ("weir.cli.create", "write a new source, kustomization, image policy, alert, ... as YAML"),
    "delete": ("weir.cli.delete", "take a declaration out of the stack's folder"),
    "uninstall": ("weir.cli.uninstall", "end the ownership of a stack, and leave its workloads"),
    "check": ("weir.cli.check", "see whether everything is there that a stack needs"),
    "version": ("weir.cli.version", "print versions of Weir, its programs and the cluster"),
    "completion": ("weir.cli.completion", "print a script that completes verbs and flags in a shell"),
    "cluster": ("weir.cli.cluster", "start, stop or look at a local Kubernetes control plane"),
}
"""Verb -> (module, one line of help)."""
TOPICS: Final = {
    "run": (
        "up",
        "preview",
        "refresh",
        "destroy",
        "watch",
        "reconcile",
        "trigger",
        "suspend",
        "resume",
        "uninstall",
    ),
    "look": ("get", "tree", "events", "logs", "stats", "image"),
    "understand": ("explain", "trace", "diff", "build", "export"),
    "change Git": (
        "create",
        "delete",
        "release",
        "automate",
        "deautomate",
        "lock",
        "unlock",
        "rollback",
    ),
}
"""How the help groups them; the others come last."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code: 0 done, 1 failed as the message says, 2 wrong usage, 130 interrupted."""
    verb, args = parse(_flux_words.as_verb(sys.argv[1:] if argv is None else argv))
    return reported(lambda: verb.run(args))


def parse(arguments: Sequence[str]) -> tuple[Verb, argparse.Namespace]:
    """The verb and its arguments. Raises SystemExit for wrong usage, and after `--help`."""
    parser = Parser(
        prog="weir",
        description="GitOps for Kubernetes as a Pulumi program.",
        epilog=_overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, help="one of those below")
    chosen: Verb | None = None
    for name, (module, summary) in VERBS.items():
        verb_parser = verbs.add_parser(name, description=summary)
        if arguments[:1] == [name]:
            chosen = cast("Verb", importlib.import_module(module))
            chosen.add_arguments(verb_parser)
    if arguments and (hint := _flux_words.VERBS.get(arguments[0])):
        parser.error(f"{arguments[0]}: {hint}")
    args = parser.parse_args(arguments)
    if chosen is None:
        parser.error(f"the verb comes first: weir {args.verb} ...")
    return chosen, args


def _overview() -> str:
    """Every verb with its line, by topic."""
    rest = tuple(name for name in VERBS if not any(name in names for names in TOPICS.values()))
    lines = []
    for topic, names in (*TOPICS.items(), ("set up", rest)):
        lines += [f"{topic}:", *(f"  {name:<12}{VERBS[name][1]}" for name in names if name in VERBS), ""]
    return "\n".join([*lines, "`weir VERB --help` has the verb's flags and exit codes."])


def reported(run: Callable[[], int]) -> int:
    """The exit code of `run`; a WeirError is printed as one line and becomes 1, an interrupt becomes 130."""
    try:
        return run()
    except WeirError as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
