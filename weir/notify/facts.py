"""What of an event people read, in the pieces that services ask for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from weir.notify.match import SUMMARY
from weir.notify.text import clean, cut, one_line, width
from weir.spec.event import Event, Severity
from weir.spec.identity import UnitId

MAX_FACTS: Final = 20
"""Pairs of metadata that people read."""
_MAX_PAIRS: Final = 200
_MAX_KEY: Final = 100
_MAX_NAME: Final = 253
_LONGER_THAN_NAMES: Final = 1000
_LONGEST: Final = 1_000_000
_REVISIONS: Final = ("commit", "originRevision", "revision")
"""Metadata keys, the first that is there counts."""
_DRIFT: Final = frozenset(("DriftCorrected", "DriftDetected", "DriftCorrectionFailed"))


def cleaned(event: Event) -> Event:
    """The event in texts that every service takes, none longer than any takes; names as long as names are."""
    unit = event.unit
    pairs = [
        (clean(key[:_LONGEST]), clean(event.metadata[key][:_LONGEST]))
        for key in _in_order(event)[:_MAX_PAIRS]
    ]
    return replace(
        event,
        unit=UnitId(_name(unit.kind), _name(unit.namespace), _name(unit.name)),
        reason=_name(event.reason),
        message=clean(event.message[:_LONGEST]),
        at=_name(event.at),
        stack=_name(event.stack),
        metadata=dict(pairs),
    )


def within(event: Event, room: int) -> Event:
    """The event with at most `room` characters of message, and half as many of metadata."""
    pairs = facts(event, room // 2, value=room // 2, count=len(event.metadata))
    return replace(event, message=cut(event.message, room), metadata=dict(pairs))


def revision(event: Event) -> str:
    """What the event is about in Git, as Flux looks it up; empty when it does not say."""
    return next(filter(None, map(event.metadata.get, _REVISIONS)), "")


def title(event: Event, limit: int = 3 * _MAX_NAME) -> str:
    """`kind/name.namespace`, as Flux's messages begin."""
    unit = event.unit
    return cut(f"{unit.kind.lower()}/{unit.name}.{unit.namespace}", limit)


def facts(event: Event, room: int, *, value: int, count: int = MAX_FACTS) -> tuple[tuple[str, str], ...]:
    """Metadata, summary and revision first: at most `count` pairs and `room` characters.

    Values have at most `value` characters. Pairs for which there is no room are left out.
    """
    pairs: list[tuple[str, str]] = []
    for key in _in_order(event):
        pair = cut(key, _MAX_KEY), cut(event.metadata[key], value)
        room -= width(pair[0]) + width(pair[1])
        if room < 0 or len(pairs) >= count:
            break
        pairs.append(pair)
    return tuple(pairs)


def _in_order(event: Event) -> list[str]:
    return sorted(event.metadata, key=lambda key: (key != SUMMARY, key != "revision", key))


def _name(text: str) -> str:
    return cut(one_line(clean(text[:_LONGER_THAN_NAMES])), _MAX_NAME)


def is_error(event: Event) -> bool:
    """Whether somebody should look."""
    return event.severity is Severity.ERROR


def is_about_drift(event: Event) -> bool:
    """Whether it tells of objects that differ from Git, which says neither that the unit failed nor that it is well."""
    return event.reason in _DRIFT


def seconds(event: Event) -> int:
    """When it happened, in seconds since 1970; 0 when the event does not say."""
    try:
        at = datetime.fromisoformat(event.at)
    except ValueError:
        return 0
    return max(int(at.replace(tzinfo=at.tzinfo or UTC).timestamp()), 0)
