"""What webhooks must prove: paths as Flux makes them, each service's signature, events, forms and repetition."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from tests.support.receivers import BODIES, SECRET, TOKEN, genuine, identity, pushed, receiver, signature
from weir.notify.hooks import Accepted, HookRequest, Refused, hook_path, judge, receiver_path
from weir.notify.id_token import Identity
from weir.notify.replay import MOST, WINDOW, ReplayWindow
from weir.spec.receiver import OIDC, TOKEN_TYPES, TYPES

PROVEN = ("generic-hmac", "github", "gitlab", "bitbucket", "harbor", "nexus")
SHAPED = ("github", "nexus", "dockerhub", "quay", "gcr", "acr", "cdevents")
EVENTS = {
    "github": "push",
    "gitlab": "Push Hook",
    "bitbucket": "repo:refs_changed",
    "cdevents": "dev.cdevents.change.merged.0.2.0",
}


def test_the_path_is_that_of_flux() -> None:
    """sha256 of `secretpushapps`, computed by sha256sum."""
    want = "/hook/765a130a5212b88d4b793ef647c244208922b2b2dbbdfcfbb5f7d7cbdfc8eb97"
    assert hook_path(b"secret", "push", "apps") == want


@pytest.mark.parametrize("kind", TYPES)
def test_what_a_service_sends_is_accepted(kind: str) -> None:
    verdict = judge(receiver(type=kind), SECRET, genuine(kind), identity(kind))
    assert isinstance(verdict, Accepted)
    assert verdict.event == EVENTS.get(kind, "")


@pytest.mark.parametrize("kind", PROVEN)
@pytest.mark.parametrize("token", [b"", b"another", TOKEN + b"\n", TOKEN[:-1]])
def test_another_token_is_refused(kind: str, token: bytes) -> None:
    verdict = judge(receiver(type=kind), {"token": token}, genuine(kind))
    assert isinstance(verdict, Refused)
    assert verdict.status == (400 if token else 503)


@pytest.mark.parametrize("kind", PROVEN)
def test_without_a_proof_it_is_refused(kind: str) -> None:
    request = genuine(kind)
    bare = HookRequest(headers={"content-type": "application/json"}, body=request.body)
    verdict = judge(receiver(type=kind), SECRET, bare)
    assert isinstance(verdict, Refused)
    assert verdict.status == 400


@pytest.mark.parametrize("kind", ["generic-hmac", "github", "bitbucket", "nexus"])
def test_a_changed_body_is_refused(kind: str) -> None:
    request = genuine(kind)
    changed = HookRequest(headers=request.headers, body=request.body.replace(b"a", b"b", 1) + b" ")
    assert isinstance(judge(receiver(type=kind), SECRET, changed), Refused)


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != OIDC])
def test_a_receiver_without_a_token_accepts_nothing(kind: str) -> None:
    """An empty token would make the path and every signature guessable."""
    refused = Refused(503, "the Secret has no token")
    assert judge(receiver(type=kind), {}, genuine(kind), identity(kind)) == refused
    assert receiver_path(receiver(type=kind), {"token": b""}) == ""


@pytest.mark.parametrize("kind", TOKEN_TYPES)
def test_without_an_identity_it_is_refused(kind: str) -> None:
    refused = Refused(400, "no ID token proves anything")
    assert judge(receiver(type=kind), SECRET, genuine(kind)) == refused


def test_the_path_of_oidc_needs_no_secret() -> None:
    """sha256 of `pushapps`, computed by sha256sum."""
    want = "/hook/c06bbebc9e8230a40f840d24f91226e7218b948568394ce555d6927c3cd37928"
    assert receiver_path(receiver(type=OIDC), {}) == receiver_path(receiver(type=OIDC), SECRET) == want


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("generic-hmac", "x-signature"),
        ("github", "x-hub-signature-256"),
        ("bitbucket", "x-hub-signature-256"),
    ],
)
def test_sha512_counts_and_sha1_does_not(kind: str, header: str) -> None:
    body = b'{"ref": "main"}'

    def verdict(algorithm: str) -> Accepted | Refused:
        headers = {header: f"{algorithm}={signature(body, algorithm)}", "content-type": "application/json"}
        return judge(receiver(type=kind), SECRET, HookRequest(headers=headers, body=body))

    assert isinstance(verdict("sha256"), Accepted)
    assert isinstance(verdict("sha512"), Accepted)
    refused = Refused(400, f"{header} is not sha256=<hex> or sha512=<hex>")
    assert verdict("sha1") == refused
    assert verdict("md5") == refused


def test_the_stronger_header_of_github_decides() -> None:
    """GitHub sends both; a good weak one must not save a bad strong one."""
    good = genuine("github")
    headers = {
        **good.headers,
        "x-hub-signature": f"sha256={signature(good.body)}",
        "x-hub-signature-256": "sha256=0",
    }
    verdict = judge(receiver(), SECRET, HookRequest(headers=headers, body=good.body))
    assert verdict == Refused(400, "x-hub-signature-256 does not match the body")


def test_hex_may_be_in_capitals() -> None:
    request = genuine("generic-hmac", b"x", x_signature=f"sha256={signature(b'x').upper()}")
    assert isinstance(judge(receiver(type="generic-hmac"), SECRET, request), Accepted)


@pytest.mark.parametrize("kind", EVENTS)
def test_events_are_an_allow_list_in_any_case_of_letters(kind: str) -> None:
    allowed = receiver(type=kind, events=["other", EVENTS[kind].upper()])
    assert isinstance(judge(allowed, SECRET, genuine(kind)), Accepted)
    verdict = judge(receiver(type=kind, events=["other"]), SECRET, genuine(kind))
    assert verdict == Refused(400, f"the event {EVENTS[kind]!r} is not in spec.events")


@pytest.mark.parametrize("kind", sorted(set(TYPES) - set(EVENTS)))
def test_events_of_other_types_are_not_looked_at(kind: str) -> None:
    spec = receiver(type=kind, events=["other"])
    assert isinstance(judge(spec, SECRET, genuine(kind), identity(kind)), Accepted)


@pytest.mark.parametrize("kind", SHAPED)
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000], ids=range(6))
def test_a_body_that_is_no_object_is_refused(kind: str, body: bytes) -> None:
    refused = Refused(400, "the body is not a JSON object")
    assert judge(receiver(type=kind), SECRET, genuine(kind, body), identity(kind)) == refused


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("dockerhub", {"push_data": {}}),
        ("dockerhub", {"repository": "a/b"}),
        ("quay", {"docker_url": None}),
        ("quay", {"updated_tags": "1.2"}),
        ("acr", {"action": 1}),
        ("acr", {"target": {"tag": {}}}),
        ("nexus", {"repositoryName": []}),
        ("cdevents", {"context": {}}),
        ("cdevents", {"subject": {"id": "a", "content": "b"}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_body_of_another_form_is_refused(kind: str, change: dict[str, object]) -> None:
    body = json.dumps({**BODIES[kind], **change}).encode()
    want = Refused(400, f"the body is not what senders of type {kind} send")
    assert judge(receiver(type=kind), SECRET, genuine(kind, body)) == want


@pytest.mark.parametrize(
    "body",
    [{}, {"message": {}}, {"message": {"data": "?"}}, {"message": {"data": 1}}, pushed([]), pushed({"action": 1}),
     pushed({"action": "INSERT", "tag": []})],
    ids=range(7),
)  # fmt: skip
def test_a_push_that_carries_something_else_is_refused(body: object) -> None:
    request = genuine("gcr", json.dumps(body).encode())
    assert isinstance(judge(receiver(type="gcr"), SECRET, request, identity("gcr")), Refused)


def test_filters_see_what_a_push_carries() -> None:
    verdict = judge(receiver(type="gcr"), SECRET, genuine("gcr"), identity("gcr"))
    assert isinstance(verdict, Accepted)
    assert verdict.payload["tag"] == "gcr.io/a/b:1.2"
    assert verdict.claims == {}, "only those of OIDC are seen"


def test_filters_see_the_claims_of_oidc() -> None:
    verdict = judge(receiver(type=OIDC), {}, genuine(OIDC), identity(OIDC))
    assert isinstance(verdict, Accepted)
    assert verdict.claims["repository_owner"] == "us"


def test_an_acr_ping_and_a_nexus_audit_are_fine() -> None:
    assert isinstance(judge(receiver(type="acr"), SECRET, genuine("acr", b'{"action": "ping"}')), Accepted)
    assert isinstance(judge(receiver(type="nexus"), SECRET, genuine("nexus", b'{"audit": {}}')), Accepted)


def test_a_form_of_github_is_read() -> None:
    body = urlencode({"payload": json.dumps({"ref": "refs/heads/main"})}).encode()
    request = genuine("github", body, content_type="application/x-www-form-urlencoded")
    verdict = judge(receiver(resourceFilter="true"), SECRET, request)
    assert isinstance(verdict, Accepted)
    assert verdict.payload == {"ref": "refs/heads/main"}


def test_a_body_that_no_filter_looks_at_may_be_anything() -> None:
    plain = genuine("generic", b"\xff\xfe")
    assert isinstance(judge(receiver(type="generic"), SECRET, plain), Accepted)
    filtered = receiver(type="generic", resourceFilter="true")
    assert isinstance(judge(filtered, SECRET, plain), Refused)
    text = genuine("generic", b"\xff\xfe", content_type="text/plain")
    assert judge(filtered, SECRET, text) == Accepted(payload={})


def test_a_signed_delivery_is_known_by_its_body_whatever_its_headers_say() -> None:
    """An eavesdropper may change headers, but not what is signed."""
    first, again, other = (
        judge(receiver(), SECRET, request)
        for request in (
            genuine("github", x_github_delivery="1"),
            genuine("github", x_github_delivery="2", x_github_event="release", idempotency_key="3"),
            genuine("github", b'{"ref": "other"}'),
        )
    )
    assert isinstance(first, Accepted)
    assert isinstance(again, Accepted)
    assert isinstance(other, Accepted)
    assert first.delivery == again.delivery != b""
    assert first.delivery != other.delivery


def test_an_unsigned_delivery_is_known_by_its_name_only() -> None:
    """Quay sends the same body for every push of the same tag, so that alone is no repetition."""

    def delivery(kind: str, **headers: str) -> bytes:
        verdict = judge(receiver(type=kind), SECRET, genuine(kind, None, **headers))
        assert isinstance(verdict, Accepted)
        return verdict.delivery

    assert delivery("quay") == delivery("generic") == delivery("gitlab") == b""
    assert delivery("gitlab", idempotency_key="1") == delivery("gitlab", idempotency_key="1") != b""
    assert delivery("gitlab", idempotency_key="1") != delivery("gitlab", idempotency_key="2")
    assert delivery("gitlab", x_gitlab_event_uuid="1") != b""
    assert delivery("generic", idempotency_key="1") != delivery("quay", idempotency_key="1")


def test_the_same_token_with_the_same_body_is_one_delivery() -> None:
    def delivery(kind: str, signed: bytes, body: bytes, **headers: str) -> bytes:
        proven = Identity(claims={}, signed=signed)
        verdict = judge(receiver(type=kind), SECRET, genuine(kind, body, **headers), proven)
        assert isinstance(verdict, Accepted)
        return verdict.delivery

    first = delivery(OIDC, b"a", b"{}")
    assert delivery(OIDC, b"a", b"{}", idempotency_key="1", authorization="bearer  a") == first
    assert len({first, delivery(OIDC, b"b", b"{}"), delivery(OIDC, b"a", b"[]")}) == 3
    push = json.dumps(BODIES["gcr"]).encode()
    assert delivery("gcr", b"a", push) == delivery("gcr", b"b", push), "Google uses a token more than once"
    assert delivery("gcr", b"a", push) != delivery("gcr", b"a", push + b" ")


def test_secrets_are_in_no_repr_and_no_reason() -> None:
    request = genuine("gitlab", x_gitlab_token="CANARY-1", idempotency_key="CANARY-2")
    verdict = judge(receiver(type="gitlab"), {"token": b"CANARY-3"}, request)
    assert "CANARY" not in f"{request!r} {verdict!r}"


def test_a_delivery_counts_once_in_its_window() -> None:
    window = ReplayWindow()
    assert window.first(b"a", 100.0)
    assert not window.first(b"a", 100.0 + WINDOW - 0.001)
    assert window.first(b"b", 100.0 + WINDOW - 0.001)
    assert window.first(b"a", 100.0 + WINDOW)
    assert len(window) == 2


def test_a_forgotten_delivery_counts_again() -> None:
    window = ReplayWindow()
    assert window.first(b"a", 1.0)
    window.forget(b"a")
    window.forget(b"never")
    assert window.first(b"a", 1.0)


def test_the_window_holds_only_so_many() -> None:
    window = ReplayWindow()
    for index in range(MOST + 5):
        assert window.first(str(index).encode(), 1.0)
    assert len(window) == MOST
    assert not window.first(str(MOST + 4).encode(), 1.0)
    assert window.first(b"0", 1.0)
