"""`weir export KIND NAME|--all`: units as YAML, as Git declares them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any, Final

from weir.cli._kinds import CHOICES, EVERY_WORD, RECORDED, Selection, read_selection
from weir.cli._show import show_data, write
from weir.cli._stack import add_stack_arguments, lazy_documents
from weir.cli._yaml import as_yaml
from weir.flow.unit_documents import UnitDocuments
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId

_KEPT: Final = ("apiVersion", "kind", "metadata", "spec")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = "Exit codes: 0 printed, 1 failed as the message says, 2 wrong usage."
    parser.add_argument("what", choices=EVERY_WORD, metavar="KIND", help=f"one of {', '.join(CHOICES)}")
    parser.add_argument("words", nargs="*", metavar="NAME", help="which kind of source or image, then names")
    parser.add_argument("--all", action="store_true", help="every unit of the kind")
    parser.add_argument("-n", "--namespace", help="only this namespace (default: all of the stack)")
    add_stack_arguments(parser)
    parser.add_argument("-o", "--output", choices=["yaml", "json"], default="yaml", help="form of the answer")


def run(args: argparse.Namespace) -> int:
    """Print the documents, sorted by kind, namespace and name."""
    selection = read_selection("weir export", [args.what, *args.words], args.namespace)
    if args.all == bool(selection.names):
        given = "both" if args.all else "neither"
        raise SpecError.at("weir export", "", found=given, expected="either names or --all")
    with lazy_documents(args) as documents:
        found = _documents(selection, documents)
    missing = [name for name in selection.names if name not in {unit.name for unit in found}]
    if missing:
        where = f"weir export {selection.word}"
        raise SpecError.at(where, "", found="nothing", expected=", ".join(missing))
    if not found:
        print(f"✗ no {selection.word} found in stack {args.stack}", file=sys.stderr)
        return 0
    printed = [{key: found[unit][key] for key in _KEPT if key in found[unit]} for unit in sorted(found)]
    if args.output == "json":
        show_data(printed, "json")
    else:
        write(as_yaml(printed))
    return 0


def _documents(selection: Selection, documents: UnitDocuments) -> dict[UnitId, Mapping[str, Any]]:
    """What the records hold; the stack is read for what they do not."""
    records = documents.session.clusters.records.read_all()
    found = {record.id: documents.of(record) for record in records if record.id in selection}
    complete = selection.names and set(selection.names) <= {unit.name for unit in found}
    if complete and set(selection.kinds) <= set(RECORDED):
        return {unit: data for unit, data in found.items() if data}
    declared = {unit: known.document for unit, known in documents.present.units.items()}
    declared |= documents.present.notices
    return {unit: document.data for unit, document in declared.items() if unit in selection} | {
        unit: data for unit, data in found.items() if data
    }
