"""`weir delete KIND NAME`: take a declaration out of the stack's folder; the next run removes what belongs to it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from weir.cli._kinds import read_selection
from weir.cli._objects_folder import ObjectsFolder
from weir.cli._stack import add_stack_arguments
from weir.edges.pulumi.lock import write_whole
from weir.edit.documents import without_document
from weir.flow.clusters import Clusters
from weir.spec.changes import Action
from weir.spec.errors import SpecError, WeirError
from weir.spec.header import DEFAULT_NAMESPACE
from weir.spec.identity import UnitId

_SHOWN: Final = 20
"""Objects named in one message."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument(
        "kind", metavar="KIND", help="kustomization, source git, image repository, alert, receiver, ..."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="one name")
    parser.add_argument("-n", "--namespace", default=DEFAULT_NAMESPACE, help="default: flux-system")
    parser.add_argument("--silent", action="store_true", help="do not ask")
    add_stack_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, remove the document, and say what follows."""
    unit = _unit(args)
    place = ObjectsFolder.of(args)
    found = place.find(unit)
    if not found:
        hint = "when a repository declares it, remove it there"
        raise SpecError.at(str(place.folder), "", found=f"no {unit}", expected="its document", hint=hint)
    edited = {path: without_document(path.read_bytes(), path.name, unit) for path, _ in found}
    print(f"► {_consequence(place, unit)}")
    if not args.silent:
        _ask(unit)
    for path, data in edited.items():
        _store(path, data)
        print(f"✔ {unit} deleted from {path}")
    return 0


def _unit(args: argparse.Namespace) -> UnitId:
    words = [args.kind, *args.names]
    selection = read_selection("weir delete", words)
    if len(selection.kinds) != 1 or len(selection.names) != 1:
        raise SpecError.at("weir delete", "", found=" ".join(words), expected="one kind and one name")
    return UnitId(selection.kinds[0], args.namespace, selection.names[0])


def _consequence(place: ObjectsFolder, unit: UnitId) -> str:
    """What the next run does about it, as far as the cluster's record says."""
    config = place.config
    try:
        clusters = Clusters(config.cluster, config.options, config.name)
        record = clusters.records.read_own(unit)
        if record is None or unit.kind != "Kustomization":
            return f"the next run forgets {unit}; it owns no objects"
        from weir.flow.remove import plan_removal

        changes = plan_removal(clusters, record).changes
    except WeirError as err:
        return f"the next run removes what belongs to {unit}; its objects cannot be named now: {err}"
    gone = [str(change.id) for change in changes if change.action is Action.DELETE]
    stay = len(changes) - len(gone)
    lines = [
        f"the next run deletes {len(gone)} objects of {unit}" + f" and leaves {stay} in place" * bool(stay)
    ]
    return "\n    ".join([*lines, *_some(gone)])


def _some(names: Sequence[str]) -> list[str]:
    return [*names[:_SHOWN], *([f"... and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else [])]


def _ask(unit: UnitId) -> None:
    """Raises SpecError when nobody says yes."""
    if not sys.stdin.isatty():
        raise SpecError.at(str(unit), "", found="nobody to ask", expected="a terminal", hint="pass --silent")
    answer = input(f"Are you sure you want to delete {unit} from the stack's files? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise SpecError.at(str(unit), "", found=answer[:20], expected="y", hint="nothing was deleted")


def _store(path: Path, data: bytes) -> None:
    if data:
        write_whole(path, data, path.stat().st_mode & 0o777)
    else:
        path.unlink()
