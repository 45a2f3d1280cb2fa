"""What can go wrong with a forge, by what the caller can do about it.

ForgeError                one sentence that names status and URL; never the token
  UnavailableError        no usable answer now (down, rate limit, cut off, too slow); asking again later may help
  DeniedError             the token is wrong (401) or may not do this (403)
  MissingError            no such repository, or one that the token may not see (404)
  RefusedError            the forge understood and said no (400, 409, 410, 422, 423); the text says why
  BadAnswerError          an answer that breaks the API's rules, or a redirect; nothing of it is used
"""

from __future__ import annotations

from weir.spec.errors import SourceError


class ForgeError(SourceError):
    """A forge did not do what was asked."""


class UnavailableError(ForgeError):
    """The forge is down, overloaded or cut off."""


class DeniedError(ForgeError):
    """The token is refused, or lacks a right."""


class MissingError(ForgeError):
    """The forge shows no such thing to this token."""


class RefusedError(ForgeError):
    """The forge refuses the request as it is."""


class BadAnswerError(ForgeError):
    """The forge's answer cannot be used."""
