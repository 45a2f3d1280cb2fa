"""Who sends a webhook: which issuer's keys are asked for, what its claims must say by CEL, and Google's accounts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.issuer import NOW, claims_of, signer
from tests.support.receivers import ISSUER, PROVIDER, receiver
from weir.notify.hooks import Refused
from weir.notify.id_token import GOOGLE, Identity, Key
from weir.objects.hook_targets import check_receiver
from weir.spec.errors import SourceError, SpecError
from weir.spec.identity import UnitId
from weir.spec.receiver import OIDC, ReceiverSpec
from weir.watch.id_tokens import IdTokens

ROOT = Path(__file__).resolve().parents[2]
GCR_SECRET = {
    "token": b"t",
    "email": b"push@project.iam.gserviceaccount.com",
    "audience": b"https://weir.example",
}
GCR_CLAIMS = {"aud": "https://weir.example", "email": GCR_SECRET["email"].decode(), "email_verified": True}


class Known:
    """Keys as a test says, and what was asked for."""

    def __init__(self) -> None:
        self.known: dict[str, list[Key]] = {ISSUER: [signer().jwk], GOOGLE: [signer("RS256").jwk]}
        self.newer: dict[str, list[Key]] = {}
        self.asked: list[tuple[str, str]] = []
        self.kept: frozenset[str] = frozenset()

    def keep(self, issuers: frozenset[str]) -> None:
        self.kept = issuers

    def read(self, url: str, report: Callable[[str], None]) -> Iterable[Key]:
        self.asked.append(("read", url))
        if url not in self.known:
            report("no answer")
            raise SourceError("no answer")
        return self.known[url]

    def renew(self, url: str, report: Callable[[str], None]) -> Iterable[Key]:  # noqa: ARG002 - Keys says so
        self.asked.append(("renew", url))
        return self.newer.get(url, self.known[url])


class Place:
    """ID tokens judged with known keys."""

    def __init__(self) -> None:
        self.keys = Known()
        self.reported: list[tuple[UnitId, str]] = []
        self.tokens = IdTokens(self.keys, lambda: NOW, lambda unit, why: self.reported.append((unit, why)))

    def oidc(self, provider: dict[str, Any] | None = None, **claims: Any) -> Identity | Refused:
        """What a token for a receiver with one provider proves."""
        spec = receiver(type=OIDC, oidcProviders=[{**PROVIDER, **(provider or {})}])
        return self.identify(spec, signer().sign(claims_of(ISSUER, **claims)))

    def gcr(self, secret: dict[str, bytes] | None = None, **claims: Any) -> Identity | Refused:
        """What a token of Google's proves."""
        text = signer("RS256").sign(claims_of(GOOGLE, **{**GCR_CLAIMS, **claims}))
        return self.identify(receiver(type="gcr"), text, GCR_SECRET if secret is None else secret)

    def identify(
        self, spec: ReceiverSpec, text: str, secret: dict[str, bytes] | None = None
    ) -> Identity | Refused:
        return self.tokens.identify(spec, secret or {}, f"Bearer {text}")


def test_a_token_that_holds_proves_its_claims() -> None:
    found = Place().oidc(repository="us/fleet")
    assert isinstance(found, Identity)
    assert found.claims["repository"] == "us/fleet"


def says(*expressions: str, **variables: str) -> dict[str, Any]:
    return {
        "variables": [{"name": name, "expression": expr} for name, expr in variables.items()],
        "validations": [{"expression": expr, "message": f"not {expr}"} for expr in expressions],
    }


