"""From a webhook to the units it asks for: paths, statuses, filters, repetition, and Secrets read seldom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import pytest

from tests.support.receivers import FLEET, SECRET, TOKEN, genuine, receiver, units
from weir.notify.hooks import HookRequest, hook_path
from weir.notify.replay import WINDOW
from weir.objects.hook_targets import check_receiver, targets
from weir.spec.errors import ClusterError, SpecError
from weir.spec.header import Header
from weir.spec.identity import UnitId
from weir.spec.receiver import ReceiverSpec
from weir.watch.exchange import Request
from weir.watch.hook_secrets import FRESH, PAUSE
from weir.watch.receivers import Receivers

PATH = hook_path(TOKEN, "push", "apps")


class Place:
    """Receivers whose cluster, clock and listeners are in the test's hands."""

    def __init__(self, *specs: ReceiverSpec) -> None:
        self.now = 1000.0
        self.secrets: dict[tuple[str, str], Mapping[str, bytes] | None] = {("apps", "hook-token"): SECRET}
        self.reads = 0
        self.fails = False
        self.asked: list[Sequence[UnitId]] = []
        self.refused: list[tuple[UnitId, str]] = []
        self.broken: Exception | None = None
        self.receivers = self.unread()
        self.receivers.serve(specs or (receiver(),), units("fleet", "other"))

    def unread(self) -> Receivers:
        """Receivers as they are before the stack is read."""
        return Receivers(
            secret=self._secret,
            on_request=self._on_request,
            report=lambda unit, why: self.refused.append((unit, why)),
            clock=lambda: self.now,
        )

    def post(self, request: HookRequest | None = None, path: str = PATH) -> int:
        sent = request or genuine("github")
        early = self.receivers.refusal(path)
        answer = self.receivers.handle(
            Request(method="POST", path=path, headers=sent.headers, body=sent.body)
        )
        assert early in (None, answer), "what is refused early is refused for the same reason"
        return answer.status

    def _secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        self.reads += 1
        if self.fails:
            raise ClusterError("the cluster does not answer")
        return self.secrets.get((namespace, name))

    def _on_request(self, asked: Sequence[UnitId]) -> None:
        if self.broken:
            raise self.broken
        self.asked.append(asked)


def test_a_webhook_asks_for_its_units() -> None:
    place = Place()
    assert place.post() == HTTPStatus.OK
    assert place.asked == [(FLEET,)]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/hook/",
        "/hook/x",
        PATH[:-1],
        PATH + "0",
        PATH.upper(),
        hook_path(TOKEN, "apps", "push"),
        f"/{PATH}",
    ],
    ids=range(8),
)
def test_a_path_of_nobody_is_unknown(path: str) -> None:
    place = Place()
    assert place.post(path=path) == HTTPStatus.NOT_FOUND
    assert not place.asked
    assert not place.refused


def test_before_the_stack_is_read_a_webhook_is_to_be_sent_again() -> None:
    place = Place()
    place.receivers = place.unread()
    assert place.post() == HTTPStatus.SERVICE_UNAVAILABLE
    assert {place.post(path=path) for path in ("/hook/", "/hook/x", PATH[:-1])} == {HTTPStatus.NOT_FOUND}
    assert (place.reads, place.asked) == (0, [])
    place.receivers.serve((), {})
    assert place.post() == HTTPStatus.NOT_FOUND, "a stack without receivers was read"


def test_a_webhook_that_proves_nothing_is_refused_and_told_to_the_operator() -> None:
    place = Place()
    assert place.post(genuine("gitlab")) == HTTPStatus.BAD_REQUEST
    assert place.refused == [(UnitId("Receiver", "apps", "push"), "found no x-hub-signature-256")]
    assert not place.asked


def test_a_suspended_receiver_answers_503() -> None:
    place = Place(receiver(suspend=True))
    assert place.post() == HTTPStatus.SERVICE_UNAVAILABLE
    assert not place.asked


