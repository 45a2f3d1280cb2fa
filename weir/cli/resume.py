"""`weir resume KIND NAME...`: let runs act on suspended units again."""

from __future__ import annotations

import argparse
import sys

from weir.cli._reconciling import Reconciling, add_waiting_arguments
from weir.cli._units import add_unit_arguments, chosen_units, open_clusters
from weir.spec.record import UnitRecord


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = (
        "Exit codes: 0 resumed, and ready with --wait, 1 a unit stays suspended by its spec or is not ready, "
        "2 wrong usage; with --wait and without a watcher, that of the `weir up` that runs here when it fails."
    )
    add_unit_arguments(parser, all_units=True)
    parser.add_argument("--wait", action="store_true", help="reconcile the units and wait for the result")
    add_waiting_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Take the notes away, then have a watcher reconcile; 1 when a unit stays suspended by its spec."""
    reconciling = Reconciling(args, open_clusters(args))
    chosen = chosen_units(args, reconciling.records.read_all())
    resumed = [record for record in chosen if _resume(reconciling, record)]
    code = 0 if len(resumed) == len(chosen) else 1
    if args.wait and resumed:
        return max(code, reconciling.carry_out(resumed))
    if reconciling.watcher and resumed:
        reconciling.annotate(resumed)
    elif resumed:
        print("◎ the next run reconciles what is resumed")
    return code


def _resume(reconciling: Reconciling, record: UnitRecord) -> bool:
    """Whether the unit is not suspended any more."""
    unit, word = record.id, record.id.kind.lower()
    print(f"► resuming {word} {unit.name} in {unit.namespace} namespace")
    if record.held:
        reconciling.records.release(unit)
    present = reconciling.records.read(unit)
    if present and present.suspended:
        print(f"✗ {unit}: its spec in Git says suspend: true; change it there", file=sys.stderr)
        return False
    print(f"✔ {word} resumed")
    return True