@pytest.mark.parametrize(
    "provider",
    [
        says("true"),
        says("vars.owner == 'us'", owner="claims.repository_owner"),
        says(
            "claims.repo in vars.allowed", owner="claims.repository_owner", allowed="[vars.owner + '/fleet']"
        ),
        says("vars.n == 3 && vars.yes && vars.none == null", n="1 + 2", yes="true", none="null"),
        says("vars.m.a[0] == 'us'", m="{'a': [claims.repository_owner]}"),
        says("!has(claims.environment)", "claims.exp > claims.iat"),
        says("vars.kind == 'ci'", kind="has(claims.robot) ? 'robot' : 'ci'"),
        says("'weir' in claims.aud"),
        says("vars.again == b'x'", raw="b'x'", again="vars.raw"),
    ],
    ids=range(9),
)
def test_claims_that_everything_is_true_of(provider: dict[str, Any]) -> None:
    found = Place().oidc(provider, repo="us/fleet", aud=["notification-controller", "weir"])
    assert isinstance(found, Identity), found


@pytest.mark.parametrize(
    ("provider", "why"),
    [
        (
            says("claims.repository_owner == 'them'"),
            "refuses the ID token: not claims.repository_owner == 'them'",
        ),
        (says("true", "false", "1 > 2"), "spec.oidcProviders refuses the ID token: not false; not 1 > 2"),
        (says("claims.environment == 'prod'"), "not claims.environment == 'prod'"),
        (says("claims.environment != 'prod'"), "not claims.environment != 'prod'"),
        (says("!(claims.environment == 'prod')"), "not !(claims.environment == 'prod')"),
        (says("vars.later", later="claims.environment"), "it reads a field that is not there"),
        (says("true", a="vars.b", b="1"), "it reads a field that is not there"),
        (says("claims.repository_owner"), "a result of type string, not a boolean"),
        (says("claims.large > 1"), "numbers or depths that CEL has not"),
    ],
    ids=range(9),
)
def test_claims_that_something_is_not_true_of(provider: dict[str, Any], why: str) -> None:
    """Also what cannot be told is refused."""
    found = Place().oidc(provider, **({"large": 2**64 - 1} if "large" in str(provider) else {}))
    assert isinstance(found, Refused)
    assert found.status == 400
    assert why in found.why


def test_no_value_of_a_claim_is_told() -> None:
    for provider in (
        says("claims.sub == 'x'"),
        says("claims.sub.size() + claims.sub"),
        says("int(claims.sub) > 1"),
    ):
        assert "CANARY" not in str(Place().oidc(provider, sub="CANARY"))


@pytest.mark.parametrize("where", ["variables", "validations"])
@pytest.mark.parametrize("expr", ["claims.", "req.a == 'b'", "nothing(claims)"])
def test_expressions_that_cannot_be_read_are_refused_before_they_serve(where: str, expr: str) -> None:
    item = {"name": "a", "expression": expr} if where == "variables" else {"expression": expr, "message": "a"}
    spec = receiver(type=OIDC, oidcProviders=[{**PROVIDER, where: [item]}])
    with pytest.raises(SpecError, match=r"f\.yaml: Receiver/apps/push: CEL expression"):
        check_receiver(spec, same_namespace=False)
    check_receiver(receiver(type=OIDC), same_namespace=True)


def test_filters_of_oidc_see_claims_and_those_of_others_do_not() -> None:
    check_receiver(receiver(type=OIDC, resourceFilter="claims.a == req.a"), same_namespace=False)
    with pytest.raises(SpecError, match="expected one of the variables req, res"):
        check_receiver(receiver(type="gcr", resourceFilter="claims.a == req.a"), same_namespace=False)


def test_the_issuer_of_the_token_decides_what_it_must_say() -> None:
    other = "https://other.example"
    providers = [
        PROVIDER,
        {"issuerURL": other, "audience": "weir", **says("claims.repository_owner == 'them'")},
    ]
    spec = receiver(type=OIDC, oidcProviders=providers)
    place = Place()
    place.keys.known[other] = [signer("EdDSA").jwk]
    them = claims_of(other, aud="weir", repository_owner="them")
    assert isinstance(place.identify(spec, signer("EdDSA").sign(them)), Identity)
    assert isinstance(place.identify(spec, signer().sign(them)), Refused), (
        "signed by the key of another issuer"
    )
    ours = claims_of(other, aud="weir", repository_owner="us")
    assert isinstance(place.identify(spec, signer("EdDSA").sign(ours)), Refused), (
        "what is said to another issuer"
    )
    place.tokens.serve([spec, receiver(type="gcr"), receiver()])
    assert place.keys.kept == {ISSUER, other, GOOGLE}


