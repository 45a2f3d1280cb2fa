"""Alerts about Kustomizations of `apps`, providers of every type, and events for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from weir.notify.http_message import HttpMessage
from weir.notify.messages.render import render
from weir.spec.alert import AlertSpec, parse_alert
from weir.spec.documents import Document
from weir.spec.event import Event, Severity
from weir.spec.identity import UnitId
from weir.spec.provider import ProviderSpec, parse_provider

V1BETA3 = "notification.toolkit.fluxcd.io/v1beta3"
WEB = UnitId("Kustomization", "apps", "web")
ALL_APPS = ({"kind": "Kustomization", "name": "*", "namespace": "apps"},)
HUB = (
    "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=k3y=;EntityPath=flux"
)
ADDRESSES = {
    "azureeventhub": HUB,
    "googlepubsub": "acme-prod",
    "githubdispatch": "https://github.com/acme/fleet",
    "sentry": "https://0123abcd@sentry.example/42",
}
CHANNELS = {"zulip": "ops/deploys", "telegram": "-100123"}
SECRET = {"token": b"t0ken-never-shown", "username": b"bot", "password": b"passw0rd-never-shown"}


def notice(kind: str, spec: dict[str, Any], *, name: str = "ops", version: str = V1BETA3) -> Document:
    """A document of the notification group in the namespace `flux-system`."""
    metadata = {"name": name, "namespace": "flux-system"}
    return Document("f.yaml", 0, {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})


def alert(name: str = "ops", **spec: Any) -> AlertSpec:
    """An alert about all Kustomizations of `apps` to the provider `ops`."""
    base = {"providerRef": {"name": "ops"}, "eventSources": list(ALL_APPS)}
    return parse_alert(notice("Alert", {**base, **spec}, name=name))


def provider(kind: str = "generic", name: str = "ops", **spec: Any) -> ProviderSpec:
    """A provider of a type, with an address and a channel that suit it."""
    address = ADDRESSES.get(kind, "https://hooks.example/in")
    base = {"type": kind, "address": address, "channel": CHANNELS.get(kind, "deploys")}
    return parse_provider(notice("Provider", {**base, **spec}, name=name))


def event(
    message: str = "Applied revision: main@sha1:3f1c",
    metadata: dict[str, str] | None = None,
    *,
    severity: Severity = Severity.INFO,
    unit: UnitId = WEB,
    reason: str = "ReconciliationSucceeded",
) -> Event:
    """An event of a Kustomization."""
    return Event(
        unit=unit,
        severity=severity,
        reason=reason,
        message=message,
        at="2026-11-21T21:00:00Z",
        stack="production",
        metadata={"revision": "main@sha1:3f1c"} if metadata is None else metadata,
    )


def written(to: ProviderSpec, secret: Mapping[str, bytes], told: Event, set_off: AlertSpec) -> HttpMessage:
    """The first message that a provider is sent, and it is sent one."""
    return render(to, secret, told, set_off)[0]


BAD: Final = event(
    "a<b> & *c* [d](e) `f` @all",
    {"revision": "main@sha1:3f1c", "env": "<prod>"},
    severity=Severity.ERROR,
    reason="HealthCheckFailed",
)
"""An event with everything that is markup somewhere."""
TOKEN: Final = "Bearer t0ken-never-shown"
BASIC: Final = "Basic Ym90OnBhc3N3MHJkLW5ldmVyLXNob3du"


def sent(kind: str, told: Event = BAD, **spec: Any) -> HttpMessage:
    """The first message to a provider of a type with SECRET, for an alert with a summary."""
    return written(provider(kind, **spec), SECRET, told, alert(summary="Production"))


def body(kind: str, told: Event = BAD, **spec: Any) -> Any:
    """Its body."""
    return json.loads(sent(kind, told, **spec).body)
