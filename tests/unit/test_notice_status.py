"""How Alerts, Providers and Receivers are: what nobody is told by, and what answers no webhook, is not ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.receivers import SECRET, TOKEN, receiver_document
from weir.edges.kube.errors import KubeStatusError
from weir.flow.notice_status import NoticeStatus, notice_status
from weir.notify.hooks import hook_path
from weir.spec.documents import Document
from weir.spec.errors import ClusterError
from weir.spec.header import read_header
from weir.spec.identity import UnitId

ALL = {"kind": "Kustomization", "name": "*"}
CHAT = {"type": "slack", "address": "https://chat.example/hook"}


def document(kind: str, name: str, /, **spec: Any) -> Document:
    meta = {"name": name, "namespace": "apps"}
    data = {"apiVersion": "notification.toolkit.fluxcd.io/v1beta3", "kind": kind, "metadata": meta}
    return Document("stack.yaml", 0, {**data, "spec": spec})


def alert(**spec: Any) -> Document:
    return document("Alert", "all", **{"providerRef": {"name": "chat"}, "eventSources": [ALL], **spec})


def secrets(namespace: str, name: str) -> Mapping[str, bytes]:
    known = {
        "hook-token": SECRET,
        "headers": {"headers": b"[]"},
        "empty": {},
        "app": {"githubAppID": b"1"},
        "key": {"token": b"{\n}"},
    }
    if name == "closed":
        raise KubeStatusError(403, "Forbidden", "secrets are forbidden")
    if name not in known:
        raise ClusterError(f"Secret/{namespace}/{name}: found nothing, expected a Secret")
    return known[name]


def status(*documents: Document, kind: str, same_namespace: bool = False) -> NoticeStatus:
    known = {read_header(one).id: one for one in documents}
    [found] = notice_status(known, lambda unit: unit.kind == kind, secrets, same_namespace=same_namespace)
    return found


def test_an_alert_is_ready_when_somebody_is_told() -> None:
    chat = document("Provider", "chat", **CHAT)
    assert status(alert(suspend=True), chat, kind="Alert") == NoticeStatus(
        id=UnitId("Alert", "apps", "all"), suspended=True, ready=True, message="Alert is Ready"
    )


@pytest.mark.parametrize("provider", [None, document("Provider", "chat", type="carrier-pigeon")])
def test_an_alert_whose_provider_cannot_be_used_is_not_ready(provider: Document | None) -> None:
    found = status(alert(), *([provider] if provider else []), kind="Alert")
    assert not found.ready
    assert found.message == "stack.yaml: Alert/apps/all: spec.providerRef: found no usable Provider/apps/chat"


def test_an_alert_whose_sources_are_left_out_is_not_ready() -> None:
    chat = document("Provider", "chat", **CHAT)
    elsewhere = alert(eventSources=[ALL, {**ALL, "namespace": "prod"}])
    assert status(elsewhere, chat, kind="Alert").ready
    found = status(elsewhere, chat, kind="Alert", same_namespace=True)
    assert not found.ready
    assert "spec.eventSources[1].namespace: found 'prod', expected apps" in found.message


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"secretRef": {"name": "gone"}}, "Secret/apps/gone: found nothing"),
        ({"certSecretRef": {"name": "gone"}}, "Secret/apps/gone: found nothing"),
        ({"proxySecretRef": {"name": "gone"}}, "Secret/apps/gone: found nothing"),
        ({"secretRef": {"name": "headers"}}, "a YAML mapping of texts"),
        ({"address": "chat.example"}, "spec.address: found 'another text'"),
        ({"address": ""}, "spec.address: found nothing"),
        (
            {"type": "telegram", "address": "", "channel": "@ops"},
            "spec.secretRef: found nothing, expected a Secret with a token",
        ),
        ({"type": "github"}, "spec.address: found 'another path'"),
        ({"type": "githubpullrequestcomment", "address": "a"}, "spec.address: found 'another text'"),
        ({"type": "azureeventhub", "address": "SharedAccessKey=a"}, "spec.address: found 'another text'"),
        ({"type": "github", "commitStatusExpr": "event."}, "spec.commitStatusExpr"),
        ({"type": "github", "commitStatusExpr": "events.a"}, "variables alert, event, provider"),
    ],
    ids=str,
)
def test_a_provider_that_nothing_can_be_sent_to_is_not_ready(spec: dict[str, Any], message: str) -> None:
    assert status(document("Provider", "chat", **CHAT), kind="Provider").message == "Provider is Ready"
    found = status(document("Provider", "chat", **{**CHAT, **spec}), kind="Provider")
    assert not found.ready
    assert message in found.message


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "github", "address": "https://github.com/us/web", "secretRef": {"name": "app"}},
        {"type": "googlepubsub", "address": "us", "channel": "web", "secretRef": {"name": "key"}},
    ],
)
def test_a_provider_whose_token_is_made_from_a_key_is_ready(spec: dict[str, Any]) -> None:
    assert status(document("Provider", "told", **spec), kind="Provider").message == "Provider is Ready"
    without = {key: value for key, value in spec.items() if key != "secretRef"}
    assert not status(document("Provider", "told", **without), kind="Provider").ready


def test_who_may_not_read_secrets_is_told_what_can_be_seen() -> None:
    closed = {**CHAT, "secretRef": {"name": "closed"}}
    assert status(document("Provider", "chat", **closed), kind="Provider").ready
    assert not status(receiver_document(secretRef={"name": "closed"}), kind="Receiver").ready


def test_a_receiver_has_its_path() -> None:
    found = status(receiver_document(), kind="Receiver")
    assert found.ready
    assert found.message == f"Receiver initialized for path: {hook_path(TOKEN, 'push', 'apps')}"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"resourceFilter": "claims.a == 'b'"}, "expected one of the variables req, res"),
        ({"resources": [{"kind": "GitRepository", "name": "a", "namespace": "prod"}]}, "found 'prod'"),
        ({"secretRef": {"name": "gone"}}, "Secret/apps/gone: found nothing"),
        ({"secretRef": {"name": "empty"}}, "Secret/apps/empty: data: found 'no token', expected token"),
        ({"suspend": True, "resourceFilter": "a b"}, "not readable"),
    ],
    ids=str,
)
def test_a_receiver_that_is_not_served_is_not_ready(spec: dict[str, Any], message: str) -> None:
    found = status(receiver_document(**spec), kind="Receiver", same_namespace=True)
    assert (found.ready, found.suspended) == (False, "suspend" in spec)
    assert message in found.message
