"""Unit status as the tables of `flux get` (flux2 cmd/flux/get_kustomization.go and its siblings)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from weir.cli.format import plain
from weir.cli.format_age import since
from weir.spec.artifact import short_hashes, short_revision
from weir.spec.record import UnitRecord

NOT_YET: Final = "waiting to be reconciled"
"""Flux's message for a unit without a Ready condition."""


def format_units(
    units: Sequence[UnitRecord],
    *,
    all_namespaces: bool = False,
    with_kind: bool = False,
    show_source: bool = False,
    header: bool = True,
    wide_at: float | None = None,
) -> str:
    """`NAME REVISION SUSPENDED READY MESSAGE`, sorted by namespace, kind and name; ends in a newline unless empty.

    Args:
        units: the records to show.
        all_namespaces: add NAMESPACE as the first column (`-A`).
        with_kind: write names as `kustomization/apps`, as `flux get all` does.
        show_source: add SOURCE, `Kind/namespace/name`, as the last column.
        header: print the column titles.
        wide_at: the time in epoch seconds; then OBJECTS, how many a unit owns, and AGE, since when it is ready or not.
    """
    titles = ["NAMESPACE"] * all_namespaces + ["NAME", "REVISION", "SUSPENDED", "READY", "MESSAGE"]
    titles += ["SOURCE"] * show_source
    titles += ["OBJECTS", "AGE"] * (wide_at is not None)
    ordered = sorted(units, key=lambda unit: (unit.id.namespace, unit.id.kind, unit.id.name))
    rows = [_row(unit, all_namespaces, with_kind, show_source) + _wide(unit, wide_at) for unit in ordered]
    return format_table(titles if header else None, rows)


def format_table(titles: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> str:
    """Cells padded to their column and separated by tabs; the last column is not padded."""
    cells = [[plain(cell) for cell in row] for row in ([titles] if titles else []) + list(rows)]
    if not cells:
        return ""
    widths = [max(len(row[index]) for row in cells) for index in range(len(cells[0]))]
    widths[-1] = 0
    lines = ["\t".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(lines) + "\n"


def _row(unit: UnitRecord, all_namespaces: bool, with_kind: bool, show_source: bool) -> list[str]:  # noqa: FBT001
    ready, message = (unit.ready.status, unit.ready.message) if unit.ready else ("False", NOT_YET)
    message = f"suspended by {unit.held}" if unit.held else message
    name = f"{unit.id.kind.lower()}/{unit.id.name}" if with_kind else unit.id.name
    cells = [unit.id.namespace] * all_namespaces
    cells += [name, short_revision(unit.revision), str(unit.suspended), ready, short_hashes(message)]
    return cells + [unit.source] * show_source


def _wide(unit: UnitRecord, now: float | None) -> list[str]:
    if now is None:
        return []
    return [str(len(unit.inventory)), since(unit.ready.at, now) if unit.ready else ""]
