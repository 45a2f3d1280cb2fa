"""Webhooks with ID tokens of a real identity provider over HTTPS: refusals, rotation, outages, floods, replays."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.issuer import DISCOVERY, NOW, Issuer, claims_of, running_issuer, signer
from tests.support.proxy import running_proxy
from tests.support.receivers import BODIES, FLEET, PROVIDER, pushed, receiver, units
from tests.support.tls import Authority
from weir.edges import oidc
from weir.edges.oidc import FRESH, KEPT, PAUSE, SPACING
from weir.notify.hooks import receiver_path
from weir.notify.replay import WINDOW
from weir.spec.identity import UnitId
from weir.spec.receiver import OIDC, ReceiverSpec
from weir.watch.exchange import Request
from weir.watch.listener import Listener
from weir.watch.receivers import Receivers

SECRET = {
    "token": b"t0ken",
    "email": b"push@project.iam.gserviceaccount.com",
    "audience": b"https://weir.example",
}
BOTH = [DISCOVERY, "/keys"]


class Place:
    """Receivers that trust an issuer; clock and listeners are in the test's hands."""

    def __init__(self, issuer: Issuer, **spec: Any) -> None:
        self.issuer = issuer
        self.now = 1000.0
        self.asked: list[Sequence[UnitId]] = []
        self.reports: list[str] = []
        self.receivers = Receivers(
            secret=lambda *_: SECRET,
            on_request=self.asked.append,
            report=lambda _, why: self.reports.append(why),
            clock=lambda: self.now,
            now=lambda: NOW,
        )
        self.serve(
            receiver(**{"type": OIDC, "oidcProviders": [{**PROVIDER, "issuerURL": issuer.url}], **spec})
        )

    def serve(self, spec: ReceiverSpec) -> None:
        self.spec = spec
        self.path = receiver_path(spec, SECRET)
        self.receivers.serve([spec], units("fleet", "other"))

    def post(self, token: str = "", body: bytes = b"{}", **headers: str) -> int:
        """The status of a webhook with a token, by default one that holds."""
        given = {
            "authorization": f"Bearer {token or self.issuer.token()}",
            "content-type": "application/json",
        }
        request = Request(method="POST", path=self.path, headers={**given, **headers}, body=body)
        assert self.receivers.refusal(self.path) is None
        return self.receivers.handle(request).status


@pytest.fixture
def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    authority = Authority(tmp_path / "ca")
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setattr(oidc, "TIMEOUT", 30.0)
    with running_issuer(authority, "accounts.google.com") as running:
        yield running


def test_a_token_that_holds_asks_for_the_units_and_the_issuer_is_asked_once(issuer: Issuer) -> None:
    place = Place(issuer)
    assert [place.post(issuer.token(jti=str(turn))) for turn in range(5)] == [200] * 5
    assert place.asked == [(FLEET,)] * 5
    assert issuer.asked == BOTH
    assert place.reports == []


def test_nobody_is_asked_before_a_token_comes(issuer: Issuer) -> None:
    Place(issuer)
    assert issuer.asked == []


@pytest.mark.parametrize("algorithm", ["RS256", "PS512", "ES384", "EdDSA"])
def test_other_algorithms_count(issuer: Issuer, algorithm: str) -> None:
    issuer.signers = [signer(algorithm)]
    assert Place(issuer).post() == 200


def refusals(issuer: Issuer) -> Mapping[str, tuple[str, str]]:
    """Authorization headers that prove nothing, each with a word of the reason."""
    own, other = issuer.signers[0], signer("ES256", "two")
    none = own.sign(claims_of(issuer.url), alg="none")
    return {
        "none at all": ("", "is not Bearer"),
        "another scheme": (f"Basic {issuer.token()}", "is not Bearer"),
        "unsigned": (f"Bearer {none.rpartition('.')[0]}.", "is not Bearer"),
        "no algorithm": (f"Bearer {none}", "an algorithm that counts"),
        "a shared secret": (
            f"Bearer {own.sign(claims_of(issuer.url), alg='HS256')}",
            "an algorithm that counts",
        ),
        "another key's signature": (
            f"Bearer {other.sign(claims_of(issuer.url), kid=own.name)}",
            "does not hold",
        ),
        "an unknown key": (
            f"Bearer {other.sign(claims_of(issuer.url))}",
            "a key that its issuer does not have",
        ),
        "another issuer": (
            f"Bearer {issuer.token(iss='https://evil.example')}",
            "spec.oidcProviders does not name",
        ),
        "another audience": (f"Bearer {issuer.token(aud='somebody')}", "for another audience"),
        "expired": (f"Bearer {issuer.token(exp=NOW - 61)}", "has expired"),
        "not yet": (f"Bearer {issuer.token(nbf=NOW + 61)}", "holds only later"),
        "somebody else": (f"Bearer {issuer.token(repository_owner='them')}", "not ours"),
        "nobody": (f"Bearer {issuer.token(repository_owner=None)}", "not ours"),
    }


