"""What people and watchers say about a unit beside its record: annotations that no run writes.

They have a field manager of their own, so that a run's server-side apply of the record leaves them alone.
`reconcile.fluxcd.io/requestedAt` is Flux's own: https://fluxcd.io/flux/components/kustomize/kustomizations/
#triggering-a-reconcile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MANAGER: Final = "weir-hand"
QUERY: Final = f"fieldManager={MANAGER}"
MERGE: Final = "application/merge-patch+json"
HELD: Final = "weir.dev/held"
"""Label of records whose units are suspended by hand, so that runs find them with one small LIST."""
SUSPENDED: Final = "weir.dev/suspended"
REQUESTED: Final = "reconcile.fluxcd.io/requestedAt"
HANDLED: Final = "weir.dev/lastHandledReconcileAt"
_LONGEST: Final = 1000
"""Characters of an annotation that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """What the annotations of one record say; empty texts for nothing."""

    held: str
    requested: str
    handled: str


def read_hand(obj: Mapping[str, Any]) -> Hand:
    """The annotations of a record."""
    notes = obj["metadata"].get("annotations") or {}
    held = str(notes.get(SUSPENDED, ""))[:_LONGEST]
    return Hand(held=held, requested=str(notes.get(REQUESTED, "")), handled=str(notes.get(HANDLED, "")))


def hold_patch(message: str) -> dict[str, Any]:
    """The merge patch that suspends."""
    line = " ".join(message.split())[:_LONGEST]
    return {"metadata": {"labels": {HELD: "true"}, "annotations": {SUSPENDED: line or "somebody"}}}


def release_patch() -> dict[str, Any]:
    """The merge patch that resumes."""
    return {"metadata": {"labels": {HELD: None}, "annotations": {SUSPENDED: None}}}


def note_patch(name: str, value: str) -> dict[str, Any]:
    """The merge patch that sets one annotation."""
    return {"metadata": {"annotations": {name: value}}}
