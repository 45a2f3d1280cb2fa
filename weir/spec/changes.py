"""What a plan would do to objects, as data. Printing is somebody else's job; secrets are masked before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from weir.spec.identity import ObjectId


class Action(StrEnum):
    """Flux's words (fluxcd/pkg ssa) for what happens to one object."""

    CREATE = "create"
    CONFIGURE = "configure"
    RECREATE = "recreate"
    """Delete and create again: an immutable field changed and `force` allows it."""
    ADOPT = "adopt"
    """Only metadata changes: labels and field managers of an object that somebody else applied."""
    DELETE = "delete"
    SKIP = "skip"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: a path such as `spec.template.spec.containers[0].image`, and its old and new text.

    None means the field is absent on that side. Secret values are `***`.
    """

    path: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        """`path: old -> new`."""
        old = "(none)" if self.old is None else self.old
        new = "(none)" if self.new is None else self.new
        return f"{self.path}: {old} -> {new}"


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object and what happens to it."""

    id: ObjectId
    action: Action
    fields: tuple[FieldChange, ...] = ()
    why: str = ""
    """Reason of a skip, of an adoption or of a weaker preview."""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Objects of a unit that do not stay as they are, in apply order, deletions last; and the count of the rest."""

    changes: tuple[ObjectChange, ...] = ()
    unchanged: int = 0
    warnings: tuple[str, ...] = ()
    """Where this plan is weaker than the apply will be (CRD not installed yet, dry-run refused, ...)."""

    @property
    def empty(self) -> bool:
        """Whether nothing would be written (skips do not count)."""
        return all(change.action is Action.SKIP for change in self.changes)

    def counts(self) -> Mapping[str, int]:
        """How many objects per action, unchanged ones included."""
        counts: Counter[str] = Counter(str(change.action) for change in self.changes)
        counts[str(Action.UNCHANGED)] = self.unchanged
        return counts

    def as_props(self) -> dict[str, Any]:
        """The `changes` input of a unit: object id -> word, or -> {field path: "old -> new"}; texts only."""
        props: dict[str, Any] = {}
        for change in self.changes:
            if change.action is Action.CONFIGURE and change.fields:
                fields = {item.path: f"{_none(item.old)} -> {_none(item.new)}" for item in change.fields}
                props[str(change.id)] = fields
            else:
                props[str(change.id)] = f"{change.action}: {change.why}" if change.why else str(change.action)
        return props


def _none(text: str | None) -> str:
    return "(none)" if text is None else text
