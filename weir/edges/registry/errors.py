"""What can go wrong with a registry, by what the caller can do about it.

RegistryError             one sentence that names the image or the host; never a secret, never the server's own text
  UnavailableError        no usable answer now (down, 429, 5xx, cut off, too slow): what was last known still counts
    UntrustedError        the TLS connection or its certificate is not trusted; trying again does not help
  DeniedError             credentials are missing, refused, or asked for by a host that may not have them
  MissingError            the registry answers that it has no such repository, tag or manifest
  BadAnswerError          an answer that breaks the protocol or a limit; nothing of it is used
"""

from __future__ import annotations

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
