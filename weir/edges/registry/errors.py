"""What can go wrong with a registry, by what the caller can do about it.

RegistryError             one sentence that names the image or the host; never a secret, never the server's own text
  UnavailableError        no usable answer now (down, 429, 5xx, cut off, too slow): what was last known still counts
    UntrustedError        the TLS connection or its certificate is not trusted; trying again does not help
  DeniedError             credentials are missing, refused, or asked for by a host that may not have them
  MissingError            the registry answers that it has no such repository, tag or manifest
  BadAnswerError          an answer that breaks the protocol or a limit; nothing of it is used
"""

from __future__ import annotations

from typing import Final

from weir.edges.http.errors import PASSING, ExchangeError, Failure
from weir.spec.errors import SourceError


class RegistryError(SourceError):
    """A registry gave no answer that can be used."""


class UnavailableError(RegistryError):
    """The registry is down, overloaded or cut off."""


class UntrustedError(UnavailableError):
    """The server's certificate is not trusted, or it does not trust ours."""


class DeniedError(RegistryError):
    """The registry refuses the credentials, or there are none."""


class MissingError(RegistryError):
    """The registry has no such thing."""


class BadAnswerError(RegistryError):
    """The registry's answer breaks the protocol or a limit."""


_HINTS: Final = {
    Failure.LATE: "see that the registry is up, or raise spec.timeout",
    Failure.UNRESOLVED: "correct spec.image, or check DNS",
    Failure.UNREACHED: "see that the registry is up and the port is right",
    Failure.PROXY: "check spec.proxySecretRef",
    Failure.CUT: "try again later",
    Failure.BROKEN: "try again later",
    Failure.BUSY: "raise spec.interval, or log in for a higher limit",
    Failure.UNTRUSTED: (
        "put the issuer's certificate in ca.crt of spec.certSecretRef; for plain HTTP set spec.insecure"
    ),
    Failure.FORBIDDEN: "correct the host in spec.image",
    Failure.PACKED: "see what stands between here and the registry",
    Failure.LARGE: "check that spec.image names a registry",
}


def explain(error: ExchangeError) -> RegistryError:
    """The same with what to do about it, as one of the kinds above."""
    kind: type[RegistryError] = UnavailableError if error.failure in PASSING else BadAnswerError
    if error.failure is Failure.UNTRUSTED:
        kind = UntrustedError
    return kind(error.message, hint=_HINTS[error.failure])
