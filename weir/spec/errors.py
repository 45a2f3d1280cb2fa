"""Every error that Weir raises on purpose.

WeirError                 the root: one sentence, and what to do next
  SpecError               a document says something that no field allows
  SourceError             a source cannot be resolved or fetched
    VerificationError     a source was fetched but its signature does not hold
  ArtifactError           the store: missing, altered or too large content
  RenderError             an artifact cannot be turned into objects
    PathError             the artifact does not hold the unit's path
  ClusterError            the cluster cannot be reached, read or trusted
    KubeStatusError       the API server answered with a failure (in edges.kube)
  ApplyError              objects were refused by the cluster; nothing of that stage was applied
  HealthError             objects were applied but did not become ready
  GuardError              a dangerous change was refused; the text names what allows it
  StopRequested           the run was cancelled
"""

from __future__ import annotations

from typing import Final

_SHOWN: Final = 120
"""Characters of a found value in a message."""


class WeirError(Exception):
    """One sentence that names subject, what was found and what was expected, and a hint with the next step."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """The message with its hint, on one line."""
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling with keyword arguments (worker processes hand errors back)."""
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[WeirError], message: str, hint: str) -> WeirError:
    error = kind.__new__(kind)
    WeirError.__init__(error, message, hint=hint)
    return error


class SpecError(WeirError):
    """A document holds a value that its field does not allow."""

    @classmethod
    def at(cls, where: str, field: str, *, found: object, expected: str, hint: str = "") -> SpecError:
        """The full form: `file: Kind/namespace/name: field: found X, expected Y`."""
        subject = f"{where}: {field}" if field else where
        return cls(f"{subject}: found {_short(found)}, expected {expected}", hint=hint)


class SourceError(WeirError):
    """A source cannot be resolved or fetched."""


class VerificationError(SourceError):
    """A source's signature is missing, broken or made by a key that is not trusted."""


class ArtifactError(WeirError):
    """The store does not hold what was asked for, or holds something else."""


class RenderError(WeirError):
    """An artifact cannot be turned into objects."""


class PathError(RenderError):
    """An artifact does not hold the path that a unit names."""


class ClusterError(WeirError):
    """The cluster cannot be reached, read or trusted."""


class ApplyError(WeirError):
    """The cluster refused objects."""


class HealthError(WeirError):
    """Applied objects did not become ready."""


class GuardError(WeirError):
    """A dangerous change was refused."""


class StopRequested(WeirError):
    """The run was cancelled before its work was done."""


def _short(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
