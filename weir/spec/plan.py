"""What a run would do to one unit, ready to be shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from weir.spec.changes import ChangeSet
from weir.spec.identity import UnitId


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPlan:
    """One unit's plan: from which revision to which, and what that does to its objects."""

    id: UnitId
    revision_old: str = ""
    """The revision applied last; empty when the unit is new."""
    revision_new: str = ""
    """The revision planned; empty when its source could not be read."""
    changes: ChangeSet = field(default_factory=ChangeSet)
    error: str = ""
    """Why there is no plan, or why it is not complete; empty when all went well."""
