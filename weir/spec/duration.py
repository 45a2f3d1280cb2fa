"""Durations as Flux writes them: Go strings such as 1m30s."""

from __future__ import annotations

import re
from typing import Final

_FORM: Final = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+", re.ASCII)
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", re.ASCII)
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_MAX_TEXT: Final = 64
_LONGEST: Final = 10 * 365 * 24 * 3600.0


def parse_duration(text: str) -> float:
    r"""Seconds of a Go duration.

    The pattern is Flux's own: `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`. Durations over ten years are refused: they
    overflow timers (CVE-2022-39272).

    Raises:
        ValueError: not a duration, or longer than ten years.
    """
    if len(text) > _MAX_TEXT or not _FORM.fullmatch(text):
        raise ValueError("a duration such as 30s, 10m or 1h30m")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if seconds > _LONGEST:
        raise ValueError("a duration of at most ten years")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest Go form of whole milliseconds: 90 -> `1m30s`, 0.25 -> `250ms`."""
    millis = round(seconds * 1000)
    if millis < 1000:  # noqa: PLR2004 - a second
        return f"{millis}ms"
    hours, millis = divmod(millis, 3_600_000)
    minutes, millis = divmod(millis, 60_000)
    rest = f"{millis / 1000:g}s" if millis or not (hours or minutes) else ""
    return f"{hours}h" * bool(hours) + f"{minutes}m" * bool(minutes) + rest
