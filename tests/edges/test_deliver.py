"""Deliveries to a real server that is down, slow, busy or unwilling: each arrives once, or is told to be lost."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.delivery import NO_LABELS, NOW, ONCE, Secrets, go
from tests.support.events import COMMIT, UNIT, event
from tests.support.notices import alert, provider
from tests.support.sink import Sink, running_sink
from weir.edges.outbox import Entry, Outbox
from weir.flow.deliver import LONGEST
from weir.flow.events import COMMIT_STATUS, UPDATE
from weir.spec.event import Severity
from weir.spec.identity import UnitId
from weir.spec.provider import ProviderSpec
from weir.spec.stack import OptionsConfig


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """An empty outbox."""
    return Outbox(tmp_path / "outbox")


def put(outbox: Outbox, *messages: str, at: float = NOW) -> None:
    assert outbox.put([(event(one), NO_LABELS) for one in messages], at) == len(messages)


def test_an_event_arrives_once_in_flux_form(outbox: Outbox, sink: Sink) -> None:
    put(outbox, "Deployment/prod/web configured")
    done = go(outbox, provider(sink.url))
    assert (done.sent, done.left, done.lost) == (1, 0, [])
    assert go(outbox, provider(sink.url)).sent == 0
    (got,) = sink.got
    assert (got.method, got.json["reason"]) == ("POST", "ReconciliationSucceeded")
    assert got.json["involvedObject"]["name"] == "apps"
    assert got.json["metadata"]["revision"] == f"main@sha1:{COMMIT}"


def test_fifty_events_of_an_outage_arrive_once_each_and_in_order(outbox: Outbox, sink: Sink) -> None:
    """R24: the sink is down while everything happens; afterwards nothing is missing and nothing comes twice."""
    sink.down = True
    for ten in range(5):
        put(outbox, *(f"change {ten}{one}" for one in range(10)), at=NOW + ten)
        go(outbox, provider(sink.url), at=NOW + 60 * ten, budget=ONCE)
    assert sink.got
    assert len(outbox) == 50
    assert sink.messages() == []
    sink.down = False
    done = go(outbox, provider(sink.url), at=NOW + 7200, budget=30.0)
    assert (done.sent, done.left, done.lost, len(outbox)) == (50, 0, [], 0)
    assert sink.messages() == [f"change {number:02}" for number in range(50)]


def test_a_server_error_is_tried_again_after_a_growing_pause(outbox: Outbox, sink: Sink) -> None:
    sink.answers[:] = [500, 0]
    put(outbox, "a")
    began = time.monotonic()
    done = go(outbox, provider(sink.url), budget=60.0)
    assert done.sent == 1
    assert [one.status for one in sink.got] == [500, 0, 200]
    assert 3.0 <= time.monotonic() - began < 20.0


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(outbox: Outbox, sink: Sink) -> None:
    sink.answers[:] = [429]
    sink.headers["Retry-After"] = "120"
    put(outbox, "a", "b")
    done = go(outbox, provider(sink.url))
    assert (done.sent, done.left, len(sink.got)) == (0, 2, 1)
    assert "429" in next(iter(done.delayed.values()))
    assert go(outbox, provider(sink.url), at=NOW + 60).sent == 0
    assert len(sink.got) == 1
    assert go(outbox, provider(sink.url), at=NOW + 130).sent == 2


@pytest.mark.parametrize("status", [400, 401, 404, 422, 302])
def test_what_the_server_will_never_take_is_told_and_gone(outbox: Outbox, sink: Sink, status: int) -> None:
    sink.answers[:] = [status]
    sink.headers["Location"] = "/elsewhere"
    put(outbox, "a")
    done = go(outbox, provider(sink.url))
    assert (done.sent, done.left, len(outbox), len(sink.got)) == (0, 0, 0, 1)
    assert str(status) in done.lost[0]
    assert str(UNIT) in done.lost[0]


def test_a_redirect_gets_no_credentials(outbox: Outbox, sink: Sink) -> None:
    with running_sink() as other:
        sink.answers[:] = [307]
        sink.headers["Location"] = other.url
        put(outbox, "a")
        secrets = Secrets(sink={"token": b"very-secret"})
        done = go(outbox, provider(sink.url, "generic-hmac", secretRef={"name": "sink"}), clusters=secrets)
        assert done.lost
        assert other.got == []
        assert sink.got[0].headers["x-signature"].startswith("sha256=")


def test_a_server_that_hangs_costs_its_timeout_and_holds_up_no_other(outbox: Outbox, sink: Sink) -> None:
    with running_sink() as slow:
        slow.hang = threading.Event()
        put(outbox, "a")
        began = time.monotonic()
        hanging = provider(slow.url, name="slow", timeout="1s")
        done = go(outbox, hanging, provider(sink.url), budget=3.0)
        assert time.monotonic() - began < 20.0
        assert (done.sent, done.left) == (1, 1)
        assert sink.messages() == ["a"]
        assert "no answer in time" in done.delayed[hanging.id]


def test_what_cannot_be_delivered_for_a_day_is_given_up(outbox: Outbox, sink: Sink) -> None:
    sink.down = True
    put(outbox, "a")
    go(outbox, provider(sink.url), budget=ONCE)
    done = go(outbox, provider(sink.url), at=NOW + LONGEST + 1)
    assert len(outbox) == 0
    assert "given up after a day" in done.lost[0]


def test_a_missing_secret_may_still_come(outbox: Outbox, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weir.flow.deliver.FIRST_PAUSE", 100.0)
    put(outbox, "a")
    wanted = provider(sink.url, "generic-hmac", secretRef={"name": "sink"})
    done = go(outbox, wanted, budget=60.0)
    assert done.left == 1
    assert "Secret/flux-system/sink" in done.delayed[wanted.id]
    assert go(outbox, wanted, at=NOW + 200, clusters=Secrets(sink={"token": b"key"})).sent == 1


def test_events_go_to_the_alerts_they_set_off(outbox: Outbox, sink: Sink) -> None:
    labelled = [{"kind": "Kustomization", "name": "*", "matchLabels": {"team": "a"}}]
    alerts = [alert(name="team", eventSources=labelled), alert(name="errors", eventSeverity="error")]
    outbox.put([(event("mine"), {"team": "a"}), (event("other"), {"team": "b"})], NOW)
    outbox.put([(event("broken", severity=Severity.ERROR), NO_LABELS)], NOW)
    done = go(outbox, provider(sink.url), alerts=alerts)
    assert done.sent == 2
    assert sorted(sink.messages()) == ["broken", "mine"]
    assert len(outbox) == 0


def test_without_cross_namespace_references_an_alert_sees_its_own_namespace(
    outbox: Outbox, sink: Sink
) -> None:
    far = UnitId("Kustomization", "tenant", "apps")
    outbox.put([(event("far", unit=far), NO_LABELS)], NOW)
    wide = [alert(eventSources=[{"kind": "Kustomization", "name": "*", "namespace": "tenant"}])]
    strict = Secrets(OptionsConfig(no_cross_namespace_refs=True))
    assert go(outbox, provider(sink.url), alerts=wide, clusters=strict).sent == 0
    assert sink.got == []
    put(outbox, "near")
    outbox.put([(event("far again", unit=far), NO_LABELS)], NOW)
    assert go(outbox, provider(sink.url), alerts=wide).sent == 1
    assert sink.messages() == ["far again"]


def waiting(outbox: Outbox, sink: Sink, message: str = "a") -> ProviderSpec:
    """The provider that a notification waits for."""
    sink.down = True
    put(outbox, message)
    to = provider(sink.url)
    assert go(outbox, to, budget=ONCE).left == 1
    sink.down = False
    return to


def test_what_waits_for_an_alert_or_a_provider_that_is_gone_is_told_to_be_lost(
    outbox: Outbox, sink: Sink
) -> None:
    to = waiting(outbox, sink)
    renamed = [alert(name="renamed")]
    (lost,) = go(outbox, to, alerts=renamed, at=NOW + 60).lost
    assert lost.startswith(f"Provider/flux-system/sink: Alert/flux-system/to-sink is gone: {UNIT} ")
    waiting(outbox, sink, "b")
    (lost,) = go(outbox, alerts=[alert(name="to-sink")], at=NOW + 60).lost
    assert lost.startswith("Provider/flux-system/sink: it is gone, ")
    assert (len(outbox), sink.messages()) == (0, [])


def test_what_is_suspended_is_not_sent_and_not_called_lost(outbox: Outbox, sink: Sink) -> None:
    waiting(outbox, sink)
    assert go(outbox, provider(sink.url, suspend=True), at=NOW + 60).lost == []
    to = waiting(outbox, sink, "b")
    suspended = [alert(name="to-sink", suspend=True)]
    assert go(outbox, to, alerts=suspended, at=NOW + 60).lost == []
    assert (len(outbox), sink.messages()) == (0, [])


@pytest.mark.parametrize("broken", ["Provider/flux-system/sink", "Alert/flux-system/to-sink"])
def test_what_is_for_a_document_that_cannot_be_read_waits_for_it(
    outbox: Outbox, sink: Sink, broken: str
) -> None:
    to, known = waiting(outbox, sink), alert(name="to-sink")
    unreadable = {UnitId.parse(broken): "spec.adress: unknown"}
    rest = [] if broken.startswith("Provider") else [to]
    alerts = [known] if broken.startswith("Provider") else []
    done = go(outbox, *rest, alerts=alerts, unreadable=unreadable, at=NOW + 60)
    assert (done.left, done.lost, done.delayed) == (1, [], {to.id: "spec.adress: unknown"})
    assert go(outbox, to, alerts=[known], at=NOW + 120, budget=60.0).sent == 1
    assert sink.messages() == ["a"]


def test_what_happens_while_a_provider_cannot_be_read_is_told_when_it_can_be(
    outbox: Outbox, sink: Sink
) -> None:
    to, known = provider(sink.url), alert(name="to-sink")
    quiet = event("the revision alone")
    quiet = replace(quiet, metadata={**quiet.metadata, COMMIT_STATUS: UPDATE})
    outbox.put([(event("a"), NO_LABELS), (quiet, NO_LABELS)], NOW)
    assert go(outbox, alerts=[known], unreadable={to.id: "no"}).left == 2
    assert len(outbox) == 2
    done = go(outbox, to, alerts=[known], at=NOW + 60, budget=60.0)
    assert (done.sent, done.left, done.lost) == (1, 0, [])
    assert sink.messages() == ["a"]


def test_what_waits_for_a_document_that_cannot_be_read_is_given_up_after_a_day(outbox: Outbox) -> None:
    to, known = provider("https://sink.example"), alert(name="to-sink")
    put(outbox, "a")
    done = go(outbox, alerts=[known], unreadable={to.id: "no"}, at=NOW + LONGEST + 1)
    assert "given up after a day" in done.lost[0]
    assert len(outbox) == 0


def test_an_event_that_comes_in_while_others_are_sorted_out_is_not_lost(tmp_path: Path, sink: Sink) -> None:
    class Busy(Outbox):
        """Gets another event whenever one is divided."""

        def divide(self, entry: Entry, deliveries: Sequence[Entry]) -> None:
            super().divide(entry, deliveries)
            if entry.event.message == "a":
                put(self, "b")

    outbox = Busy(tmp_path / "outbox")
    put(outbox, "a")
    done = go(outbox, provider(sink.url), budget=60.0)
    assert (done.sent, done.left, done.lost) == (1, 1, [])
    go(outbox, provider(sink.url), budget=60.0)
    assert sink.messages() == ["a", "b"]


def test_a_round_beside_another_sends_nothing(outbox: Outbox, sink: Sink) -> None:
    put(outbox, "a")
    with outbox.delivering() as alone:
        assert alone
        assert go(outbox, provider(sink.url)).sent == 0
    assert go(outbox, provider(sink.url)).sent == 1


def test_a_stop_ends_a_round_that_waits(outbox: Outbox, sink: Sink) -> None:
    sink.down = True
    put(outbox, "a")
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    began = time.monotonic()
    go(outbox, provider(sink.url), budget=60.0, stop=stop)
    assert time.monotonic() - began < 20.0
    assert len(outbox) == 1


def test_a_slow_service_has_its_whole_timeout_and_gets_nothing_twice(outbox: Outbox, sink: Sink) -> None:
    sink.hang = threading.Event()
    put(outbox, "a", "b")
    threading.Timer(5.0, sink.hang.set).start()
    done = go(outbox, provider(sink.url, timeout="10s"), budget=5.0)
    assert (done.sent, done.left) == (1, 1), "the budget decides whether another one begins"
    assert go(outbox, provider(sink.url, timeout="10s"), at=NOW + 60).sent == 1
    assert [one.json["message"] for one in sink.got] == ["a", "b"]


def test_a_stop_ends_a_send_that_gets_no_answer(outbox: Outbox, sink: Sink) -> None:
    sink.hang = threading.Event()
    put(outbox, "a")
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    began = time.monotonic()
    done = go(outbox, provider(sink.url, timeout="60s"), stop=stop)
    assert time.monotonic() - began < 20.0
    assert (done.sent, done.left, done.lost, len(outbox)) == (0, 1, [], 1)


class Heard(threading.Event):
    """Lets requests hang, and says when one came."""

    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.came.set()
        return super().wait(timeout)


def test_a_send_that_ends_just_after_a_stop_counts(
    outbox: Outbox, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weir.flow.deliver._LAST_WORDS", 30.0)
    hang = sink.hang = Heard()
    put(outbox, "a")
    stop = threading.Event()

    def cancel() -> None:
        hang.came.wait(30)
        stop.set()
        time.sleep(0.2)
        hang.set()

    threading.Thread(target=cancel, daemon=True).start()
    done = go(outbox, provider(sink.url), stop=stop, budget=30.0)
    assert (done.sent, len(outbox)) == (1, 0)


def test_an_update_of_the_revision_alone_is_for_commits_only(outbox: Outbox, sink: Sink) -> None:
    quiet = event("Applied revision")
    quiet = replace(quiet, metadata={**quiet.metadata, COMMIT_STATUS: UPDATE})
    outbox.put([(quiet, NO_LABELS)], NOW)
    status = provider(f"{sink.url}/team/app", "gitea", "forge", secretRef={"name": "forge"})
    done = go(outbox, provider(sink.url), status, clusters=Secrets(forge={"token": b"t0ken"}))
    assert done.sent == 1
    (got,) = sink.got
    assert got.path == f"/api/v1/repos/team/app/statuses/{COMMIT}"
    assert got.headers["authorization"] == "token t0ken"
    assert got.json["state"] == "success"


def test_a_commit_status_is_named_by_an_expression(outbox: Outbox, sink: Sink) -> None:
    put(outbox, "a")
    expr = "event.involvedObject.kind + '/' + event.metadata.cluster"
    status = provider(f"{sink.url}/team/app", "gitea", secretRef={"name": "forge"}, commitStatusExpr=expr)
    known = [alert(eventMetadata={"cluster": "prod-1"})]
    assert go(outbox, status, alerts=known, clusters=Secrets(forge={"token": b"t0ken"})).sent == 1
    assert sink.got[0].json["context"] == "Kustomization/prod-1"


def test_an_event_that_an_expression_cannot_name_holds_up_none_after_it(outbox: Outbox, sink: Sink) -> None:
    unnamed, named = event("unnamed"), event("named")
    named = replace(named, metadata={**named.metadata, "event.toolkit.fluxcd.io/cluster": "prod-1"})
    outbox.put([(unnamed, NO_LABELS), (named, NO_LABELS)], NOW)
    expr = "event.metadata.cluster"
    status = provider(f"{sink.url}/team/app", "gitea", secretRef={"name": "forge"}, commitStatusExpr=expr)
    done = go(outbox, status, clusters=Secrets(forge={"token": b"t0ken"}), budget=60.0)
    assert (done.sent, done.left, len(outbox)) == (1, 0, 0)
    assert [one.json["context"] for one in sink.got] == ["prod-1"]
    (lost,) = done.lost
    assert "spec.commitStatusExpr" in lost
    assert "reads a field that is not there" in lost


def test_an_expression_is_not_asked_about_an_event_without_a_commit(outbox: Outbox, sink: Sink) -> None:
    outbox.put([(event("chart", metadata={"revision": "6.5.0"}), NO_LABELS)], NOW)
    expr = "event.metadata.cluster"
    status = provider(f"{sink.url}/team/app", "gitea", secretRef={"name": "forge"}, commitStatusExpr=expr)
    done = go(outbox, status, clusters=Secrets(forge={"token": b"t0ken"}), budget=60.0)
    assert (done.lost, done.left, len(outbox), sink.got) == ([], 0, 0, [])


def test_slack_says_no_in_an_answer_that_looks_fine(outbox: Outbox, sink: Sink) -> None:
    sink.body = b'{"ok": false, "error": "channel_not_found"}'
    put(outbox, "a")
    done = go(outbox, provider(f"{sink.url}/hook", "slack"))
    assert done.sent == 0
    assert "channel_not_found" in done.lost[0]


def test_a_service_that_gets_two_messages_gets_both_and_both_again_when_the_second_failed(
    outbox: Outbox, sink: Sink
) -> None:
    put(outbox, "a")
    sink.answers[:] = [202, 503, 202, 202]
    done = go(outbox, provider(sink.url, "pagerduty", channel="key"))
    assert (done.sent, done.left, done.lost, len(outbox)) == (1, 0, [], 0)
    assert [got.path for got in sink.got] == ["/v2/enqueue", "/v2/change/enqueue"] * 2


def test_no_secret_is_in_what_is_told_or_kept(outbox: Outbox, sink: Sink, tmp_path: Path) -> None:
    sink.body = b"you sent t0p-secret"
    sink.answers[:] = [400]
    put(outbox, "a")
    secret = {"token": b"t0p-secret", "address": f"{sink.url}/h0ok-secret".encode()}
    wanted = provider("", "slack", secretRef={"name": "slack"}, channel="general")
    told = repr(go(outbox, wanted, clusters=Secrets(slack=secret)))
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for text in ("t0p-secret", "h0ok-secret", base64.b64encode(b"t0p-secret").decode()):
        assert text not in told
        assert text.encode() not in kept
    assert sink.got
