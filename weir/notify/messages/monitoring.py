"""Events beside the graphs and alerts of a monitoring system."""

from __future__ import annotations

import re
from typing import Final

from weir.notify.event_json import controller
from weir.notify.facts import facts, is_error, seconds, title
from weir.notify.http_message import HttpMessage
from weir.notify.match import SUMMARY
from weir.notify.messages.post import post
from weir.notify.target import Target
from weir.notify.text import cut, html, one_line
from weir.spec.event import Event

_NO_LABEL: Final = re.compile(r"[^A-Za-z0-9_]", re.ASCII)
_VALUE: Final = 500


def alertmanager(target: Target, event: Event) -> HttpMessage:
    """https://prometheus.io/docs/alerting/latest/alerts_api/: one firing alert, its labels named as Flux names them."""
    unit = event.unit
    told = {key: text for key, text in facts(event, 8000, value=_VALUE) if key != SUMMARY}
    labels = {
        **{_label(key): text for key, text in told.items()},
        "alertname": f"Flux{unit.kind}{event.reason.capitalize()}",
        "severity": event.severity.value,
        "reason": event.reason,
        "kind": unit.kind,
        "name": unit.name,
        "namespace": unit.namespace,
        "reportingcontroller": controller(event),
    }
    summary = event.metadata.get(SUMMARY, "")
    annotations = {"message": cut(event.message, 16_000), **({SUMMARY: summary} if summary else {})}
    alert = {"labels": labels, "annotations": annotations, "startsAt": event.at}
    return post(target, [alert], target.bearer() or target.basic())


def grafana(target: Target, event: Event) -> HttpMessage:
    """https://grafana.com/docs/grafana/latest/developers/http_api/annotations/#create-annotation: text is HTML."""
    unit = event.unit
    told = {
        **dict(facts(event, 4000, value=100)),
        "kind": unit.kind,
        "name": unit.name,
        "namespace": unit.namespace,
    }
    tags = [cut(f"{_tag(key)}: {_tag(text)}", 100) for key, text in told.items()]
    payload = {
        "time": seconds(event) * 1000,
        "text": f"{html(title(event))}: {html(cut(event.message, 4000))}",
        "tags": ["flux", controller(event), *tags],
    }
    return post(target, payload, target.bearer() or target.basic())


def datadog(target: Target, event: Event) -> HttpMessage:
    """https://docs.datadoghq.com/api/latest/events/post-an-event/: 100 characters of title, 4000 of text.

    Tags are in lower case there, of at most 200 characters; a text is Markdown only after `%%%`.
    """
    unit = event.unit
    tags = {
        "flux_reporting_controller": controller(event),
        "flux_reason": event.reason,
        "kube_kind": unit.kind,
        "kube_name": unit.name,
        "kube_namespace": unit.namespace,
        **dict(facts(event, 8000, value=200)),
    }
    payload = {
        "title": cut(f"Events from the {unit.kind} {unit.name}/{unit.namespace}", 100),
        "text": cut(event.message.replace("%%%", "%"), 4000),
        "tags": [cut(one_line(f"{key}:{text}").lower(), 200) for key, text in tags.items()],
        "source_type_name": "fluxcd",
        "alert_type": "error" if is_error(event) else "info",
        "date_happened": seconds(event),
    }
    return post(target, payload, {"DD-API-KEY": target.needs("token")}, url=target.at("/api/v1/events"))


def _label(key: str) -> str:
    name = _NO_LABEL.sub("_", key)
    return f"_{name}" if not name or name[0].isdigit() else name


def _tag(text: str) -> str:
    return one_line(text).replace(":", "|")