def test_what_proves_nothing_is_refused_and_told_without_the_token(issuer: Issuer) -> None:
    place = Place(issuer)
    for name, (authorization, why) in refusals(issuer).items():
        place.reports.clear()
        place.now += WINDOW  # the same words again are told again then
        assert place.post(authorization=authorization) == 400, name
        (told,) = place.reports
        assert why in told, name
        assert not any(part and part in told for part in authorization.replace(".", " ").split()[1:]), name
    assert place.asked == []
    assert place.post() == 200


def test_a_key_that_is_new_is_asked_for_at_most_once_a_minute(issuer: Issuer) -> None:
    place = Place(issuer)
    assert place.post() == 200
    issuer.signers = [signer("ES256", "two")]
    assert place.post() == 400
    assert issuer.asked == BOTH
    place.now += SPACING
    assert place.post() == 200
    assert issuer.asked == BOTH * 2
    assert place.post(signer().sign(claims_of(issuer.url))) == 400, "the old key is gone"


def test_a_flood_of_unknown_keys_does_not_reach_the_issuer(issuer: Issuer) -> None:
    place = Place(issuer)
    assert place.post() == 200
    for turn in range(120):
        place.now += 1
        forged = signer("ES256", "two").sign(claims_of(issuer.url), kid=str(turn))
        assert place.post(forged) == 400
    assert issuer.asked == BOTH * 3, "at first, and twice in two minutes"
    assert len(place.reports) == 1, "the same words about the same receiver"


def test_many_at_once_ask_once(issuer: Issuer) -> None:
    place = Place(issuer)
    issuer.hang = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(place.post, issuer.token(jti=str(turn))) for turn in range(8)]
        while not issuer.asked:
            time.sleep(0.01)
        issuer.hang.set()
        assert {answer.result(20) for answer in answers} == {200}
    assert issuer.asked == BOTH
    assert len(place.asked) == 8


def test_an_issuer_that_is_down_and_unknown_makes_it_503_until_it_answers(issuer: Issuer) -> None:
    place = Place(issuer)
    issuer.status = 503
    assert {place.post() for _ in range(20)} == {503}
    assert issuer.asked == [DISCOVERY]
    assert place.reports == [f"{issuer.url}: 127.0.0.1 answers 503", "the issuer's keys are not known"]
    issuer.status = 200
    place.now += PAUSE
    assert place.post() == 200


def test_the_last_good_keys_count_while_an_issuer_is_down(issuer: Issuer) -> None:
    place = Place(issuer)
    assert place.post() == 200
    issuer.status = 500
    place.now += FRESH
    assert place.post(issuer.token(jti="2")) == 200
    assert place.reports == [f"{issuer.url}: 127.0.0.1 answers 500"]
    place.now += SPACING - 1
    assert place.post(issuer.token(jti="3")) == 200
    assert issuer.asked == [*BOTH, DISCOVERY]
    place.now += KEPT
    assert place.post(issuer.token(jti="4")) == 503
    issuer.status = 200
    place.now += PAUSE
    assert place.post(issuer.token(jti="5")) == 200


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"document": {"issuer": "https://evil.example"}}, "its discovery document is of another issuer"),
        ({"document": {"jwks_uri": "http://127.0.0.1:1/keys"}}, "names no https URL for its keys"),
        ({"document": {"jwks_uri": "file:///etc/passwd"}}, "names no https URL for its keys"),
        ({"document": {"jwks_uri": None}}, "names no https URL for its keys"),
        ({"document": {"jwks_uri": "https://127.0.0.1:1/keys"}}, "127.0.0.1:1: no connection"),
        ({"document": {"jwks_uri": "https://169.254.169.254/keys"}}, "169.254.169.254: "),
        ({"body": b"<html>"}, "something that is no JSON object"),
        ({"body": b"[]"}, "something that is no JSON object"),
        ({"body": b" " * (600 * 1024)}, "is larger than"),
        ({"status": 302}, "answers 302"),
        ({"signers": []}, "found 0 keys"),
        ({"signers": [], "keys": [1, None]}, "found 0 keys"),
        ({"keys": [{}] * 200}, "found 201 keys, expected 1 to 100"),
    ],
    ids=range(13),
)
def test_an_issuer_that_answers_with_something_else_is_not_believed(
    issuer: Issuer, change: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "TIMEOUT", 10.0)
    text = issuer.token()
    for name, value in change.items():
        setattr(issuer, name, value)
    place = Place(issuer)
    assert place.post(text) == 503
    assert why in place.reports[0]
    assert place.asked == []


