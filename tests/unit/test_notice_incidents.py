"""What services for incidents and monitoring are sent, in their documented form."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.support.alerts import BAD, BASIC, SECRET, TOKEN, WEB, alert, body, event, provider, sent, written
from weir.notify.messages.render import render
from weir.notify.uid import uid
from weir.spec.event import Severity
from weir.spec.identity import UnitId


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


def test_otel_gets_a_span_with_flux_names_and_numbers() -> None:
    message = sent("otel", address="https://otel.example")
    assert (message.url, message.headers["Authorization"]) == ("https://otel.example/v1/traces", TOKEN)
    ((spans,),) = json.loads(message.body).values()
    ops, version = UnitId("Alert", "flux-system", "ops"), "main@sha1:3f1c"
    assert attributes(spans["resource"]) == {
        "service.name": "flux-system/ops",
        "service.namespace": "flux-system",
        "service.instance.id": uid(ops, "production"),
    }
    ((span,),) = (scope["spans"] for scope in spans["scopeSpans"])
    trace = hashlib.sha256(f"{uid(ops, 'production')}:{version}".encode()).digest()
    assert bytes.fromhex(span["traceId"]) == trace[:16]
    number = hashlib.sha256(f"{uid(WEB, 'production')}:{version}".encode()).digest()
    assert bytes.fromhex(span["spanId"]) == number[:8]
    assert (span["name"], span["status"]) == ("Kustomization: apps/web", {"code": 2, "message": BAD.message})
    assert span["startTimeUnixNano"] == span["endTimeUnixNano"] == "1795294800000000000"
    assert attributes(span)["object.kind"] == "Kustomization"
    assert attributes(span)["summary"] == "Production"


def attributes(of: Any) -> dict[str, str]:
    return {one["key"]: one["value"]["stringValue"] for one in of["attributes"]}


def test_otel_keeps_a_path_and_takes_headers_and_leaves_helm_repositories_out() -> None:
    spec = provider("otel", address="https://otel.example/otlp/v1/traces?a=b")
    message = written(spec, {"headers": b"authorization: Key 1"}, event(), alert())
    assert message.url == "https://otel.example/otlp/v1/traces?a=b"
    assert message.headers["authorization"] == "Key 1"
    assert render(spec, {}, event(unit=UnitId("HelmRepository", "apps", "web")), alert()) == ()
