"""What happened to a unit, in the words of Flux's events.

Rule: https://fluxcd.io/flux/components/notification/events/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from weir.spec.identity import UnitId

ANNOTATION: Final = "event.toolkit.fluxcd.io/"
"""What annotations of a unit's object start with that become metadata of its events."""


class Severity(StrEnum):
    """How much it matters."""

    INFO = "info"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to one unit. Holds no secret value."""

    unit: UnitId
    severity: Severity
    reason: str
    """CamelCase, as the reason of a condition: ReconciliationSucceeded, ArtifactFailed, DriftCorrected, ..."""
    message: str
    at: str
    """RFC 3339 in UTC, to the second."""
    stack: str
    """The Pulumi stack that reports it."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """`revision` where there is one, and the unit's `event.toolkit.fluxcd.io/<key>` annotations by their full names."""