def test_an_issuer_that_does_not_answer_holds_nobody_up(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "TIMEOUT", 0.3)
    place = Place(issuer)
    issuer.hang = threading.Event()
    began = time.monotonic()
    assert place.post() == 503
    assert time.monotonic() - began < 20
    assert "no answer in time" in place.reports[0]


def test_an_issuer_without_a_trusted_certificate_is_not_asked(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    place = Place(issuer)
    assert place.post() == 503
    assert "the TLS connection is not trusted" in place.reports[0]
    assert issuer.asked == []


def test_keys_that_nobody_can_use_do_not_spoil_the_others(issuer: Issuer) -> None:
    issuer.keys = [
        1,
        {},
        {"kty": "RSA", "kid": "one", "n": "?"},
        {"kty": "oct", "kid": "one", "k": "c2VjcmV0"},
    ]
    assert Place(issuer).post() == 200


def test_a_token_counts_once_with_the_same_body(issuer: Issuer) -> None:
    place = Place(issuer)
    text = issuer.token()
    assert [place.post(text), place.post(text, authorization=f"bEARER  {text}")] == [200, 200]
    assert len(place.asked) == 1
    assert place.post(text, b'{"other": 1}') == 200
    assert place.post(issuer.token(jti="2")) == 200
    assert len(place.asked) == 3
    place.now += WINDOW
    assert place.post(text) == 200
    assert len(place.asked) == 4


def test_filters_see_who_sends(issuer: Issuer) -> None:
    place = Place(issuer, resourceFilter="claims.repository == 'us/' + res.metadata.name && req.go")
    assert place.post(issuer.token(repository="us/other"), b'{"go": true}') == 200
    assert place.post(issuer.token(repository="us/fleet"), b'{"go": false}') == 200
    assert place.asked == []
    assert place.post(issuer.token(repository="us/fleet"), b'{"go": true}') == 200
    assert place.asked == [(FLEET,)]


def test_a_suspended_receiver_asks_no_issuer(issuer: Issuer) -> None:
    place = Place(issuer)
    place.serve(receiver(type=OIDC, oidcProviders=[{**PROVIDER, "issuerURL": issuer.url}], suspend=True))
    refused = place.receivers.refusal(place.path)
    assert refused is not None
    assert refused.status == 503
    assert issuer.asked == []


def test_an_issuer_that_no_receiver_names_any_more_is_forgotten(issuer: Issuer) -> None:
    place = Place(issuer)
    spec = place.spec
    assert place.post() == 200
    place.serve(receiver())
    place.serve(spec)
    assert place.post(issuer.token(jti="2")) == 200
    assert issuer.asked == BOTH * 2


def test_over_the_wire_nothing_is_said_but_the_status(issuer: Issuer) -> None:
    place = Place(issuer)
    with Listener(0, hooks=place.receivers, report=place.reports.append) as listener:
        for text, status in ((issuer.token(), 200), (issuer.token(aud="x"), 400)):
            with closing(http.client.HTTPConnection(*listener.address, timeout=20)) as client:
                client.request("POST", place.path, body=b"", headers={"Authorization": f"Bearer {text}"})
                answer = client.getresponse()
                assert (answer.status, answer.read()) == (status, b"")
    assert place.asked == [(FLEET,)]


def google(issuer: Issuer, **changes: Any) -> str:
    claims = {"aud": SECRET["audience"].decode(), "email": SECRET["email"].decode(), "email_verified": True}
    return issuer.token(**{"iss": "https://accounts.google.com", **claims, **changes})


def test_a_push_of_google_asks_for_the_units(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real name of Google's issuer, which a proxy leads to this machine."""
    issuer.document = {
        "issuer": "https://accounts.google.com",
        "jwks_uri": "https://accounts.google.com/oauth2/v3/certs",
    }
    place = Place(
        issuer,
        type="gcr",
        oidcProviders=None,
        secretRef={"name": "hook-token"},
        resourceFilter="req.tag != ''",
    )
    body = json.dumps(BODIES["gcr"]).encode()
    with running_proxy(routes={"accounts.google.com": urlsplit(issuer.url).port or 0}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("https_proxy", proxy.url)
        assert place.post(google(issuer), body) == 200
        assert place.post(google(issuer, jti="2"), body) == 200, "a repetition"
        assert place.asked == [(FLEET,)]
        assert place.post(google(issuer, email="them@project.iam.gserviceaccount.com"), body) == 400
        assert place.post(google(issuer, email_verified=False), body) == 400
        assert place.post(google(issuer, aud="https://other.example"), body) == 400
        assert place.post(google(issuer, iss=issuer.url), body) == 400
        assert place.post(signer("ES256", "two").sign(claims_of("https://accounts.google.com")), body) == 400
        assert place.post(google(issuer), json.dumps(pushed({"action": 1})).encode()) == 400
    assert len(place.asked) == 1
    assert issuer.asked == [DISCOVERY, "/oauth2/v3/certs"]
