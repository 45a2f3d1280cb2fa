"""What the loop knows, in the form that pages and metrics show: one `Watched` for each unit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from weir.flow.reporting import SUCCEEDED
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.identity import UnitId
from weir.spec.kustomization import KustomizationSpec
from weir.spec.record import Condition, UnitRecord
from weir.watch.behind import Wanted, is_behind
from weir.watch.loop import Watcher
from weir.watch.view import Known, StackView, Watched, view_of

_OTHERS: Final = 600.0
"""Seconds after which what is known of image policies and automations is old."""


def present(watcher: Watcher, leader: str, before: StackView | None, idle: float) -> StackView:
    """The stack as the watcher knows it now. Thread-safe: what it reads is replaced as a whole.

    `idle`: seconds since the loop last went round. It alone notes what is lost sight of, so facts are as old as that.
    """
    now = time.time()
    seen = now - idle if watcher.reachable else watcher.reached_at
    records = [stored.record for stored in list(watcher.stored.values())]
    known = Known(
        stack=watcher.clusters.records.stack,
        leader=leader,
        at=seen if watcher.looked else 0.0,
        records=records,
        problems=tuple(_problems(watcher)),
    )
    return view_of(known, dict(_watched(watcher, seen, now)), now, before)


def _problems(watcher: Watcher) -> Iterator[str]:
    """Why the last look failed, and what the last one that did not could not read."""
    failing, looked = watcher.failing, watcher.looked
    if failing:
        yield f"the last look failed: {failing[1]}"
    yield from looked.told if looked else ()


def _watched(watcher: Watcher, seen: float, now: float) -> Iterator[tuple[UnitId, Watched]]:
    looked = watcher.looked
    if looked is None:
        return
    offset = now - time.monotonic()
    for unit, wanted in looked.wanted.items():
        spec = looked.declared[unit].spec if unit in looked.declared else None
        stored = watcher.stored.get(unit)
        due = watcher.next_due(unit)
        yield (
            unit,
            Watched(
                interval=spec.interval
                if isinstance(spec, GitRepositorySpec | KustomizationSpec)
                else _OTHERS,
                checked=_checked(watcher, wanted, seen, offset),
                due=None if due is None else due + offset,
                wanted=wanted.revision,
                behind=stored is not None and _differs(wanted, stored.record),
                error=wanted.error,
                dependencies=tuple(item.id for item in spec.depends_on)
                if isinstance(spec, KustomizationSpec)
                else (),
                notes=watcher.notes(unit),
            ),
        )


def _differs(wanted: Wanted, record: UnitRecord) -> bool:
    """Whether what Git says differs from what was applied, whatever the health of that."""
    ready = Condition(status="True", reason=SUCCEEDED, message="")
    return not wanted.suspended and is_behind(
        replace(wanted, error=""), replace(record, ready=ready, applying="")
    )


def _checked(watcher: Watcher, wanted: Wanted, seen: float, offset: float) -> float | None:
    """When the unit was last known to be as shown: a Kustomization's objects are followed, a source is polled.

    Nothing asked for another look until looks began to fail, so that far back the former one still counts.
    """
    polled = watcher.polled_at(wanted.id)
    if polled is not None:
        return polled + offset
    failing = watcher.failing
    return (min(seen, failing[0]) if failing else seen) or None
