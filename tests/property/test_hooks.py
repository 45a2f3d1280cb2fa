"""S33, S54: whatever webhook comes in, nothing is raised, and nothing counts without the right secret."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.receivers import SECRET, TOKEN, genuine, receiver, signature, units
from weir.notify.hook_payload import read_form, read_object
from weir.notify.hooks import Accepted, HookRequest, Refused, hook_path, judge
from weir.notify.replay import MOST, WINDOW, ReplayWindow
from weir.objects.hook_targets import targets
from weir.spec.errors import SpecError
from weir.spec.receiver import TYPES
from weir.watch.exchange import Request
from weir.watch.receivers import Receivers

pytestmark = pytest.mark.property

PROVEN = ("generic-hmac", "github", "gitlab", "bitbucket", "harbor", "nexus")
_NAMES = st.sampled_from(
    ["x-signature", "x-hub-signature", "x-hub-signature-256", "x-gitlab-token", "authorization",
     "x-nexus-webhook-signature", "x-github-event", "ce-type", "ce-id", "content-type", "idempotency-key"]
)  # fmt: skip
_VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["sha256=", "sha512=", "sha1=", "=", "application/json", "application/json; charset=utf-8"]
    ),
    st.binary(max_size=32).map(lambda raw: f"sha256={raw.hex()}"),
)
_HEADERS = st.dictionaries(_NAMES | st.text(max_size=20), _VALUES, max_size=8)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70).map(lambda n: n % 2**64)
    | st.floats()
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
_OBJECTS = st.dictionaries(
    st.sampled_from(["action", "context", "subject", "push_data", "docker_url"]), _JSON
)
_BODIES = st.binary(max_size=200) | (_JSON | _OBJECTS).map(orjson.dumps)


@settings(max_examples=50)
@given(st.sampled_from(TYPES), _HEADERS, _BODIES, st.booleans())
def test_any_request_is_judged(kind: str, headers: dict[str, str], body: bytes, filtered: bool) -> None:
    spec = receiver(type=kind, resourceFilter="has(req.action) && res.kind != ''" if filtered else "")
    assert isinstance(judge(spec, SECRET, HookRequest(headers=headers, body=body)), Accepted | Refused)


@settings(max_examples=50)
@given(st.sampled_from(PROVEN), _HEADERS, _BODIES)
def test_no_request_counts_without_the_token(kind: str, headers: dict[str, str], body: bytes) -> None:
    verdict = judge(receiver(type=kind), SECRET, HookRequest(headers=headers, body=body))
    assert isinstance(verdict, Refused)
    assert verdict.status == 400


@given(st.sampled_from(PROVEN), st.binary(max_size=40))
def test_a_webhook_made_with_another_token_never_counts(kind: str, token: bytes) -> None:
    verdict = judge(receiver(type=kind), {"token": token}, genuine(kind))
    assert isinstance(verdict, Accepted) == (token == TOKEN)


@given(st.binary(max_size=100), st.binary(max_size=100), st.sampled_from(["sha256", "sha512"]))
def test_a_signature_is_good_for_its_body_only(signed: bytes, sent: bytes, algorithm: str) -> None:
    headers = {"x-signature": f"{algorithm}={signature(signed, algorithm)}"}
    verdict = judge(receiver(type="generic-hmac"), SECRET, HookRequest(headers=headers, body=sent))
    assert isinstance(verdict, Accepted) == (signed == sent)


@settings(max_examples=50)
@given(st.text(max_size=80) | st.from_regex(r"/hook/[0-9a-f]{64}", fullmatch=True), _HEADERS, _BODIES)
def test_no_path_but_the_receivers_own_reaches_anything(
    path: str, headers: dict[str, str], body: bytes
) -> None:
    """For types that prove nothing else the path is the secret."""
    asked: list[object] = []
    receivers = Receivers(secret=lambda *_: SECRET, on_request=asked.append, report=lambda *_: None)
    receivers.serve([receiver(type="generic")], units("fleet"))
    own = hook_path(TOKEN, "push", "apps")
    assert receivers.handle(Request(method="POST", path=own, headers=headers, body=body)).status == 200
    assert len(asked) == 1
    assert receivers.handle(Request(method="POST", path=path, headers=headers, body=body)).status == 404
    assert len(asked) == 1


@settings(max_examples=50)
@given(
    _OBJECTS,
    st.sampled_from(["has(req.action)", "req.action == 'push'", "req.context.a > 1", "size(req) < 3"]),
)
def test_any_body_gives_units_or_an_error_that_names_the_receiver(
    payload: dict[str, object], expr: str
) -> None:
    plain = read_object(orjson.dumps(payload))
    assert plain is not None
    try:
        assert len(targets(receiver(resourceFilter=expr), units("fleet"), plain)) <= 1
    except SpecError as err:
        assert "f.yaml: Receiver/apps/push" in str(err)  # noqa: PT017 - both ways are right


@given(st.binary(max_size=200))
def test_any_bytes_are_read_as_a_form_and_as_json(body: bytes) -> None:
    assert isinstance(read_form(body), bytes)
    assert read_object(body) is None or isinstance(read_object(body), dict)


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, WINDOW / 2)), max_size=60))
def test_a_delivery_counts_exactly_once_in_every_window(steps: list[tuple[int, float]]) -> None:
    window = ReplayWindow()
    counted: dict[bytes, float] = {}
    now = 0.0
    for key, pause in steps:
        now += pause
        name = bytes([key])
        news = name not in counted or now - counted[name] >= WINDOW
        assert window.first(name, now) is news
        if news:
            counted[name] = now
        assert len(window) <= MOST
