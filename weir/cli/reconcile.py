"""`weir reconcile KIND NAME`: bring a unit up to date now, without waiting for its interval or the next run."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Final

from weir.cli._kinds import read_selection
from weir.cli._reconciling import Reconciling, add_waiting_arguments
from weir.cli._units import add_unit_arguments, chosen_units, open_clusters
from weir.spec.errors import SourceError, SpecError
from weir.spec.kinds import IMAGE_POLICY, IMAGE_REPOSITORY
from weir.spec.record import UnitRecord

_KINDS: Final = "kustomization, source git, image repository (its policies), image policy or image update"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = (
        "Exit codes: 0 the units are ready, 1 one is not, is suspended, or was not handled in time, 2 wrong usage; "
        "without a watcher, that of the `weir up` that runs here when it fails."
    )
    add_unit_arguments(parser, all_units=False, kinds=_KINDS)
    parser.add_argument("--with-source", action="store_true", help="reconcile its source first")
    add_waiting_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Ask the watcher and wait, or run `weir up` for the units; 0 when all of them are ready."""
    reconciling = Reconciling(args, open_clusters(args))
    known = reconciling.records.read_all()
    units = _policies(args, known) or chosen_units(args, known)
    if args.with_source:
        sources = {record.source for record in units}
        before = [record for record in known if str(record.id) in sources]
        units = [*before, *(record for record in units if record not in before)]
    for record in units:
        if record.suspended:
            by = f" by {record.held}" if record.held else " by its spec in Git"
            raise SourceError(f"{record.id}: is suspended{by}", hint="resume it first")
    return reconciling.carry_out(units)


def _policies(args: argparse.Namespace, known: Iterable[UnitRecord]) -> list[UnitRecord]:
    """The policies of the image repositories that are named: a repository is scanned for them, and has no record."""
    selection = read_selection(f"weir {args.verb}", [args.kind, *args.names], args.namespace)
    if selection.kinds != (IMAGE_REPOSITORY,):
        return []
    found = [
        record
        for record in known
        if record.id.kind == IMAGE_POLICY
        and record.source.rpartition("/")[2] in selection.names
        and selection.namespace in (None, record.source.split("/")[1])
    ]
    scanned = {record.source.rpartition("/")[2] for record in found}
    missing = [name for name in selection.names if name not in scanned]
    if missing or not found:
        expected = "a repository whose policies were reconciled"
        shown = ", ".join(missing) or None
        raise SpecError.at("image repository of the stack", "", found=shown, expected=expected)
    return found
