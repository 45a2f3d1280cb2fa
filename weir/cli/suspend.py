"""`weir suspend KIND NAME...`: leave units as they are, at once and without a commit, until `weir resume`."""

from __future__ import annotations

import argparse

from weir.cli._units import add_unit_arguments, chosen_units, hold_text, now, open_clusters, who


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    add_unit_arguments(parser, all_units=True)
    parser.add_argument("-m", "--message", default="", help="why, for everybody who looks")


def run(args: argparse.Namespace) -> int:
    """Note it beside each unit's record; runs that begin later leave the unit alone."""
    records = open_clusters(args).records
    text = hold_text(who(), args.message, now())
    for record in chosen_units(args, records.read_all()):
        unit, word = record.id, record.id.kind.lower()
        print(f"► suspending {word} {unit.name} in {unit.namespace} namespace")
        records.hold(unit, text)
        print(f"✔ {word} suspended")
    return 0
