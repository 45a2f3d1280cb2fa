"""The record of one unit, kept in the cluster: what it owns, what was applied, and how it went.

The model is an ApplySet parent (KEP-3659): which group-kinds and namespaces to look in is written before the first
apply, so that an object applied just before a crash is never orphaned.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from weir.spec.identity import ObjectId, UnitId

CANCELED: Final = "HealthCheckCanceled"
"""Reason of a unit whose run was asked to end while it waited for health: all objects are applied."""
UNHEALTHY: Final = "HealthCheckFailed"
"""Reason of a unit whose objects are applied, and not all of them ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The Ready condition in Flux's words: status True, False or Unknown; reason; message."""

    status: str
    reason: str
    message: str
    at: str = ""
    """RFC 3339 time of the last change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One of the last five results (Kustomization status.history)."""

    revision: str
    digest: str
    status: str
    count: int
    started: str
    """RFC 3339."""
    duration: float
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRecord:
    """One unit as the cluster remembers it."""

    id: UnitId
    stack: str
    """The Pulumi stack that owns the unit, `weir/<stack>`."""
    backend: str = ""
    """Name of where that stack's state is kept (`state_home`); empty when it is not known."""
    cluster: str = ""
    """Identity of the remote cluster where the objects are; empty for the stack's own, and when it is not known."""
    source: str = ""
    """`Kind/namespace/name` of the unit's source."""
    revision: str = ""
    """Last applied revision."""
    attempted: str = ""
    """Last attempted revision."""
    origin: str = ""
    digest: str = ""
    """Digest of the rendered objects last applied."""
    applying: str = ""
    """Digest of the rendered objects that a run began to apply and did not finish; empty when the last one did.

    Beside a Ready of True it is of one that applied everything and deleted less than it may have had to."""
    spec_digest: str = ""
    inventory: tuple[tuple[ObjectId, str], ...] = ()
    """(object, API version without group) of all objects owned or about to be, in apply order."""
    suspended: bool = False
    """Whether runs leave the unit alone: its spec says so, or somebody by hand."""
    held: str = ""
    """Who suspended the unit by hand, when and why; empty when nobody did, and when its spec suspends it as well.
    Kept beside the record, not in it."""
    ready: Condition | None = None
    history: tuple[HistoryEntry, ...] = ()
    document: str = ""
    """JSON of the unit's own document as last registered, so that children survive an unreadable parent."""
    confidential: frozenset[ObjectId] = frozenset()
    """Objects other than Secrets that may still hold secret values, although Git does not say so any more."""
    variables: dict[str, str] = field(default_factory=dict)
    """Values of stack outputs used in substitution (never secret ones)."""

    def is_applied(self, digest: str) -> bool:
        """Whether these are the rendered objects last applied, and no run began with others since."""
        return self.digest == digest and self.applying in ("", digest)

    def is_only_unhealthy(self, revision: str, digest: str) -> bool:
        """Whether all was applied and pruned when the unit was last run, with these rendered objects, and not ready."""
        waited = self.ready is not None and self.ready.reason in (UNHEALTHY, CANCELED)
        return waited and self.attempted == revision and (self.applying or self.digest) == digest

    @property
    def standing(self) -> str:
        """The revision whose objects are in the cluster, in part at least; empty when nothing was ever applied."""
        return self.attempted if self.applying else self.revision

    def with_inventory(self, entries: dict[ObjectId, str]) -> UnitRecord:
        """The same record owning exactly these objects."""
        return replace(self, inventory=tuple(entries.items()))
