"""What verbs that look at one stack share: which stack, which settings file, one session."""

from __future__ import annotations

import argparse
import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from weir.edges.pulumi.command import PulumiCli
from weir.edges.runs import Run
from weir.flow.clusters import Clusters
from weir.flow.session import Session, open_session
from weir.flow.settings import read_settings_file
from weir.flow.source_work import Overrides
from weir.flow.unit_documents import UnitDocuments
from weir.render.substitute import OTHERS, UNKNOWN, output_variables
from weir.spec.errors import WeirError
from weir.spec.record import UnitRecord


def add_stack_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """`--stack` and `--config-file`."""
    parser.add_argument("-s", "--stack", required=required, help="name of the stack, e.g. production")
    parser.add_argument(
        "--config-file", type=Path, help="the stack's settings (default: stacks/Pulumi.STACK.yaml)"
    )


def add_namespace_arguments(parser: argparse.ArgumentParser) -> None:
    """`--namespace`, and `--all-namespaces` for those who are used to it: it is what is meant without either."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("-n", "--namespace", help="only units of this namespace (default: all of the stack)")
    which.add_argument(
        "-A", "--all-namespaces", action="store_true", help="units of all namespaces, as usual"
    )


def settings_path(args: argparse.Namespace) -> Path:
    """The stack's settings file."""
    chosen: Path | None = args.config_file
    return chosen or Path("stacks") / f"Pulumi.{args.stack}.yaml"


def open_stack(args: argparse.Namespace, overrides: Overrides | None = None) -> Session:
    """A session of the stack that the arguments name. Raises WeirError."""
    config = read_settings_file(args.stack, settings_path(args))
    outputs = _Outputs()
    session = open_session(config, Path("stacks").resolve(), Run.current(), outputs.read, overrides)
    outputs.clusters = session.clusters
    return session


@contextlib.contextmanager
def lazy_documents(args: argparse.Namespace) -> Iterator[UnitDocuments]:
    """The documents of the stack that the arguments name, read only when somebody asks for one that no record has."""
    opened = []

    def open_now() -> Session:
        opened.append(Run.current())
        return open_stack(args)

    try:
        yield UnitDocuments(open_now)
    finally:
        for run in opened:
            run.remove()


class _Outputs:
    """Outputs of other stacks: from the backend when it answers, else as the unit records remember them, else unknown.

    Secret ones are always unknown. No program runs.
    """

    def __init__(self) -> None:
        self.clusters: Clusters | None = None
        self._lock = threading.Lock()
        self._known: dict[str, Mapping[str, str]] = {}

    def read(self, stack: str) -> Mapping[str, str]:
        """The values of a stack, asked for once."""
        with self._lock:
            if stack not in self._known:
                known = {**self._recorded(stack), **_kept_by_backend(stack)}
                self._known[stack] = {**known, OTHERS: UNKNOWN}
            return self._known[stack]

    def _recorded(self, stack: str) -> Mapping[str, str]:
        """Values that units of this stack took from another stack at their last apply."""
        prefix = f"{stack}:"
        return {
            key.removeprefix(prefix): value
            for record in self._records()
            for key, value in record.variables.items()
            if key.startswith(prefix)
        }

    def _records(self) -> Sequence[UnitRecord]:
        try:
            return self.clusters.records.read_all() if self.clusters else ()
        except WeirError:
            return ()


def _kept_by_backend(stack: str) -> Mapping[str, str]:
    """The outputs that are no secret; nothing when there is no CLI, no backend or no such stack."""
    try:
        return output_variables(PulumiCli(root=Path.cwd(), environ=os.environ).outputs(stack))
    except WeirError:
        return {}
