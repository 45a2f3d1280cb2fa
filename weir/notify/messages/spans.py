"""Events as spans of OpenTelemetry."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from weir.notify.facts import facts, is_error, revision, seconds
from weir.notify.http_message import HttpMessage
from weir.notify.messages.post import merged, post
from weir.notify.target import Target
from weir.notify.uid import uid
from weir.spec.event import Event
from weir.spec.identity import UnitId


def otel(target: Target, event: Event) -> HttpMessage | None:
    """https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: a span, named and numbered as by Flux.

    Spans of one alert and revision are one trace. Whose children they are is not told. Flux leaves out
    HelmRepositories: None.
    """
    if event.unit.kind == "HelmRepository":
        return None
    alert = target.alert or event.unit
    sender = {
        "service.name": f"{alert.namespace}/{alert.name}",
        "service.namespace": alert.namespace,
        "service.instance.id": uid(alert, event.stack),
    }
    spans = {"scope": {"name": "flux:notification-controller"}, "spans": [_span(event, alert)]}
    payload = {"resourceSpans": [{"resource": {"attributes": _attributes(sender)}, "scopeSpans": [spans]}]}
    url = target.url()
    where = url._replace(path=url.path if url.path.strip("/") else "/v1/traces").geturl()
    message = post(target, payload, target.bearer() or target.basic(), url=where)
    return replace(message, headers=merged(message.headers, target.headers))


def _span(event: Event, alert: UnitId) -> dict[str, Any]:
    unit, version = event.unit, revision(event) or "unknown"
    at = str(seconds(event) * 1_000_000_000)
    about = {
        "object.uid": uid(unit, event.stack),
        "object.kind": unit.kind,
        "object.name": unit.name,
        "object.namespace": unit.namespace,
    }
    return {
        "traceId": _number(alert, event.stack, version)[:32],
        "spanId": _number(unit, event.stack, version)[:16],
        "name": f"{unit.kind}: {unit.namespace}/{unit.name}",
        "kind": 1,
        "startTimeUnixNano": at,
        "endTimeUnixNano": at,
        "attributes": _attributes({**about, **dict(facts(event, 20_000, value=4000))}),
        "status": {"code": 2 if is_error(event) else 1, "message": event.message},
    }


def _number(unit: UnitId, stack: str, version: str) -> str:
    return hashlib.sha256(f"{uid(unit, stack)}:{version}".encode()).hexdigest()


def _attributes(texts: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": text}} for key, text in texts.items()]
