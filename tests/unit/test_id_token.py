"""What an ID token must prove: its form, a signature of its issuer by an algorithm that counts, time, and audience."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.issuer import NOW, claims_of, encoded, signed_part, signer
from weir.notify.id_token import (
    ALGORITHMS,
    LEEWAY,
    LONGEST,
    IdToken,
    find_flaw,
    find_google_flaw,
    is_signed,
    read_token,
    usable_keys,
)

ISSUER = "https://issuer.example"
CLAIMS = claims_of(ISSUER)
RS = signer("RS256")


def token(text: str) -> IdToken:
    found = read_token(f"Bearer {text}")
    assert isinstance(found, IdToken), found
    return found


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_of_the_issuer_counts_and_no_other(algorithm: str) -> None:
    own, other = signer(algorithm), signer(algorithm, "two")
    signed = token(own.sign(CLAIMS))
    assert signed.claims == CLAIMS
    assert is_signed(signed, [other.jwk, own.jwk])
    assert not is_signed(signed, [other.jwk])
    assert not is_signed(signed, [{**other.jwk, "kid": own.name}])
    assert not is_signed(signed, [])


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_token_does_not_count(part: int) -> None:
    parts = RS.sign(CLAIMS).split(".")
    parts[part] = RS.sign({**CLAIMS, "sub": "else"}, typ="else").split(".")[part]
    assert not is_signed(token(".".join(parts)), [RS.jwk])


def forged(algorithm: str, secret: bytes) -> str:
    text = signed_part({"alg": algorithm, "kid": RS.name}, CLAIMS)
    return f"{text}.{encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest()) if secret else ''}"


PEM = RS.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "text",
    [forged("none", b""), forged("none", b"x"), forged("None", b"x"), forged("HS256", PEM), forged("HS256", b""),
     forged("HS256", b"x"), forged("RS256 ", b"x"), forged("ES256K", b"x"), forged("", b"x")],
    ids=range(9),
)  # fmt: skip
def test_no_signature_and_a_shared_secret_never_count(text: str) -> None:
    """RFC 8725 sections 2.1 and 3.1: the public key as the secret of an HMAC is the oldest of all tricks."""
    assert isinstance(read_token(f"Bearer {text}"), str)


def test_the_algorithm_is_that_of_the_key() -> None:
    """RFC 8725 section 3.1."""
    pss = token(replace(RS, algorithm="PS256").sign(CLAIMS))
    assert not is_signed(pss, [RS.jwk]), "a key for RS256 only"
    assert is_signed(pss, [{**RS.jwk, "alg": "PS256"}])
    assert not is_signed(token(forged("RS256", PEM)), [RS.jwk])
    any_rsa = {name: value for name, value in RS.jwk.items() if name != "alg"}
    assert is_signed(token(RS.sign(CLAIMS)), [any_rsa])
    large = signer("ES384")
    assert not usable_keys(token(signer("ES256").sign(CLAIMS)), [{**large.jwk, "alg": "ES256"}])


def test_a_key_for_another_use_does_not_count() -> None:
    assert not is_signed(token(RS.sign(CLAIMS)), [{**RS.jwk, "use": "enc"}])


def test_a_short_key_does_not_count() -> None:
    weak = signer("RS256", "weak", bits=1024)
    assert usable_keys(token(weak.sign(CLAIMS)), [weak.jwk])
    assert not is_signed(token(weak.sign(CLAIMS)), [weak.jwk])


def test_a_token_that_names_no_key_is_tried_with_all() -> None:
    nameless = token(RS.sign(CLAIMS, kid=None))
    assert is_signed(nameless, [signer("RS256", "two").jwk, RS.jwk])
    assert not is_signed(nameless, [signer("RS256", "two").jwk])


@pytest.mark.parametrize(
    "change",
    [{"n": None}, {"n": 1}, {"n": "?"}, {"n": ""}, {"e": []}, {"e": "AA"}, {"d": "AQAB"}, {"d": {}}, {"kty": None}],
    ids=range(9),
)  # fmt: skip
def test_a_key_that_cannot_be_read_is_passed_over(change: dict[str, Any]) -> None:
    signed = token(RS.sign(CLAIMS))
    broken = {**RS.jwk, **change}
    assert not is_signed(signed, [broken])
    assert is_signed(signed, [broken, RS.jwk])


def test_what_a_header_brings_along_is_no_key() -> None:
    """RFC 8725 section 3.10: `jwk`, `jku` and `x5u` are the sender's own words."""
    other = signer("RS256", "two")
    brought = other.sign(CLAIMS, kid=RS.name, jwk=other.jwk, jku="https://evil.example/keys", x5c=["x"])
    assert not is_signed(token(brought), [RS.jwk])


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer a", "Bearer a.b", "Bearer a.b.", "Bearer a.b.c.d", "Bearer a.b.c",
     f"Basic {RS.sign(CLAIMS)}", RS.sign(CLAIMS), f"Bearer {RS.sign(CLAIMS)} ", f"Bearer {RS.sign(CLAIMS)}=",
     f"Bearer\t{RS.sign(CLAIMS)}", f"Bearer {RS.sign(CLAIMS)}, Bearer {RS.sign(CLAIMS)}",
     f"Bearer {RS.sign(CLAIMS, crit=['exp'])}", f"Bearer {RS.sign(CLAIMS, kid=1)}",
     f"Bearer {encoded(b'[]')}.{encoded(b'{}')}.x", f"Bearer {encoded(b'{}')}.{encoded(b'[')}.x",
     "Bearer " + RS.sign({"a": "a" * LONGEST})],
    ids=range(19),
)  # fmt: skip
def test_what_is_no_token_is_told_without_showing_it(authorization: str) -> None:
    why = read_token(authorization)
    assert why in {
        "authorization is not Bearer and an ID token",
        "the ID token cannot be read",
        "the ID token is not signed by an algorithm that counts",
        "the ID token's header cannot be understood",
    }


