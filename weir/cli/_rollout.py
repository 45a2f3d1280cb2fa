"""`weir up` from within another verb, for the units that it is about."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from weir.spec.identity import UnitId


def roll_out(args: argparse.Namespace, targets: Sequence[UnitId] = ()) -> int:
    """Run `weir up` for the stack that the arguments name, for these units only if there are any; its exit code."""
    from weir.cli import up

    parser = argparse.ArgumentParser()
    up.add_arguments(parser)
    given = ["--stack", args.stack, *(["--config-file", str(args.config_file)] if args.config_file else [])]
    given += [word for unit in targets for word in ("--target", str(unit))]
    sys.stdout.flush()
    return up.run(parser.parse_args(given))
