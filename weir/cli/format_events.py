"""Events as the table of `flux events`, and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from weir.cli.format_age import since
from weir.cli.format_status import format_table
from weir.spec.artifact import short_hashes
from weir.spec.event import Event, Severity

TYPES: Final = {Severity.INFO: "Normal", Severity.ERROR: "Warning"}
"""Kubernetes' words for severities."""


def format_events(
    events: Sequence[Event], now: float, *, all_namespaces: bool = False, header: bool = True
) -> str:
    """`LAST SEEN TYPE REASON OBJECT MESSAGE`, in the order given; NAMESPACE first when asked.

    `now` in epoch seconds.
    """
    titles = ["NAMESPACE"] * all_namespaces + ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    rows = [
        [event.unit.namespace] * all_namespaces
        + [
            since(event.at, now),
            TYPES[event.severity],
            event.reason,
            f"{event.unit.kind}/{event.unit.name}",
            short_hashes(", ".join(event.message.splitlines())),
        ]
        for event in events
    ]
    return format_table(titles if header else None, rows)


def event_as_data(event: Event) -> dict[str, Any]:
    """An event as plain values; `lastSeen` is RFC 3339."""
    return {
        "lastSeen": event.at,
        "type": TYPES[event.severity],
        "reason": event.reason,
        "kind": event.unit.kind,
        "namespace": event.unit.namespace,
        "name": event.unit.name,
        "message": event.message,
        "metadata": dict(event.metadata),
    }
