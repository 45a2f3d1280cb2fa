"""Figures of a stack's kinds as the table of `flux stats`, and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from weir.cli.format_status import format_table
from weir.flow.stats import KindStats

_STEP: Final = 1024


def format_stats(kinds: Sequence[KindStats]) -> str:
    """`RECONCILERS RUNNING FAILING SUSPENDED STORAGE`, one row for each kind."""
    rows = [
        [one.kind, str(one.running), str(one.failing), str(one.suspended), _bytes(one.storage)]
        for one in kinds
    ]
    return format_table(["RECONCILERS", "RUNNING", "FAILING", "SUSPENDED", "STORAGE"], rows)


def stats_as_data(one: KindStats) -> dict[str, Any]:
    """One kind as plain values; `storage` in bytes, null where nothing is kept."""
    return {
        "kind": one.kind,
        "running": one.running,
        "failing": one.failing,
        "suspended": one.suspended,
        "storage": one.storage,
    }


def _bytes(size: int | None) -> str:
    """`-`, `512 B`, `3.4 KiB`, `1.2 MiB` and so on."""
    if size is None:
        return "-"
    if size < _STEP:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB"):
        amount /= _STEP
        if amount < _STEP:
            return f"{amount:.1f} {unit}"
    return f"{amount / _STEP:.1f} GiB"
