"""What each service is sent: URL, headers and body in its documented form, and what is refused."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest

from tests.support.alerts import BAD, BASIC, SECRET, TOKEN, WEB, alert, body, event, provider, sent, written
from weir.notify.messages.render import FORMS
from weir.notify.uid import uid
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId
from weir.spec.provider import MESSAGE_TYPES


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
