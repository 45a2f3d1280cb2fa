"""Events for tests."""

from __future__ import annotations

from typing import Any, Final

from weir.spec.event import Event, Severity
from weir.spec.identity import UnitId

UNIT: Final = UnitId("Kustomization", "flux-system", "apps")
COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"


def event(message: str = "Deployment/prod/web configured", **given: Any) -> Event:
    """An event of a unit at one commit."""
    known: dict[str, Any] = {
        "unit": UNIT,
        "severity": Severity.INFO,
        "reason": "ReconciliationSucceeded",
        "message": message,
        "at": "2026-11-21T10:00:00Z",
        "stack": "test",
        "metadata": {"revision": f"main@sha1:{COMMIT}"},
    }
    return Event(**{**known, **given})
