"""Tables about images: what a release came to, which tags there are, policies and automations.

Columns are those of `fluxctl list-images`, `fluxctl release` and `flux get images` (flux2 cmd/flux/get_image_*.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from weir.cli.format_age import age, moment, since
from weir.cli.format_status import NOT_YET, format_table
from weir.edit.image import Image
from weir.flow.image_list import ImageTree, TagLine
from weir.flow.image_status import PolicyStatus, RepositoryStatus
from weir.flow.workload_verbs import Result
from weir.spec.artifact import short_hashes
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord

_RUNNING, _NEWER, _OLDER = "'->", "|  ", "   "


def format_results(results: Sequence[Result]) -> str:
    """`WORKLOAD STATUS UPDATES`: what moved from where to where, or why nothing did."""
    rows: list[list[str]] = []
    for result in results:
        moves = [
            f"{move.who.rpartition(': ')[2]}: {move.old or '(none)'} -> {move.new or '(none)'}"
            for move in result.moves
        ]
        first, *rest = moves or [result.why]
        rows.append([str(result.workload), result.status, first])
        rows += [["", "", other] for other in rest]
    return format_table(["WORKLOAD", "STATUS", "UPDATES"], rows)


def format_trees(trees: Sequence[ImageTree], titles: tuple[str, str], now: float) -> str:
    """Tags, the newest first; `'->` stands before the one in use. `titles` are those of the first two columns."""
    rows: list[list[str]] = []
    owner = ""
    for tree in trees:
        shown = "" if tree.owner == owner else tree.owner
        owner = tree.owner
        rows.append([shown, tree.part, tree.image, tree.error])
        rows += [["", "", *cells] for cells in _tag_rows(tree, now)]
    return format_table([*titles, "IMAGE", "CREATED"], rows)


def tree_as_json(tree: ImageTree, titles: tuple[str, str]) -> dict[str, Any]:
    """A tree as plain values; times are RFC 3339, null where they are not known."""
    return {
        titles[0].lower(): tree.owner,
        titles[1].lower(): tree.part,
        "image": tree.image,
        "running": tree.running,
        "tags": [
            {
                "tag": row.tag,
                "created": None if row.created is None else moment(row.created),
                "running": row.running,
            }
            for row in tree.tags
        ],
        "omitted": tree.omitted + sum(row.skipped for row in tree.tags),
        "others": tree.others,
        "warnings": list(tree.warnings),
        "error": tree.error,
    }


def format_policies(policies: Sequence[PolicyStatus]) -> str:
    """`NAME IMAGE IN USE CHOSEN MESSAGE`, then one line for each warning."""
    titles = ["NAME", "IMAGE", "IN USE", "CHOSEN", "MESSAGE"]
    rows = [
        [
            f"{status.id.namespace}/{status.id.name}",
            _name(status.chosen or status.in_use),
            _version(status.in_use),
            _version(status.chosen),
            _policy_message(status),
        ]
        for status in policies
    ]
    warnings = [
        [f"⚠ {status.id.namespace}/{status.id.name}: {text}"]
        for status in policies
        for text in status.warnings
    ]
    return format_table(titles, rows) + format_table(None, warnings)


def policy_as_json(status: PolicyStatus) -> dict[str, Any]:
    """A policy as plain values."""
    return {
        "namespace": status.id.namespace,
        "name": status.id.name,
        "repository": str(status.repository),
        "inUse": status.in_use,
        "chosen": status.chosen,
        "reason": status.reason,
        "warnings": list(status.warnings),
        "suspended": status.suspended,
        "error": status.error,
    }


def format_policy_records(
    records: Sequence[UnitRecord],
    *,
    all_namespaces: bool = False,
    with_kind: bool = False,
    header: bool = True,
) -> str:
    """`NAME IMAGE TAG READY MESSAGE`, as `flux get images policy`; empty when there are none."""
    titles = ["NAMESPACE"] * all_namespaces + ["NAME", "IMAGE", "TAG", "READY", "MESSAGE"]
    rows = []
    for record in records:
        ready, message = _ready(record)
        name = [record.id.namespace] * all_namespaces + [_named(record.id, with_kind=with_kind)]
        rows.append([*name, _name(record.revision), _version(record.revision), ready, message])
    return format_table(titles if header else None, rows) if rows else ""


def format_automation_records(
    records: Sequence[UnitRecord],
    now: float,
    *,
    all_namespaces: bool = False,
    with_kind: bool = False,
    header: bool = True,
) -> str:
    """`NAME LAST RUN SUSPENDED READY MESSAGE`, as `flux get images update`; empty when there are none.

    `now` in epoch seconds: times are shown as ages.
    """
    titles = ["NAMESPACE"] * all_namespaces + ["NAME", "LAST RUN", "SUSPENDED", "READY", "MESSAGE"]
    rows = []
    for record in records:
        ready, message = _ready(record)
        at = since(record.ready.at, now) if record.ready else ""
        name = [record.id.namespace] * all_namespaces + [_named(record.id, with_kind=with_kind)]
        rows.append([*name, at, str(record.suspended), ready, message])
    return format_table(titles if header else None, rows) if rows else ""


def format_repositories(
    found: Sequence[RepositoryStatus],
    now: float,
    *,
    all_namespaces: bool = False,
    with_kind: bool = False,
    header: bool = True,
) -> str:
    """`NAME LAST SCAN SUSPENDED READY MESSAGE`, as `flux get images repository`; empty when there are none.

    `now` in epoch seconds: times are shown as ages.
    """
    titles = ["NAMESPACE"] * all_namespaces + ["NAME", "LAST SCAN", "SUSPENDED", "READY", "MESSAGE"]
    rows = []
    for status in found:
        message = status.error or f"successful scan: found {status.tags} tags"
        name = [status.id.namespace] * all_namespaces + [_named(status.id, with_kind=with_kind)]
        ready = "False" if status.error else "True"
        scanned = "" if status.scanned is None else age(now - status.scanned)
        rows.append([*name, scanned, str(status.suspended), ready, message])
    return format_table(titles if header else None, rows) if rows else ""


def _tag_rows(tree: ImageTree, now: float) -> Iterator[list[str]]:
    found = False
    for row in tree.tags:
        if row.skipped:
            yield [f":   ({row.skipped} more)", ""]
        found = found or row.running
        mark = _RUNNING if row.running else _OLDER if found else _NEWER
        yield [f"{mark} {row.tag}", _created(row, now)]
    rest = [f"{tree.omitted} more"] if tree.omitted else []
    rest += [f"{tree.others} that do not count"] if tree.others else []
    if rest:
        yield [f"    ({', '.join(rest)})", ""]


def _created(row: TagLine, now: float) -> str:
    return "?" if row.created is None else age(now - row.created)


def _policy_message(status: PolicyStatus) -> str:
    usual = "suspended" if status.suspended else "up to date" if status.in_use == status.chosen else "new"
    return status.error or status.reason or usual


def _ready(record: UnitRecord) -> tuple[str, str]:
    found = record.ready
    status, message = (found.status, found.message) if found else ("False", NOT_YET)
    return status, short_hashes(f"suspended by {record.held}" if record.held else message)


def _named(unit: UnitId, *, with_kind: bool) -> str:
    return f"{unit.kind.lower()}/{unit.name}" if with_kind else unit.name


def _name(image: str) -> str:
    return Image.parse(image).name if image else ""


def _version(image: str) -> str:
    return short_hashes(Image.parse(image).version) if image else ""
