"""What an ID token must prove: its form, its signature by a key of its issuer, its time, and whom it is for.

Rules: https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation and RFC 8725. No reason that is given
here holds anything of a token.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from weir.notify.hook_payload import Payload, read_object

LONGEST: Final = 16 * 1024
"""Characters of an Authorization header."""
LEEWAY: Final = 60.0
"""Seconds that the clocks of issuer and receiver may differ."""
ALGORITHMS: Final[Mapping[str, tuple[str, str]]] = {
    **{f"{family}{size}": ("RSA", "") for family in ("RS", "PS") for size in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Signatures that count, with the type and curve of their keys (RFC 7518). Never `none`, never a shared secret."""
GOOGLE: Final = "https://accounts.google.com"
"""The issuer of the tokens that Google's services send."""
GOOGLE_ISSUERS: Final = frozenset({GOOGLE, "accounts.google.com"})
"""How such tokens name it (https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken)."""

_BEARER: Final = re.compile(
    r"(?i:bearer) +((?P<head>[\w-]+)\.(?P<claims>[\w-]+)\.[\w-]+)", re.ASCII
)  # RFC 6750 section 2.1, RFC 7515 section 7.1
_LATEST: Final = 2**53
"""Seconds since the epoch that a claim may say."""

Key = Mapping[str, Any]
"""A public key of an issuer, as JSON (RFC 7517)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What an ID token proved. Its `repr` shows nothing of it."""

    claims: Payload = field(repr=False)
    signed: bytes = field(repr=False)
    """What the issuer signed: the same for the same token, in whatever way it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdToken:
    """A token as it came, nothing of it proven. Its `repr` shows nothing of it."""

    text: str = field(repr=False)
    algorithm: str
    key_id: str = field(repr=False)
    """Empty when the token does not name its key."""
    claims: Payload = field(repr=False)

    @property
    def issuer(self) -> str:
        """Who it says has issued it; empty when it does not say."""
        issuer = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else ""

    @property
    def identity(self) -> Identity:
        """What is proven once the token is."""
        return Identity(claims=self.claims, signed=self.text.rpartition(".")[0].encode())


def read_token(authorization: str) -> IdToken | str:
    """The token in an Authorization header, or why there is none."""
    found = _BEARER.fullmatch(authorization) if len(authorization) <= LONGEST else None
    if found is None:
        return "authorization is not Bearer and an ID token"
    head, claims = _read_part(found["head"]), _read_part(found["claims"])
    if head is None or claims is None:
        return "the ID token cannot be read"
    algorithm, key_id = head.get("alg"), head.get("kid", "")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        return "the ID token is not signed by an algorithm that counts"
    if "crit" in head or not isinstance(key_id, str):
        return "the ID token's header cannot be understood"
    return IdToken(text=found[1], algorithm=algorithm, key_id=key_id, claims=claims)


def usable_keys(token: IdToken, keys: Iterable[Key]) -> list[Key]:
    """The keys that may have signed a token: of its algorithm, and by its name if it names one."""
    kind, curve = ALGORITHMS[token.algorithm]
    return [
        key
        for key in keys
        if (not token.key_id or key.get("kid") == token.key_id)
        and (key.get("kty"), key.get("crv", "")) == (kind, curve)
        and key.get("alg", token.algorithm) == token.algorithm
        and key.get("use", "sig") == "sig"
    ]


def is_signed(token: IdToken, keys: Iterable[Key]) -> bool:
    """Whether one of these keys signed a token. RSA counts from 2048 bits on."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from jwt import PyJWK, PyJWS
    from jwt.exceptions import PyJWTError

    verifier = PyJWS(algorithms=[token.algorithm], options={"enforce_minimum_key_length": True})
    for key in usable_keys(token, keys):
        try:
            bound = PyJWK(dict(key), token.algorithm)
            verifier.decode_complete(token.text, bound, algorithms=[token.algorithm])
        except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, OverflowError):
            continue  # their messages quote keys
        return True
    return False


def find_flaw(claims: Payload, issuers: Collection[str], audience: str, now: float) -> str:
    """Why a signed token does not count at a time in seconds since the epoch, empty when it does."""
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or issuer not in issuers:
        return "the ID token is of another issuer"
    meant = claims.get("aud")
    if audience not in (meant if isinstance(meant, list) else [meant]):
        return "the ID token is for another audience"
    ends, begins, issued = (_moment(claims.get(name)) for name in ("exp", "nbf", "iat"))
    if ends is None or issued is None or (begins is None and "nbf" in claims):
        return "the ID token does not say from when until when it holds"
    if now >= ends + LEEWAY:
        return "the ID token has expired"
    if max(issued, begins or 0.0) > now + LEEWAY:
        return "the ID token holds only later"
    return ""


def find_google_flaw(claims: Payload, email: str) -> str:
    """Why a token of Google's is not of this account, empty when it is.

    Rule: https://github.com/fluxcd/notification-controller/security/advisories/GHSA-h9cx-xjg6-5v2w
    """
    if claims.get("email") != email:
        return "the ID token is of another account"
    return "" if claims.get("email_verified") is True else "the ID token's account is not verified"


def _moment(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value <= _LATEST else None


def _read_part(text: str) -> Payload | None:
    try:
        return read_object(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return None