@pytest.mark.parametrize("secret", [None, {}, {"token": b""}], ids=["absent", "without token", "empty"])
def test_a_receiver_without_a_token_has_no_path(secret: Mapping[str, bytes] | None) -> None:
    """Not even the one that follows from an empty token."""
    place = Place(receiver(type="generic"))
    place.secrets[("apps", "hook-token")] = secret
    for token in (TOKEN, b""):
        assert place.post(genuine("generic"), hook_path(token, "push", "apps")) == HTTPStatus.NOT_FOUND
    want = "Secret/apps/hook-token: found no token; until it has one, the receiver has no path"
    assert place.refused == [(UnitId("Receiver", "apps", "push"), want)]


def test_a_cluster_that_does_not_answer_makes_it_503_and_is_left_in_peace() -> None:
    place = Place()
    place.fails = True
    assert {place.post() for _ in range(50)} == {HTTPStatus.SERVICE_UNAVAILABLE}
    assert place.reads == 1
    assert [why for _, why in place.refused] == ["its Secret cannot be read: the cluster does not answer"]
    place.fails = False
    place.now += PAUSE
    assert place.post() == HTTPStatus.OK


def test_one_secret_that_cannot_be_read_does_not_stop_other_receivers() -> None:
    place = Place()
    assert place.post() == HTTPStatus.OK
    place.receivers.serve((receiver(secretRef={"name": "new"}), receiver()), units("fleet"))
    place.fails = True
    assert place.post(genuine("github", b"{}")) == HTTPStatus.OK


def test_a_secret_is_read_once_a_minute_however_many_webhooks_come() -> None:
    place = Place(receiver(type="generic"))
    for _ in range(100):
        assert place.post(genuine("generic")) == HTTPStatus.OK
        assert place.post(path="/hook/" + "0" * 64) == HTTPStatus.NOT_FOUND
    assert place.reads == 1
    place.secrets[("apps", "hook-token")] = {"token": b"new"}
    place.now += FRESH
    assert place.post(genuine("generic")) == HTTPStatus.NOT_FOUND
    assert place.post(genuine("generic"), hook_path(b"new", "push", "apps")) == HTTPStatus.OK
    assert place.reads == 2


def test_a_repeated_delivery_is_answered_and_asks_for_nothing() -> None:
    place = Place()
    assert [place.post(), place.post(), place.post()] == [HTTPStatus.OK] * 3
    assert len(place.asked) == 1
    place.now += WINDOW
    assert place.post() == HTTPStatus.OK
    assert len(place.asked) == 2


def test_a_delivery_that_could_not_be_passed_on_may_come_again() -> None:
    place = Place()
    place.broken = RuntimeError()
    with pytest.raises(RuntimeError):
        place.post()
    place.broken = ClusterError("the leader's record cannot be written")
    assert place.post() == HTTPStatus.SERVICE_UNAVAILABLE
    place.broken = None
    assert place.post() == HTTPStatus.OK
    assert len(place.asked) == 1


def test_a_refused_webhook_does_not_use_up_the_genuine_one() -> None:
    place = Place()
    forged = HookRequest(headers={"x-hub-signature-256": "sha256=0"}, body=genuine("github").body)
    assert place.post(forged) == HTTPStatus.BAD_REQUEST
    assert place.post() == HTTPStatus.OK
    assert len(place.asked) == 1


def test_a_filter_that_fails_refuses_the_webhook_without_showing_its_body() -> None:
    place = Place(receiver(resourceFilter="req.count.startsWith('x')"))
    assert place.post(genuine("github", b'{"count": 12345678}')) == HTTPStatus.BAD_REQUEST
    assert not place.asked
    assert "12345678" not in str(place.refused)
    assert "f.yaml: Receiver/apps/push" in str(place.refused)


def ids(*found: UnitId) -> list[str]:
    return [unit.name for unit in found]


STAR = {"kind": "GitRepository", "name": "*", "matchLabels": {"team": "a"}}


