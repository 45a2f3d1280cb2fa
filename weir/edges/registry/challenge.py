"""What a 401 asks for (RFC 9110 section 11.6.1; https://distribution.github.io/distribution/spec/auth/token/)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TOKEN: Final = re.compile(
    rf'\s*(?:(?P<name>{_WORD})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>{_WORD}))|(?P<scheme>{_WORD}))\s*,?',
    re.ASCII,
)
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in that the server offers."""

    scheme: str
    """In lower case: `bearer` or `basic`, or another that is not understood."""
    realm: str = ""
    service: str = ""
    scope: str = ""


def read_challenges(header: str) -> tuple[Challenge, ...]:
    """All challenges in the value of WWW-Authenticate headers; what cannot be read ends the list."""
    found: list[tuple[str, dict[str, str]]] = []
    position, text = 0, header[:_LONGEST]
    while match := _TOKEN.match(text, position):
        position = match.end()
        if match["scheme"]:
            found.append((match["scheme"].lower(), {}))
        elif found:
            quoted = match["quoted"]
            value = match["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found[-1][1].setdefault(match["name"].lower(), value)
    return tuple(
        Challenge(scheme, *(fields.get(name, "") for name in ("realm", "service", "scope")))
        for scheme, fields in found
    )