def test_nobody_is_asked_about_a_token_that_would_not_count_anyway() -> None:
    place = Place()
    for claims in (
        {"iss": "https://evil.example"},
        {"iss": f"{ISSUER}/"},
        {"exp": NOW - 100},
        {"aud": "x"},
        {"iss": None},
    ):
        assert isinstance(place.oidc(**claims), Refused)
    assert place.keys.asked == []


def test_an_unknown_key_is_asked_for_again() -> None:
    place = Place()
    new = signer("ES256", "two")
    text = new.sign(claims_of(ISSUER))
    spec = receiver(type=OIDC)
    assert place.identify(spec, text) == Refused(
        400, "the ID token is signed by a key that its issuer does not have"
    )
    place.keys.newer[ISSUER] = [new.jwk]
    assert isinstance(place.identify(spec, text), Identity)
    assert place.keys.asked == [("read", ISSUER), ("renew", ISSUER)] * 2


def test_a_signature_that_does_not_hold_asks_nobody_again() -> None:
    place = Place()
    forged = signer("ES256", "two").sign(claims_of(ISSUER), kid=signer().name)
    assert place.identify(receiver(type=OIDC), forged) == Refused(
        400, "the ID token's signature does not hold"
    )
    assert place.keys.asked == [("read", ISSUER)]


def test_without_keys_nothing_can_be_judged() -> None:
    place = Place()
    del place.keys.known[ISSUER]
    assert place.oidc() == Refused(503, "the issuer's keys are not known")
    assert place.reported == [(UnitId("Receiver", "apps", "push"), "no answer")]


def test_a_push_of_google_counts() -> None:
    assert isinstance(Place().gcr(), Identity)
    assert isinstance(Place().gcr(iss="accounts.google.com"), Identity)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"email": "somebody@gmail.com"}, "the ID token is of another account"),
        ({"email": None}, "the ID token is of another account"),
        ({"email_verified": False}, "the ID token's account is not verified"),
        ({"email_verified": None}, "the ID token's account is not verified"),
        ({"aud": "https://other.example"}, "the ID token is for another audience"),
        ({"iss": "https://accounts.google.com.evil.example"}, "the ID token is of another issuer"),
        ({"exp": NOW - 100}, "the ID token has expired"),
    ],
    ids=range(7),
)
def test_any_other_token_of_google_is_refused(claims: dict[str, Any], why: str) -> None:
    """CVE-2026-40109: whoever has a Google account has tokens that Google signed."""
    assert Place().gcr(**claims) == Refused(400, why)


@pytest.mark.parametrize("missing", ["email", "audience"])
@pytest.mark.parametrize("value", [None, b""])
def test_a_secret_that_does_not_say_whose_push_counts_makes_none_count(
    missing: str, value: bytes | None
) -> None:
    given = {**GCR_SECRET, missing: value or b""}
    secret = given if value is not None else {name: item for name, item in given.items() if name != missing}
    claims = {
        "email": "" if missing == "email" else GCR_CLAIMS["email"],
        "aud": "" if missing == "audience" else "x",
    }
    assert Place().gcr(secret, **claims) == Refused(503, f"the Secret has no {missing}")


def test_receivers_without_id_tokens_load_nothing_for_them() -> None:
    script = (
        "import sys; from tests.support.receivers import receiver; from weir.watch.receivers import Receivers;"
        "made = Receivers(secret=None, on_request=None, report=None); made.serve([receiver(type=sys.argv[1])], {});"
        "print([name for name in ('jwt', 'urllib3', 'celpy') if name in sys.modules])"
    )
    for kind, loaded in (("github", "[]"), (OIDC, "['urllib3']")):
        done = subprocess.run(
            [sys.executable, "-c", script, kind], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == loaded
