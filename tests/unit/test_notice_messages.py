"""What each service is sent: URL, headers and body in its documented form, and what is refused."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest

from tests.support.alerts import SECRET, WEB, alert, event, provider, written
from weir.notify.http_message import HttpMessage
from weir.notify.messages.render import FORMS, render
from weir.notify.uid import uid
from weir.spec.errors import SpecError
from weir.spec.event import Event, Severity
from weir.spec.identity import UnitId
from weir.spec.provider import MESSAGE_TYPES

BAD = event(
    "a<b> & *c* [d](e) `f` @all",
    {"revision": "main@sha1:3f1c", "env": "<prod>"},
    severity=Severity.ERROR,
    reason="HealthCheckFailed",
)
TOKEN, BASIC = "Bearer t0ken-never-shown", "Basic Ym90OnBhc3N3MHJkLW5ldmVyLXNob3du"


def sent(kind: str, told: Event = BAD, **spec: Any) -> HttpMessage:
    return written(provider(kind, **spec), SECRET, told, alert(summary="Production"))


def body(kind: str, told: Event = BAD, **spec: Any) -> Any:
    return json.loads(sent(kind, told, **spec).body)


def test_there_is_a_form_for_every_type_of_message() -> None:
    assert set(FORMS) == set(MESSAGE_TYPES)


def test_generic_is_the_event_as_flux_writes_it() -> None:
    message = written(provider("generic"), {}, event(), alert(eventMetadata={"env": "prod"}))
    assert (message.method, message.url) == ("POST", "https://hooks.example/in")
    assert message.headers == {"Content-Type": "application/json", "Gotk-Component": "kustomize-controller"}
    assert json.loads(message.body) == {
        "involvedObject": {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "name": "web",
            "namespace": "apps",
            "uid": uid(WEB, "production"),
        },
        "severity": "info",
        "timestamp": "2026-11-21T21:00:00Z",
        "message": "Applied revision: main@sha1:3f1c",
        "reason": "ReconciliationSucceeded",
        "metadata": {"env": "prod", "revision": "main@sha1:3f1c"},
        "reportingController": "kustomize-controller",
        "reportingInstance": "weir/production",
    }


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("GitRepository", "source-controller"),
        ("HelmRelease", "helm-controller"),
        ("ImagePolicy", "image-reflector-controller"),
        ("ImageUpdateAutomation", "image-automation-controller"),
        ("Alert", "weir"),
    ],
)
def test_receivers_that_go_by_the_reporting_controller_find_flux_names(kind: str, name: str) -> None:
    unit = UnitId(kind, "apps", "web")
    message = written(provider("generic"), {}, event(unit=unit), alert())
    assert json.loads(message.body)["reportingController"] == name
    assert message.headers["Gotk-Component"] == name


def test_the_uid_of_a_unit_is_its_own_and_stays() -> None:
    assert uid(WEB, "production") == "fad61b71-dbe7-5959-9c9f-987870d0c097"
    assert UUID(uid(WEB, "production")).version == 5
    others = (uid(WEB, "staging"), uid(UnitId("GitRepository", "apps", "web"), "production"))
    assert len({uid(WEB, "production"), *others}) == 3


def test_generic_takes_headers_from_the_secret() -> None:
    secret = {"headers": b"authorization: Key 1\ncontent-type: application/cloudevents+json\n"}
    message = written(provider("generic", address="https://a:b@hooks.example/"), secret, event(), alert())
    assert message.url == "https://hooks.example/"
    assert message.headers == {
        "authorization": "Key 1",
        "content-type": "application/cloudevents+json",
        "Gotk-Component": "kustomize-controller",
    }


def test_generic_hmac_signs_the_body_with_the_token_as_it_is() -> None:
    secret = {"token": b"\xff\n", "headers": b"x-signature: sha256=00"}
    with pytest.raises(SpecError):
        written(provider("generic-hmac"), secret, event(), alert())
    message = written(provider("generic-hmac"), {**secret, "token": b"key\n"}, event(), alert())
    expected = hmac.new(b"key\n", message.body, hashlib.sha256).hexdigest()
    assert message.headers["X-Signature"] == f"sha256={expected}"
    assert "x-signature" not in message.headers


def test_the_secret_stands_before_the_spec() -> None:
    secret = {"address": b" https://hooks.example/secret\n", "username": b"robot"}
    message = written(provider("slack", username="spec"), secret, event(), alert())
    assert message.url == "https://hooks.example/secret"
    assert json.loads(message.body)["username"] == "robot"


def test_slack() -> None:
    message = sent("slack", address="https://slack.com/api/chat.postMessage")
    assert message.url == "https://slack.com/api/chat.postMessage"
    assert message.headers["Authorization"] == TOKEN
    assert json.loads(message.body) == {
        "username": "bot",
        "channel": "deploys",
        "attachments": [
            {
                "color": "danger",
                "author_name": "kustomization/web.apps",
                "fallback": "kustomization/web.apps: a&lt;b&gt; &amp; *c* [d](e) `f` @all",
                "text": "a&lt;b&gt; &amp; *c* [d](e) `f` @all",
                "mrkdwn_in": [],
                "fields": [
                    {"title": "summary", "value": "Production", "short": False},
                    {"title": "revision", "value": "main@sha1:3f1c", "short": False},
                    {"title": "env", "value": "&lt;prod&gt;", "short": False},
                ],
            }
        ],
    }


def test_a_slack_webhook_needs_no_secret() -> None:
    message = written(provider("slack"), {}, event(), alert())
    assert message.headers == {"Content-Type": "application/json"}
    assert json.loads(message.body)["attachments"][0]["color"] == "good"


def test_rocket_shows_texts_as_code() -> None:
    [attachment] = body("rocket", event("x ``` @all"))["attachments"]
    assert attachment["text"] == "```\nx ''' @all\n```"
    assert attachment["color"] == "#0076D7"


@pytest.mark.parametrize("path", ["/api/webhooks/1/abc", "/api/webhooks/1/abc/slack"])
def test_discord(path: str) -> None:
    message = sent("discord", address=f"https://discord.com{path}?thread_id=7")
    assert message.url == "https://discord.com/api/webhooks/1/abc?thread_id=7"
    payload = json.loads(message.body)
    assert payload["allowed_mentions"] == {"parse": []}
    assert payload["embeds"][0]["description"] == r"a\<b\> & \*c\* \[d\]\(e\) \`f\` \@all"
    assert payload["embeds"][0]["fields"][2] == {"name": "env", "value": r"\<prod\>", "inline": False}


def test_msteams_shows_texts_in_runs_that_hold_no_markup() -> None:
    [attachment] = body("msteams")["attachments"]
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert card["body"][1]["inlines"] == [{"type": "TextRun", "text": BAD.message, "color": "attention"}]
    assert [run["text"] for run in card["body"][4]["inlines"]] == ["env: ", "<prod>"]


def test_googlechat() -> None:
    [card] = body("googlechat")["cardsV2"]
    widgets = card["card"]["sections"][0]["widgets"]
    text = "a&lt;b&gt; &amp; *c* [d](e) `f` @all"
    assert widgets[0] == {"textParagraph": {"text": f'<font color="#d93025">{text}</font>'}}
    assert widgets[3] == {"decoratedText": {"topLabel": "env", "text": "&lt;prod&gt;", "wrapText": True}}


def test_lark_shows_plain_text() -> None:
    payload = body("lark")
    assert payload["msg_type"] == "interactive"
    assert payload["card"]["header"]["template"] == "red"
    content = f"{BAD.message}\nsummary: Production\nrevision: main@sha1:3f1c\nenv: <prod>"
    assert payload["card"]["elements"][0]["text"] == {"tag": "plain_text", "content": content}


@pytest.mark.parametrize(
    ("query", "sent_as"),
    [("", "format=full"), ("a=b", "a=b&format=full"), ("format=fields", "format=fields")],
)
def test_zoom(query: str, sent_as: str) -> None:
    message = sent("zoom", address=f"https://inbots.zoom.us/incoming/hook/x?{query}")
    assert message.url == f"https://inbots.zoom.us/incoming/hook/x?{sent_as}"
    assert message.headers["Authorization"] == "t0ken-never-shown"
    assert json.loads(message.body)["content"] == {
        "head": {"text": "kustomization/web.apps", "sub_head": {"text": "error"}},
        "body": [
            {"type": "message", "text": BAD.message},
            {
                "type": "fields",
                "items": [
                    {"key": "summary", "value": "Production"},
                    {"key": "revision", "value": "main@sha1:3f1c"},
                    {"key": "env", "value": "<prod>"},
                ],
            },
        ],
    }


@pytest.mark.parametrize("address", ["", "https://api.telegram.org", "https://api.telegram.org/"])
def test_telegram(address: str) -> None:
    secret = {"token": b"123:abc/.."}
    message = written(provider("telegram", address=address, channel="@ops:7"), secret, BAD, alert())
    assert message.url == "https://api.telegram.org/bot123:abc%2F../sendMessage"
    payload = json.loads(message.body)
    assert (payload["chat_id"], payload["message_thread_id"]) == ("@ops", "7")
    assert payload["text"].splitlines() == [
        "🚨 <code>kustomization/web.apps</code>",
        "<pre>a&lt;b&gt; &amp; *c* [d](e) `f` @all</pre>",
        "- <code>revision: main@sha1:3f1c</code>",
        "- <code>env: &lt;prod&gt;</code>",
    ]


def test_matrix_repeats_a_message_under_the_same_name() -> None:
    spec = provider("matrix", address="https://matrix.example", channel="!a/b:example.org")
    first, again, other = (written(spec, SECRET, told, alert()) for told in (BAD, BAD, event()))
    prefix = "https://matrix.example/_matrix/client/v3/rooms/%21a%2Fb%3Aexample.org/send/m.room.message/"
    assert (first.method, first.headers["Authorization"]) == ("PUT", TOKEN)
    assert first.url.startswith(prefix)
    assert first == again
    assert first.url != other.url
    assert json.loads(first.body)["m.mentions"] == {}
    assert json.loads(first.body)["body"].splitlines()[:2] == ["🚨 kustomization/web.apps", BAD.message]


def test_webex_sends_plain_text() -> None:
    message = sent("webex", address="https://webexapis.com/v1/messages")
    payload = json.loads(message.body)
    assert message.headers["Authorization"] == TOKEN
    assert set(payload) == {"roomId", "text"}
    assert BAD.message in payload["text"]


def test_zulip() -> None:
    message = sent("zulip")
    assert message.url == "https://hooks.example/api/v1/messages"
    assert message.headers == {
        "Authorization": BASIC,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    form = parse_qs(message.body.decode())
    assert (form["type"], form["to"], form["topic"]) == (["stream"], ["ops"], ["deploys"])
    assert form["content"][0].startswith(
        "🚨 `kustomization/web.apps`\n```\na<b> & *c* [d](e) `f` @all\n```\n"
    )


def test_pagerduty_opens_and_resolves_the_same_incident() -> None:
    message = sent("pagerduty", address="https://events.pagerduty.com/x")
    opened, resolved = json.loads(message.body), body("pagerduty", event())
    assert message.url == "https://events.pagerduty.com/v2/enqueue"
    assert (opened["routing_key"], opened["event_action"]) == ("deploys", "trigger")
    assert opened["payload"]["summary"] == f"kustomization/web.apps: HealthCheckFailed: {BAD.message}"
    assert (opened["payload"]["component"], opened["payload"]["group"]) == ("web", "Kustomization")
    assert resolved == {
        "routing_key": "deploys",
        "event_action": "resolve",
        "dedup_key": opened["dedup_key"],
    }


def test_pagerduty_shows_what_is_no_error_as_a_change_too() -> None:
    spec = provider("pagerduty", address="https://events.eu.pagerduty.com")
    assert len(render(spec, SECRET, BAD, alert())) == 1
    resolved, change = render(spec, SECRET, event(), alert())
    assert resolved.url == "https://events.eu.pagerduty.com/v2/enqueue"
    assert change.url == "https://events.eu.pagerduty.com/v2/change/enqueue"
    told = event()
    assert json.loads(change.body) == {
        "routing_key": "deploys",
        "payload": {
            "summary": f"kustomization/web.apps: ReconciliationSucceeded: {told.message}",
            "source": "weir production",
            "timestamp": told.at,
            "custom_details": {"message": told.message, "metadata": dict(told.metadata)},
        },
    }


def test_incident_io_fires_and_resolves_the_same_alert() -> None:
    message = sent("incident.io")
    firing, resolved = json.loads(message.body), body("incident.io", event())
    assert message.headers["Authorization"] == TOKEN
    assert firing == {
        "title": "kustomization/web.apps: HealthCheckFailed",
        "status": "firing",
        "deduplication_key": uid(WEB, "production"),
        "description": f"```\n{BAD.message}\n```",
        "metadata": {
            "summary": "Production",
            "revision": "main@sha1:3f1c",
            "env": "<prod>",
            "severity": "error",
            "reason": "HealthCheckFailed",
            "reportingController": "kustomize-controller",
        },
    }
    assert (resolved["status"], resolved["deduplication_key"]) == ("resolved", firing["deduplication_key"])


def test_opsgenie() -> None:
    message = sent("opsgenie", address="https://api.opsgenie.com/v2/alerts")
    payload = json.loads(message.body)
    assert message.headers["Authorization"] == "GenieKey t0ken-never-shown"
    assert payload["message"] == "kustomization/web.apps"
    assert payload["description"].startswith("a&lt;b&gt; &amp;")
    assert payload["details"]["severity"] == "error"


def test_sentry_gets_errors_as_events() -> None:
    message = sent("sentry", address="https://0123abcd@sentry.example:8443/sub/42", channel="staging")
    assert message.url == "https://sentry.example:8443/sub/api/42/envelope/"
    assert (
        message.headers["X-Sentry-Auth"]
        == "Sentry sentry_version=7, sentry_client=weir/1, sentry_key=0123abcd"
    )
    header, item, payload = (json.loads(line) for line in message.body.splitlines())
    assert (header["event_id"], item["type"]) == (payload["event_id"], "event")
    assert (payload["level"], payload["environment"]) == ("error", "staging")
    assert payload["message"] == {"formatted": BAD.message}
    assert payload["transaction"] == "Kustomization: apps/web"
    assert payload["extra"]["env"] == "<prod>"
    assert payload["tags"]["flux_reason"] == "HealthCheckFailed"


def test_sentry_gets_news_as_transactions() -> None:
    _, item, payload = (json.loads(line) for line in sent("sentry", event()).body.splitlines())
    assert (item["type"], payload["type"]) == ("transaction", "transaction")
    assert payload["start_timestamp"] == payload["timestamp"] == "2026-11-21T21:00:00Z"
    trace = payload["contexts"]["trace"]
    assert (len(trace["trace_id"]), len(trace["span_id"])) == (32, 16)


def test_alertmanager_has_labels_that_it_takes() -> None:
    told = event(
        metadata={"app.kubernetes.io/env": "prod", "1st": "x", "severity": "no"}, severity=Severity.ERROR
    )
    [found] = body("alertmanager", told)
    assert found["labels"] == {
        "app_kubernetes_io_env": "prod",
        "_1st": "x",
        "alertname": "FluxKustomizationReconciliationsucceeded",
        "severity": "error",
        "reason": "ReconciliationSucceeded",
        "kind": "Kustomization",
        "name": "web",
        "namespace": "apps",
        "reportingcontroller": "kustomize-controller",
    }
    assert found["annotations"] == {"message": told.message, "summary": "Production"}
    assert found["startsAt"] == "2026-11-21T21:00:00Z"


def test_alertmanager_signs_in_by_token_or_by_the_address() -> None:
    assert sent("alertmanager").headers["Authorization"] == TOKEN
    spec = provider("alertmanager", address="https://a%40b:c@am.example/api/v2/alerts/")
    message = written(spec, {}, event(), alert())
    assert message.url == "https://am.example/api/v2/alerts/"
    assert message.headers["Authorization"] == "Basic YUBiOmM="


def test_grafana() -> None:
    payload = body("grafana")
    assert payload["time"] == 1795294800000
    assert payload["text"].startswith("kustomization/web.apps: a&lt;b&gt;")
    assert payload["tags"] == [
        "flux",
        "kustomize-controller",
        "summary: Production",
        "revision: main@sha1|3f1c",
        "env: <prod>",
        "kind: Kustomization",
        "name: web",
        "namespace: apps",
    ]


def test_grafana_signs_in_by_password_without_a_token() -> None:
    secret = {key: SECRET[key] for key in ("username", "password")}
    assert written(provider("grafana"), secret, event(), alert()).headers["Authorization"] == BASIC


def test_datadog() -> None:
    message = sent("datadog", event("%%% \n# x"), address="https://api.datadoghq.eu")
    payload = json.loads(message.body)
    assert message.url == "https://api.datadoghq.eu/api/v1/events"
    assert message.headers["DD-API-KEY"] == "t0ken-never-shown"
    assert payload["title"] == "Events from the Kustomization web/apps"
    assert payload["text"] == "% \n# x"
    assert payload["tags"][:2] == [
        "flux_reporting_controller:kustomize-controller",
        "flux_reason:reconciliationsucceeded",
    ]
    assert (payload["alert_type"], payload["date_happened"]) == ("info", 1795294800)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://github.com/acme/fleet.git", "https://api.github.com/repos/acme/fleet/dispatches"),
        ("https://acme.ghe.com/acme/fleet", "https://api.acme.ghe.com/repos/acme/fleet/dispatches"),
        ("https://git.example/acme/fleet", "https://git.example/api/v3/repos/acme/fleet/dispatches"),
        ("git@github.com:acme/fleet.git", "https://api.github.com/repos/acme/fleet/dispatches"),
    ],
)
def test_githubdispatch(address: str, url: str) -> None:
    message = sent("githubdispatch", address=address)
    payload = json.loads(message.body)
    assert (message.url, message.headers["Authorization"]) == (url, TOKEN)
    assert payload["event_type"] == "Kustomization/web.apps"
    assert payload["client_payload"]["metadata"]["summary"] == "Production"
    assert len(payload["client_payload"]) <= 10


@pytest.mark.parametrize(
    ("kind", "spec", "secret", "expected"),
    [
        ("slack", {"address": ""}, {}, "spec.address: found nothing, expected an http:// or https:// URL"),
        ("slack", {"address": "git@slack.example:a/b"}, {}, "spec.address: found 'another text'"),
        ("slack", {"address": "ftp://a"}, {}, "spec.address: found 'another text'"),
        ("slack", {}, {"address": b"https://[hidden"}, "spec.address: found 'another text'"),
        ("slack", {}, {"address": b"https://a/hid den"}, "spec.address: found 'another text'"),
        ("slack", {}, {"token": b"hid\x00den"}, "spec.secretRef: found 'other text for Authorization'"),
        ("slack", {}, {"token": b"\xffhidden"}, "spec.secretRef: found 'bytes'"),
        ("generic", {}, {"headers": b"- hidden"}, "spec.secretRef: found 'another text'"),
        ("generic", {}, {"headers": b"a: {hidden"}, "spec.secretRef: found 'another text'"),
        ("generic", {}, {"headers": b'"hidden\\r\\nb": c'}, "spec.secretRef: headers: found 'another name'"),
        (
            "generic",
            {},
            {"headers": b"Transfer-Encoding: hidden"},
            "spec.secretRef: headers: found 'another name'",
        ),
        ("generic", {}, {"headers": b'a: "hid\\r\\nden"'}, "spec.secretRef: found 'other text for a'"),
        ("generic-hmac", {}, {}, "spec.secretRef: found nothing, expected a Secret with a token"),
        ("zoom", {}, {}, "spec.secretRef: found nothing, expected a Secret with a token"),
        ("incident.io", {}, {}, "spec.secretRef: found nothing, expected a Secret with a token"),
        ("telegram", {"channel": ""}, {"token": b"hidden"}, "spec.channel: found nothing"),
        ("telegram", {}, {}, "spec.secretRef: found nothing, expected a Secret with a token"),
        (
            "zulip",
            {"channel": "ops"},
            {"password": b"hidden"},
            "spec.channel: found 'ops', expected <channel>/<topic>",
        ),
        ("zulip", {}, {}, "spec.secretRef: found nothing, expected a Secret with a password"),
        ("sentry", {"address": "https://sentry.example/42"}, {}, "spec.address: found 'another URL'"),
        ("sentry", {}, {"address": b"https://hidden@sentry.example/x"}, "spec.address: found 'another URL'"),
        (
            "githubdispatch",
            {"address": "https://github.com/acme"},
            {"token": b"x"},
            "spec.address: found 'another URL'",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value in FORMS else "",
)
def test_what_a_service_lacks_is_told_without_the_secret(
    kind: str, spec: dict[str, Any], secret: dict[str, bytes], expected: str
) -> None:
    with pytest.raises(SpecError) as caught:
        written(provider(kind, **spec), secret, event(), alert())
    error: BaseException | None = caught.value
    assert str(error).startswith(f"f.yaml: Provider/flux-system/ops: {expected}")
    while error:
        assert "hid" not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_message_shows_nothing_of_itself() -> None:
    assert repr(sent("slack")) == "HttpMessage(method='POST')"
