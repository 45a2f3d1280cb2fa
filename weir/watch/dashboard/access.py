"""Who may look: everybody on this machine, or whoever has the token.

A page that needs no token answers only requests that call it by a name of this machine.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from weir.spec.errors import SpecError
from weir.spec.loopback import is_local

VARIABLE: Final = "WEIR_DASHBOARD_TOKEN"
"""Environment variable with the token."""
COOKIE: Final = "weir-dashboard"
_LEAST: Final = 16
"""Characters of a token."""


class Verdict(Enum):
    """What becomes of a request."""

    ALLOWED = auto()
    LOGIN = auto()
    """The token is in the address: remember it in a cookie and go on without."""
    UNKNOWN = auto()
    """No token, or a wrong one."""
    STRANGER = auto()
    """It calls this machine by a name that is not its own."""


class Access:
    """The rule of one dashboard."""

    def __init__(self, token: str, *, loopback: bool) -> None:
        """`loopback` tells that only this machine reaches the pages; white space around the token does not count.

        Raises SpecError when the token is too weak, or holds what a header cannot.
        """
        if not token and not loopback:
            hint = "set it, for example to `openssl rand -hex 32`, or listen on 127.0.0.1"
            expected = "a token: the dashboard is not on loopback"
            raise SpecError.at(VARIABLE, "", found=None, expected=expected, hint=hint)
        self._token = _checked(token) if token else b""

    def judge(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Verdict:
        """Whether a request may look; header names are in lower case."""
        if not self._token:
            return Verdict.ALLOWED if is_local(headers.get("host", "")) else Verdict.STRANGER
        if "token" in query and self._same(query["token"]):
            return Verdict.LOGIN
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._same(given.strip()):
            return Verdict.ALLOWED
        marks = [hmac.compare_digest(cookie, self._mark()) for cookie in _cookies(headers.get("cookie", ""))]
        return Verdict.ALLOWED if any(marks) else Verdict.UNKNOWN

    def cookie(self, *, secure: bool) -> str:
        """The Set-Cookie header after a login: proves the token without holding it."""
        mark = self._mark().decode()
        return f"{COOKIE}={mark}; Path=/; HttpOnly; SameSite=Strict" + "; Secure" * secure

    def _mark(self) -> bytes:
        return hmac.new(self._token, b"weir dashboard", hashlib.sha256).hexdigest().encode()

    def _same(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token)


def _checked(token: str) -> bytes:
    """The token alone: a Secret that was made from a file ends with a new line."""
    alone = token.strip()
    plain = sum(" " <= one <= "~" for one in alone)
    if plain < max(len(alone), _LEAST):
        found = f"{len(alone)} characters, {plain} of them printable ASCII"
        expected = f"at least {_LEAST} characters, all of them printable ASCII"
        raise SpecError.at(VARIABLE, "", found=found, expected=expected)
    return alone.encode()


def _cookies(header: str) -> list[bytes]:
    """The values under the own name, whatever other tools of the same host keep beside it."""
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return [value.encode("utf-8", "surrogateescape") for name, _, value in pairs if name == COOKIE]
