"""What verbs that act on units share: which units a person means, where their records are, and what is said."""

from __future__ import annotations

import argparse
import getpass
import socket
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from weir.cli._kinds import RECORDED, Selection, read_selection
from weir.cli._stack import add_stack_arguments, settings_path
from weir.flow.clusters import Clusters
from weir.flow.reporting import stamp
from weir.flow.settings import read_settings_file
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord

KINDS: Final = "kustomization, source git, image policy or image update"
_BY_SPEC: Final = "for others, set spec.suspend in Git"
_OTHERS: Final = {
    "reconcile": "every run and every look of the watcher reads others anew, Secrets within a minute"
}
"""Verb -> what to do about kinds that keep no record, where it is not `_BY_SPEC`."""
_NAMED: Final = 10
"""Units named in one message."""


def add_unit_arguments(parser: argparse.ArgumentParser, *, all_units: bool, kinds: str = KINDS) -> None:
    """KIND NAME..., `--all` where that is allowed, the namespace and the stack."""
    parser.add_argument("kind", metavar="KIND", help=kinds)
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of units")
    if all_units:
        parser.add_argument("--all", action="store_true", help="every unit of the kind")
    parser.add_argument("-n", "--namespace", help="only units of this namespace (default: all of the stack)")
    add_stack_arguments(parser)


def open_clusters(args: argparse.Namespace) -> Clusters:
    """The stack's cluster. Raises WeirError."""
    config = read_settings_file(args.stack, settings_path(args))
    return Clusters(config.cluster, config.options, config.name)


def chosen_units(args: argparse.Namespace, records: Iterable[UnitRecord]) -> list[UnitRecord]:
    """The records of the units that the arguments name, in their order. Raises SpecError as `pick`."""
    verb = f"weir {args.verb}"
    selection = read_selection(verb, [args.kind, *args.names], args.namespace)
    everything = getattr(args, "all", False)
    if everything == bool(selection.names):
        found = "--all and names" if everything else "neither a name nor --all"
        raise SpecError.at(verb, "", found=found, expected="one of them" if everything else "names")
    return pick(selection, records, others=_OTHERS.get(args.verb, _BY_SPEC))


def pick(selection: Selection, records: Iterable[UnitRecord], *, others: str = _BY_SPEC) -> list[UnitRecord]:
    """The records that a selection means; `others` is said of kinds that keep none.

    Raises:
        SpecError: its kind keeps no record, a name is not there, or it is there in several namespaces.
    """
    where = f"{selection.word} of the stack"
    if not set(selection.kinds) & set(RECORDED):
        expected = "a kind whose status is kept in the cluster"
        raise SpecError.at(where, "", found=", ".join(selection.kinds), expected=expected, hint=others)
    known = [record for record in records if record.id.kind in selection.kinds]
    meant = [record for record in known if record.id in selection]
    for name in selection.names:
        same = [record.id for record in meant if record.id.name == name]
        if len(same) != 1:
            raise _not_one(where, name, same, [record.id for record in known])
    return sorted(meant, key=lambda record: _place(selection, record.id))


def who() -> str:
    """Who types this: user and machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


def hold_text(person: str, message: str, now: datetime) -> str:
    """What is noted with a suspension: who, when and why."""
    return f"{person}, {stamp(now)}" + (f": {message}" if message else "")


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def _place(selection: Selection, unit: UnitId) -> tuple[int, UnitId]:
    return (selection.names.index(unit.name) if unit.name in selection.names else 0, unit)


def _not_one(where: str, name: str, same: Sequence[UnitId], known: Sequence[UnitId]) -> SpecError:
    if same:
        spaces = " and ".join(sorted(unit.namespace for unit in same))
        hint = "choose a namespace with -n"
        return SpecError.at(where, "", found=f"{name} in {spaces}", expected="one unit", hint=hint)
    names = ", ".join(str(unit) for unit in sorted(known)[:_NAMED]) or "none; it is there after its first run"
    return SpecError.at(
        where, "", found=name, expected="a unit that was reconciled", hint=f"known are {names}"
    )
