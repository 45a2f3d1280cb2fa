"""How a notification can fail, by what is done next.

FinalError                the other side will never take it as it is
PostponedError            the other side does not take it now
"""

from __future__ import annotations

from weir.spec.errors import WeirError


class FinalError(WeirError):
    """The other side will never take this notification as it is."""


class PostponedError(WeirError):
    """The other side does not take it now. `asked` is how many seconds it wants to be left alone, if it says so."""

    def __init__(self, message: str, asked: float | None = None) -> None:
        super().__init__(message)
        self.asked = asked

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling with the pause."""
        return (PostponedError, (self.message, self.asked))
