"""Why an exchange gave no answer, before somebody says in his own words what to do about it."""

from __future__ import annotations

import enum
from typing import Final

from weir.spec.errors import SourceError


class Failure(enum.Enum):
    """What went wrong."""

    LATE = enum.auto()
    UNRESOLVED = enum.auto()
    UNREACHED = enum.auto()
    PROXY = enum.auto()
    CUT = enum.auto()
    BROKEN = enum.auto()
    """The server itself says that it failed (5xx)."""
    BUSY = enum.auto()
    """The server asks for a pause (429), or asked for one that is not over."""
    UNTRUSTED = enum.auto()
    FORBIDDEN = enum.auto()
    """The name leads to an address that is not asked."""
    PACKED = enum.auto()
    LARGE = enum.auto()


PASSING: Final = frozenset(
    {
        Failure.LATE,
        Failure.UNRESOLVED,
        Failure.UNREACHED,
        Failure.PROXY,
        Failure.CUT,
        Failure.BROKEN,
        Failure.BUSY,
    }
)
"""Failures that may be over a moment later."""


class ExchangeError(SourceError):
    """No answer that can be used: `host: reason`, never a secret. Whoever asked adds what to do."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling with the failure."""
        return (ExchangeError, (self.failure, self.message))
