"""Many things in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_LISTED: Final = 5


def listed(items: Sequence[object]) -> str:
    """The first five by name, and how many more there are."""
    names = ", ".join(map(str, items[:_LISTED]))
    return names if len(items) <= _LISTED else f"{names} and {len(items) - _LISTED} more"
