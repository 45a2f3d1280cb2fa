"""Times and texts as the pages show them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

_UNITS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
_BRIEF: Final = 10.0
"""Seconds under which a span shows its tenths when it has any."""


def span(seconds: float) -> str:
    """A time in its largest unit: `3 d`, `17 min`, `42 s`, `0.4 s`."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    tenths = 0.0 < seconds < _BRIEF and seconds != int(seconds)
    return f"{seconds:.1f} s" if tenths else f"{max(int(seconds), 0)} s"


def ago(moment: float | None, now: float) -> str:
    """How long ago a moment was, in epoch seconds; `never` for None."""
    if moment is None:
        return "never"
    return f"{span(max(int(now - moment), 0))} ago"


def ahead(moment: float | None, now: float) -> str:
    """How far away a moment is: `in 40 s`, `now`; `not planned` for None."""
    if moment is None:
        return "not planned"
    return f"in {span(int(moment - now))}" if moment - now >= 1.0 else "now"


def epoch(moment: str) -> float | None:
    """An RFC 3339 time in epoch seconds, None when it is not one."""
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo else None


def clock(moment: float | None) -> str:
    """A moment as a whole time in UTC; empty for None."""
    return "" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def visible(value: object) -> object:
    """What is shown for a value: its text, control and direction characters as escapes, lines kept.

    Such a character could turn around what a person reads beside it.
    """
    if isinstance(value, Markup):
        return value
    text = str(value)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return " " if char in "\t\r\u00a0" else f"\\u{ord(char):04x}"
