"""`weir get KIND [NAME...]`: the units of a stack and how they are, in Flux's columns."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from weir.cli._kinds import CHOICES, EVERY_WORD, NOTICES, RECORDED, Selection, read_selection
from weir.cli._show import DATA, add_output_argument, print_trouble, show, show_data, show_row
from weir.cli._stack import add_stack_arguments, lazy_documents, settings_path
from weir.cli._status_selector import StatusSelector
from weir.cli.format_get import Columns, format_found, record_as_data, repository_as_data
from weir.cli.format_notices import format_notices, notice_as_data
from weir.flow.clusters import Clusters
from weir.flow.news import follow_records
from weir.flow.settings import read_settings_file
from weir.flow.unit_documents import UnitDocuments, labels_of
from weir.objects.labels import matches
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId
from weir.spec.kinds import IMAGE_REPOSITORY
from weir.spec.record import UnitRecord

if TYPE_CHECKING:
    from weir.flow.image_status import RepositoryStatus
    from weir.flow.notice_status import NoticeStatus

_RECORDED: Final = frozenset(RECORDED)
_NOTICES: Final = frozenset(NOTICES.values())
_EPILOG: Final = """Kinds: sources [git|all], kustomizations (ks), images [repository|policy|update|all], alerts,
alert-providers, receivers, all; names may follow. `all` means what keeps its status in the cluster, as the last run
left it: for image repositories, alerts, alert-providers and receivers the stack is read and rendered instead, and they
cannot be watched. Exit codes: 0 shown, 1 it cannot be read, 2 wrong usage."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("what", choices=EVERY_WORD, metavar="KIND", help=f"one of {', '.join(CHOICES)}")
    parser.add_argument("words", nargs="*", metavar="NAME", help="which kind of source or image, then names")
    add_stack_arguments(parser)
    parser.add_argument("-n", "--namespace", help="only this namespace (default: all of the stack)")
    parser.add_argument(
        "-A", "--all-namespaces", action="store_true", help="show the namespace of every unit"
    )
    parser.add_argument("--show-source", action="store_true", help="show the source of every unit")
    parser.add_argument("--no-header", action="store_true", help="leave out the column titles")
    parser.add_argument(
        "--status-selector", type=_status_selector, metavar="ready=false", help="only units in this state"
    )
    parser.add_argument(
        "-l", "--label-selector", default="", metavar="app=web", help="only units so labelled"
    )
    parser.add_argument("-w", "--watch", action="store_true", help="go on, and show each unit that changes")
    add_output_argument(parser, "table", "wide")


def _status_selector(text: str) -> StatusSelector:
    try:
        return StatusSelector.parse(text)
    except SpecError as err:
        raise argparse.ArgumentTypeError(str(err)) from err


def run(args: argparse.Namespace) -> int:
    """Print the units as the cluster's records have them; image repositories as this machine scanned them last."""
    selection = read_selection("weir get", [args.what, *args.words], args.namespace)
    kinds = set(selection.kinds)
    if args.watch and not kinds & _RECORDED:
        expected = "a kind that keeps its status in the cluster"
        raise SpecError.at("weir get", "--watch", found=selection.word, expected=expected)
    config = read_settings_file(args.stack, settings_path(args))
    clusters = Clusters(config.cluster, config.options, config.name)
    with lazy_documents(args) as documents:
        asked = _Asked(args, selection, documents)
        if args.watch:
            return _watch(args, follow_records(clusters, config, print_trouble), asked)
        records = (
            [one for one in clusters.records.read_all() if asked.record(one)] if kinds & _RECORDED else []
        )
        repositories = asked.repositories() if IMAGE_REPOSITORY in kinds else []
        notices = asked.notices(clusters) if kinds & _NOTICES else []
    if args.output in DATA:
        found = [*map(repository_as_data, repositories), *map(record_as_data, records)]
        show_data([*found, *map(notice_as_data, notices)], args.output)
        return 0
    tables = format_found(records, repositories, _columns(args, with_kind=len(kinds) > 1), time.time())
    if notices:
        shown = {"all_namespaces": args.all_namespaces, "header": not args.no_header}
        tables.append(format_notices(notices, **shown, wide=args.output == "wide"))
    if not tables:
        meant = " ".join((selection.word, *selection.names))
        print(f"✗ no {meant} found in stack {args.stack}", file=sys.stderr)
    for index, table in enumerate(tables):
        show("\n" * bool(index))
        show(table)
    return 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for: kinds and names, states, labels."""

    args: argparse.Namespace
    selection: Selection
    documents: UnitDocuments

    def record(self, record: UnitRecord) -> bool:
        """Whether a unit is."""
        if record.id not in self.selection or not self._state(
            record.ready.status if record.ready else "Unknown"
        ):
            return False
        return not self.args.label_selector or self._labelled(self.documents.of(record))

    def repositories(self) -> list[RepositoryStatus]:
        """Image repositories are no units and have no records: the stack is read for them."""
        from weir.flow.image_status import repository_status

        return [
            status
            for status in repository_status(self.documents.present)
            if status.id in self.selection
            and self._state("False" if status.error else "True")
            and self._labelled(self.documents.present.units[status.id].document.data)
        ]

    def notices(self, clusters: Clusters) -> list[NoticeStatus]:
        """Alerts, Providers and Receivers have no records either."""
        from weir.flow.notice_status import notice_status

        known = self.documents.present.notices
        found = notice_status(
            known,
            lambda unit: unit in self.selection and self._labelled(known[unit].data),
            clusters.secret,
            same_namespace=clusters.options.no_cross_namespace_refs,
        )
        return [one for one in found if self._state(str(one.ready))]

    def _state(self, status: str) -> bool:
        selector = self.args.status_selector
        return selector is None or selector.lets_through(status)

    def _labelled(self, document: Mapping[str, Any]) -> bool:
        return matches(self.args.label_selector, labels_of(document))


def _columns(args: argparse.Namespace, *, with_kind: bool) -> Columns:
    return Columns(
        all_namespaces=args.all_namespaces,
        with_kind=with_kind,
        show_source=args.show_source,
        header=not args.no_header,
        wide=args.output == "wide",
    )


def _watch(args: argparse.Namespace, records: Iterable[UnitRecord], asked: _Asked) -> int:
    """Print every unit, and again each time that something in its row changes, until Ctrl-C."""
    columns = replace(_columns(args, with_kind=len(asked.selection.kinds) > 1), header=True)
    shown: dict[UnitId, str] = {}
    titles = {""}
    for record in filter(asked.record, records):
        if args.output in DATA:
            head, row = "", json.dumps(record_as_data(record))
        else:
            head, row = format_found([record], [], columns, time.time())[0].splitlines()
        if shown.get(record.id) != row:
            show_row(head, row, titled=head not in titles and not args.no_header)
        shown[record.id] = row
        titles.add(head)
    return 0