def test_the_scheme_may_be_in_any_case_of_letters() -> None:
    assert isinstance(read_token(f"bearer  {RS.sign(CLAIMS)}"), IdToken)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"iss": "https://issuer.example/"}, "of another issuer"),
        ({"iss": "HTTPS://issuer.example"}, "of another issuer"),
        ({"iss": None}, "of another issuer"),
        ({"iss": [ISSUER]}, "of another issuer"),
        ({"aud": None}, "for another audience"),
        ({"aud": "notification-controller2"}, "for another audience"),
        ({"aud": []}, "for another audience"),
        ({"aud": {"notification-controller": 1}}, "for another audience"),
        ({"exp": None}, "does not say from when"),
        ({"exp": str(NOW + 300)}, "does not say from when"),
        ({"exp": True}, "does not say from when"),
        ({"exp": 2**60}, "does not say from when"),
        ({"iat": None}, "does not say from when"),
        ({"nbf": "now"}, "does not say from when"),
        ({"exp": NOW - LEEWAY}, "has expired"),
        ({"exp": 0}, "has expired"),
        ({"nbf": NOW + LEEWAY + 1}, "holds only later"),
        ({"iat": NOW + LEEWAY + 1}, "holds only later"),
    ],
    ids=range(18),
)
def test_claims_that_do_not_hold(change: dict[str, Any], why: str) -> None:
    found = find_flaw(claims_of(ISSUER, **change), {ISSUER}, "notification-controller", NOW)
    assert why in found


@pytest.mark.parametrize(
    "change",
    [{}, {"aud": ["other", "notification-controller"]}, {"exp": NOW - LEEWAY + 1}, {"nbf": NOW + LEEWAY},
     {"iat": NOW + LEEWAY}, {"nbf": None}, {"exp": NOW + 0.5}],
    ids=range(7),
)  # fmt: skip
def test_claims_that_hold_within_the_leeway(change: dict[str, Any]) -> None:
    assert not find_flaw(claims_of(ISSUER, **change), {ISSUER}, "notification-controller", NOW)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"email": "a@b", "email_verified": True}, ""),
        ({"email": "A@b", "email_verified": True}, "the ID token is of another account"),
        ({"email_verified": True}, "the ID token is of another account"),
        ({"email": ["a@b"], "email_verified": True}, "the ID token is of another account"),
        ({"email": "a@b"}, "the ID token's account is not verified"),
        ({"email": "a@b", "email_verified": False}, "the ID token's account is not verified"),
        ({"email": "a@b", "email_verified": "true"}, "the ID token's account is not verified"),
        ({"email": "a@b", "email_verified": 1}, "the ID token's account is not verified"),
    ],
    ids=range(8),
)
def test_a_token_of_google_is_of_one_verified_account(claims: dict[str, Any], why: str) -> None:
    assert find_google_flaw(claims, "a@b") == why


def test_nothing_of_a_token_is_in_its_repr() -> None:
    secret = token(RS.sign({**CLAIMS, "sub": "CANARY"}, kid="CANARY"))
    shown = f"{secret!r} {secret.identity!r}"
    assert "CANARY" not in shown
    assert secret.text[:20] not in shown


def test_a_token_is_the_same_however_it_is_written() -> None:
    """The header's case and spaces, and one of two signatures that hold, do not make it another delivery."""
    one, two = (signer("ES256").sign(CLAIMS) for _ in range(2))
    assert one != two
    again = read_token(f"bEARER   {two}")
    assert isinstance(again, IdToken)
    assert token(one).identity == again.identity