def test_units_are_those_by_name_and_by_label_each_once_in_order() -> None:
    known = {**units("b", "a", team="a"), **units("c", team="b"), **units("fleet")}
    spec = receiver(resources=[{"kind": "GitRepository", "name": "b"}, STAR, {"kind": "Bucket", "name": "a"}])
    assert ids(*targets(spec, known, {})) == ["a", "b"]
    assert targets(spec, {}, {}) == ()


def test_a_name_is_no_pattern() -> None:
    """What a webhook or a document says is compared, never searched for (S43)."""
    spec = receiver(resources=[{"kind": "GitRepository", "name": "f.eet"}])
    assert targets(spec, units("fleet"), {}) == ()


def test_both_filters_have_to_hold() -> None:
    spec = receiver(
        resources=[{**STAR, "filter": "res.metadata.name == req.name"}],
        resourceFilter="req.tag.startsWith('v')",
    )
    known = units("a", "b", team="a")
    assert ids(*targets(spec, known, {"name": "a", "tag": "v1"})) == ["a"]
    assert ids(*targets(spec, known, {"name": "a", "tag": "1"})) == []


def test_a_filter_sees_the_metadata_and_a_field_that_is_not_there_is_no_match() -> None:
    spec = receiver(
        resourceFilter="res.metadata.annotations['image'] == req.image && res.kind == 'GitRepository'"
    )
    marked = Header(id=FLEET, labels={}, annotations={"image": "web"})
    assert targets(spec, {FLEET: marked}, {"image": "web"}) == (FLEET,)
    assert targets(spec, {FLEET: marked}, {}) == ()
    assert targets(spec, units("fleet"), {"image": "web"}) == ()


def nested(levels: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(levels):
        inner = [inner]
    return inner


@pytest.mark.parametrize("value", [2**64 - 1, 1e300, nested(1020)], ids=["over 63 bits", "large", "nested"])
def test_numbers_and_depths_that_cel_has_not_are_no_surprise(value: Any) -> None:
    try:
        assert targets(receiver(resourceFilter="has(req.a)"), units("fleet"), {"a": value}) == (FLEET,)
    except SpecError as err:
        assert "f.yaml: Receiver/apps/push: " in str(err)  # noqa: PT017 - both ways are right


def test_the_work_of_filters_is_bounded() -> None:
    spec = receiver(resources=[STAR], resourceFilter="true")
    known = units(*(f"a{index}" for index in range(11)), team="a")
    with pytest.raises(SpecError, match="over 1000000 values to look at"):
        targets(spec, known, {"a": list(range(100_000))})


def test_a_receiver_that_is_refused_is_not_ready_as_long_as_its_path_is_known() -> None:
    place = Place()
    place.receivers.serve((), units("fleet"), refused=(receiver(),))
    assert place.post() == HTTPStatus.SERVICE_UNAVAILABLE
    assert not place.asked
    assert place.post(path=hook_path(b"other", "push", "apps")) == HTTPStatus.NOT_FOUND
    place.now += FRESH
    place.secrets.clear()
    assert place.post() == HTTPStatus.NOT_FOUND


def test_a_receiver_whose_filters_cannot_be_read_is_refused_before_it_serves() -> None:
    check_receiver(receiver(resourceFilter="req.a == res.kind"), same_namespace=True)
    with pytest.raises(SpecError, match="expected one of the variables req, res"):
        check_receiver(receiver(resourceFilter="claims.a == 'b'"), same_namespace=False)
    with pytest.raises(SpecError, match="not readable"):
        check_receiver(receiver(resources=[{**STAR, "filter": "a b"}]), same_namespace=False)


def test_other_namespaces_are_refused_where_the_stack_says_so() -> None:
    spec = receiver(resources=[{"kind": "GitRepository", "name": "a", "namespace": "other"}])
    check_receiver(spec, same_namespace=False)
    with pytest.raises(SpecError, match=r"spec\.resources\[0\]\.namespace: found 'other', expected apps"):
        check_receiver(spec, same_namespace=True)
