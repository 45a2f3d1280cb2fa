"""Laws of ID tokens: any Authorization header is judged, and none counts that the issuer has not signed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.issuer import NOW, claims_of, encoded, signer
from weir.notify.id_token import ALGORITHMS, IdToken, find_flaw, is_signed, read_token

pytestmark = pytest.mark.property

ISSUER = "https://issuer.example"
AUDIENCE = "notification-controller"
OWN = signer("ES256")
GENUINE = OWN.sign(claims_of(ISSUER))

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**66), 2**66) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_HEADS = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "jku"]),
    _JSON | st.sampled_from([*ALGORITHMS, "none", "HS256", "one"]),
)
_CLAIMS = st.dictionaries(st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub"]), _JSON)
_PARTS = st.one_of(
    st.binary(max_size=40).map(encoded),
    (_HEADS | _CLAIMS | _JSON).map(lambda value: encoded(json.dumps(value).encode())),
    st.sampled_from(GENUINE.split(".")),
    st.text(max_size=10),
)
_TOKENS = st.lists(_PARTS, min_size=3, max_size=3).map(".".join)
_HEADERS = st.one_of(
    st.text(max_size=60),
    st.tuples(st.sampled_from(["Bearer ", "bearer ", "Bearer  ", "Basic ", ""]), _TOKENS).map("".join),
)
_KEYS = st.dictionaries(
    st.sampled_from(["kty", "kid", "alg", "use", "crv", "x", "y", "n", "e", "d"]),
    _JSON | st.sampled_from(["EC", "RSA", "OKP", "P-256", "ES256", "sig", "one", "AQAB", "A" * 43]),
)


@given(_HEADERS, st.lists(_KEYS, max_size=3))
def test_any_header_is_judged_and_only_what_the_issuer_signed_counts(
    authorization: str, keys: list[dict[str, Any]]
) -> None:
    found = read_token(authorization)
    if isinstance(found, str):
        return
    assert not is_signed(found, keys)
    assert not is_signed(found, [OWN.jwk]) or found.text == GENUINE


@given(_CLAIMS, st.floats(0, 2**40))
def test_any_claims_are_judged(claims: dict[str, Any], now: float) -> None:
    assert isinstance(find_flaw(claims, {ISSUER}, AUDIENCE, now), str)


@given(st.integers(0, len(GENUINE) - 1), st.sampled_from("ABCabc012-_."))
def test_a_token_with_one_other_character_never_counts(place: int, character: str) -> None:
    text = GENUINE[:place] + character + GENUINE[place + 1 :]
    found = read_token(f"Bearer {text}")
    assert isinstance(found, str) or is_signed(found, [OWN.jwk]) == (text == GENUINE)


@given(_KEYS)
def test_a_key_with_any_content_is_no_surprise(key: dict[str, Any]) -> None:
    found = read_token(f"Bearer {GENUINE}")
    assert isinstance(found, IdToken)
    assert is_signed(found, [{**OWN.jwk, **key}]) in (True, False)


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_a_token_holds_from_its_beginning_to_its_end(begins: int, issued: int, ends: int) -> None:
    claims = claims_of(ISSUER, nbf=NOW + begins, iat=NOW + issued, exp=NOW + ends)
    holds = max(begins, issued) <= 60 and ends > -60
    assert (find_flaw(claims, {ISSUER}, AUDIENCE, NOW) == "") == holds
