"""Times as people say them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from weir.flow.reporting import stamp

_YEAR: Final = 365 * 86_400
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60))


def age(seconds: float) -> str:
    """A time in its largest unit: `6y` (from two on), `400d`, `5h`, `17m`, `42s`."""
    if seconds >= 2 * _YEAR:
        return f"{int(seconds // _YEAR)}y"
    for letter, size in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)}{letter}"
    return f"{max(0, int(seconds))}s"


def since(moment: str, now: float) -> str:
    """How long ago an RFC 3339 time was; empty when there is none. `now` in epoch seconds."""
    found = epoch(moment)
    return "" if found is None else age(now - found)


def moment(seconds: float) -> str:
    """Epoch seconds as an RFC 3339 time, for programs."""
    return stamp(datetime.fromtimestamp(seconds, UTC))


def epoch(moment: str) -> float | None:
    """An RFC 3339 time in epoch seconds, None when it is not one."""
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo else None
