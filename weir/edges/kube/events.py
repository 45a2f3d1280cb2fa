"""What happened to units, as core/v1 Events in the record namespace, about the unit's record.

Rule: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/. An Event lives where the object
lives that it is about, and Weir's units are no objects, so it is about the ConfigMap that stands for the unit. The same
thing again is counted in the Event that is there. The API server forgets Events after an hour by itself.
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Any, Final

import orjson

from weir.edges.kube.client import JSON_PATCH, Kube
from weir.edges.kube.discovery import Resource
from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.reading import list_as
from weir.edges.kube.records import STACK, UNIT_KIND, UNIT_NAME, UNIT_NAMESPACE, label_value, record_name
from weir.spec.errors import SpecError
from weir.spec.event import Event, Severity
from weir.spec.identity import UnitId

Obj = dict[str, Any]

LONGEST: Final = 1024
"""Bytes of a message."""
UNIT: Final = "weir.dev/unit"
METADATA: Final = "weir.dev/event-metadata"
COMPONENT: Final = "weir"

_TYPES: Final = {Severity.INFO: "Normal", Severity.ERROR: "Warning"}
_LONGEST_STEM: Final = 200
_LARGEST_METADATA: Final = 16 * 1024
_TRIES: Final = 3
_EVENTS: Final = Resource(
    group="", version="v1", kind="Event", plural="events", namespaced=True, verbs=frozenset()
)


def write_event(kube: Kube, namespace: str, event: Event) -> None:
    """Keep an event in the record namespace; one that is there already is counted once more.

    Raises:
        KubeStatusError: the server refused (403: the account may not write Events).
        ClusterError: it gives no answer.
    """
    body = _body(namespace, event)
    path = _EVENTS.path(namespace, body["metadata"]["name"])
    for _ in range(_TRIES):
        try:
            kube.request("POST", _EVENTS.path(namespace), body=body)
        except KubeStatusError as err:
            if err.status != HTTPStatus.CONFLICT:
                raise
        else:
            return
        if _count(kube, path, body):
            return


def _count(kube: Kube, path: str, body: Obj) -> bool:
    """Count an event that is there; False when it went away or moved meanwhile."""
    try:
        live = kube.request("GET", path)
        patch = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
            {"op": "add", "path": "/count", "value": int(live.get("count") or 1) + 1},
            {"op": "add", "path": "/lastTimestamp", "value": body["lastTimestamp"]},
        ]
        kube.request("PATCH", path, None, patch, JSON_PATCH)
    except KubeStatusError as err:
        if err.status in (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY) or err.absent:
            return False
        raise
    return True


def read_events(kube: Kube, namespace: str, stack: str) -> tuple[Event, ...]:
    """The events of a stack that the cluster still keeps, the oldest first; `at` is when each happened last.

    Raises:
        ClusterError: they cannot be read.
    """
    selector = f"{STACK}={label_value(stack)},{UNIT_KIND}"
    found = list_as(kube, _EVENTS, namespace, selector, _read)
    return tuple(sorted((one for one in found if one and one.stack == stack), key=lambda one: one.at))


def _body(namespace: str, event: Event) -> Obj:
    unit = event.unit
    record = record_name(unit)
    kind = _TYPES[event.severity]
    same = orjson.dumps((event.stack, kind, event.reason, event.message, dict(event.metadata)))
    name = f"{record[:_LONGEST_STEM].rstrip('.-')}.{hashlib.sha256(same).hexdigest()[:16]}"
    labels = {
        STACK: label_value(event.stack),
        UNIT_KIND: label_value(unit.kind),
        UNIT_NAMESPACE: label_value(unit.namespace),
        UNIT_NAME: label_value(unit.name),
    }
    annotations = {STACK: event.stack, UNIT: str(unit), METADATA: _metadata(event)}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations},
        "involvedObject": {"apiVersion": "v1", "kind": "ConfigMap", "name": record, "namespace": namespace},
        "type": kind,
        "reason": event.reason,
        "message": shortened(event.message, LONGEST),
        "count": 1,
        "firstTimestamp": event.at,
        "lastTimestamp": event.at,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": event.stack,
    }


def _metadata(event: Event) -> str:
    """JSON; without what the unit's annotations add when that is too much to keep."""
    text = orjson.dumps(dict(event.metadata)).decode()
    if len(text) <= _LARGEST_METADATA:
        return text
    kept = {key: value for key, value in event.metadata.items() if key == "revision"}
    return orjson.dumps(kept).decode()


def shortened(text: str, most: int) -> str:
    """The text, cut to so many bytes of UTF-8."""
    payload = text.encode("utf-8", "replace")
    if len(payload) <= most:
        return payload.decode()
    return payload[: most - 3].decode("utf-8", "ignore") + "..."


def _read(obj: Obj) -> Event | None:
    """An event as it was written, None when somebody else wrote the object."""
    meta, annotations = obj["metadata"], obj["metadata"].get("annotations") or {}
    try:
        metadata = orjson.loads(annotations.get(METADATA) or "{}")
        return Event(
            unit=UnitId.parse(annotations.get(UNIT, "")),
            severity=Severity.ERROR if obj.get("type") == "Warning" else Severity.INFO,
            reason=str(obj.get("reason") or ""),
            message=str(obj.get("message") or ""),
            at=str(obj.get("lastTimestamp") or meta.get("creationTimestamp") or ""),
            stack=str(annotations.get(STACK, "")),
            metadata={str(key): str(value) for key, value in metadata.items()},
        )
    except (SpecError, ValueError, AttributeError):
        return None
