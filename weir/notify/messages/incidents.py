"""Incidents and errors that somebody has to answer."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final
from urllib.parse import urlunsplit

from weir.notify.event_json import CONTROLLER, controller, instance
from weir.notify.facts import facts, is_about_drift, is_error, title
from weir.notify.http_message import HttpMessage
from weir.notify.messages.post import encoded, post
from weir.notify.target import Target
from weir.notify.text import code_block, cut, cut_escaped, html, one_line
from weir.notify.uid import uid
from weir.spec.errors import SpecError
from weir.spec.event import Event

_SENTRY_PROJECT: Final = re.compile(r"(/[A-Za-z0-9/_.~-]*)?/([0-9]+)/?", re.ASCII)
_MAX_SENTRY_TAG: Final = 200


def pagerduty(target: Target, event: Event) -> HttpMessage | None:
    """https://developer.pagerduty.com/docs/send-alert-event: an error opens an incident, other news resolve it.

    Drift that was found or corrected resolves nothing, and is no incident: None. Limits: 255 characters of key, 1024
    of summary, 512 KB in all.
    """
    if is_about_drift(event) and not is_error(event):
        return None
    unit = event.unit
    payload: dict[str, Any] = {
        "routing_key": _routing_key(target),
        "event_action": "trigger" if is_error(event) else "resolve",
        "dedup_key": uid(unit, event.stack),
    }
    if is_error(event):
        payload["payload"] = {
            **_pagerduty(event),
            "severity": "error",
            "component": unit.name,
            "group": unit.kind,
            "class": event.reason,
        }
    return post(target, payload, url=target.at("/v2/enqueue"))


def pagerduty_change(target: Target, event: Event) -> HttpMessage | None:
    """https://developer.pagerduty.com/docs/send-change-event: what is no error shows beside incidents, as in Flux.

    Limits as of an incident.
    """
    if is_error(event):
        return None
    payload = {"routing_key": _routing_key(target), "payload": _pagerduty(event)}
    return post(target, payload, url=target.at("/v2/change/enqueue"))


def _routing_key(target: Target) -> str:
    return target.needs_channel("the integration key of a service")


def _pagerduty(event: Event) -> dict[str, Any]:
    told = {"message": event.message, "metadata": dict(facts(event, 20_000, value=1000))}
    return {
        "summary": cut(one_line(f"{title(event)}: {event.reason}: {event.message}"), 1024),
        "source": f"{CONTROLLER} {event.stack}",
        "timestamp": event.at,
        "custom_details": told,
    }


def incident_io(target: Target, event: Event) -> HttpMessage | None:
    """https://api-docs.incident.io/tag/Alert-Events-V2: an error fires an alert, other news resolve it.

    Drift as for PagerDuty. The description is Markdown there, and code is shown as it is.
    """
    if is_about_drift(event) and not is_error(event):
        return None
    known = {
        "severity": event.severity.value,
        "reason": event.reason,
        "reportingController": controller(event),
    }
    payload = {
        "title": cut(f"{title(event)}: {event.reason}", 500),
        "status": "firing" if is_error(event) else "resolved",
        "deduplication_key": uid(event.unit, event.stack),
        "description": code_block(cut(event.message, 15_000)),
        "metadata": {**dict(facts(event, 20_000, value=1000)), **known},
    }
    return post(target, payload, {"Authorization": f"Bearer {target.needs('token')}"})


def opsgenie(target: Target, event: Event) -> HttpMessage:
    """https://docs.opsgenie.com/docs/alert-api#create-alert: messages may hold HTML.

    Limits: 130 characters of message, 15,000 of description, 8000 of details, 512 of entity, 100 of source.
    """
    payload = {
        "message": cut_escaped(title(event), 130, html),
        "description": cut_escaped(event.message, 15_000, html),
        "details": {**dict(facts(event, 7000, value=1000)), "severity": event.severity.value},
        "entity": cut(str(event.unit), 512),
        "source": cut(f"{CONTROLLER} {event.stack}", 100),
    }
    return post(target, payload, {"Authorization": f"GenieKey {target.needs('token')}"})


def sentry(target: Target, event: Event) -> HttpMessage:
    """https://develop.sentry.dev/sdk/foundations/transport/envelopes/: an error, or a transaction without duration.

    Limits: 8192 characters of message, 200 of a tag and of the transaction's name, 1 MB in all.
    """
    dsn = target.dsn()
    found = _SENTRY_PROJECT.fullmatch(dsn.path)
    if not found or not dsn.username or not re.fullmatch(r"[A-Za-z0-9]+", dsn.username):
        expected = "a DSN, https://<key>@<host>/<project>"
        raise SpecError.at(target.where, "spec.address", found="another URL", expected=expected)
    url = target.url()._replace(path=f"{found[1] or ''}/api/{found[2]}/envelope/", query="", fragment="")
    auth = f"Sentry sentry_version=7, sentry_client={CONTROLLER}/1, sentry_key={dsn.username}"
    identity = hashlib.sha256(encoded([event.stack, str(event.unit), event.at, event.message])).hexdigest()
    payload = {
        **_sentry_event(target, event, identity),
        **({} if is_error(event) else _span(event, identity)),
    }
    kind = "event" if is_error(event) else "transaction"
    lines = ({"event_id": payload["event_id"]}, {"type": kind, "content_type": "application/json"}, payload)
    return HttpMessage(
        method="POST",
        url=urlunsplit(url),
        headers={"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth},
        body=b"\n".join(encoded(line) for line in lines) + b"\n",
    )


def _sentry_event(target: Target, event: Event, identity: str) -> dict[str, Any]:
    unit = event.unit
    tags = {
        "flux_involved_object_kind": unit.kind,
        "flux_involved_object_namespace": unit.namespace,
        "flux_involved_object_name": unit.name,
        "flux_reporting_controller": controller(event),
        "flux_reporting_instance": instance(event),
        "flux_reason": event.reason,
    }
    environment = {"environment": cut(one_line(target.channel), 64)} if target.channel else {}
    return {
        "event_id": identity[:32],
        "timestamp": event.at,
        "platform": "other",
        "level": event.severity.value,
        "server_name": controller(event),
        "transaction": cut(f"{unit.kind}: {unit.namespace}/{unit.name}", 200),
        "message": {"formatted": cut(event.message, 8192)},
        "tags": {key: cut(text, _MAX_SENTRY_TAG) for key, text in tags.items() if text},
        "extra": dict(facts(event, 20_000, value=4000)),
        **environment,
    }


def _span(event: Event, identity: str) -> dict[str, Any]:
    trace = {"trace_id": identity[32:], "span_id": identity[:16], "op": "event"}
    return {"type": "transaction", "start_timestamp": event.at, "contexts": {"trace": trace}, "spans": []}
