"""What verbs that look at one stack share: which stack, which settings file, one session."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from weir.edges.runs import Run
from weir.flow.session import Session, open_session
from weir.flow.settings import read_settings_file
from weir.flow.work import Overrides
from weir.render.substitute import OTHERS, UNKNOWN
from weir.spec.errors import WeirError
from weir.spec.record import UnitRecord


def add_stack_arguments(parser: argparse.ArgumentParser) -> None:
    """`--stack` and `--config-file`."""
    parser.add_argument("-s", "--stack", required=True, help="name of the stack, e.g. production")
    parser.add_argument(
        "--config-file", type=Path, help="the stack's settings (default: stacks/Pulumi.STACK.yaml)"
    )


def settings_path(args: argparse.Namespace) -> Path:
    """The stack's settings file."""
    chosen: Path | None = args.config_file
    return chosen or Path("stacks") / f"Pulumi.{args.stack}.yaml"


def open_stack(args: argparse.Namespace, overrides: Overrides | None = None) -> Session:
    """A session of the stack that the arguments name. Raises WeirError."""
    config = read_settings_file(args.stack, settings_path(args))
    outputs = _RecordedOutputs()
    session = open_session(config, Path("stacks").resolve(), Run.current(), outputs.read, overrides)
    outputs.session = session
    return session


class _RecordedOutputs:
    """Outputs of other stacks as the unit records remember them, others as unknown; the engine is not asked."""

    def __init__(self) -> None:
        self.session: Session | None = None

    def read(self, stack: str) -> Mapping[str, str]:
        """Values that units of this stack took from another stack at their last apply; records hold no secret ones."""
        prefix = f"{stack}:"
        found = {
            key.removeprefix(prefix): value
            for record in self._records()
            for key, value in record.variables.items()
            if key.startswith(prefix)
        }
        return {**found, OTHERS: UNKNOWN}

    def _records(self) -> Sequence[UnitRecord]:
        try:
            return self.session.clusters.records.read_all() if self.session else ()
        except WeirError:
            return ()
