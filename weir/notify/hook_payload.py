"""The bodies of webhooks: JSON from outside, within limits, and the forms that services without signatures send."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

Payload = Mapping[str, Any]
"""A JSON object."""
Shape = Callable[[Payload], bool]
"""Whether a body has the form of a service's webhooks."""

_FORM_FIELDS: Final = 16
_REQUIRED: Final[Mapping[str, Mapping[str, type]]] = {
    "github": {},
    "nexus": {},
    "dockerhub": {"push_data.tag": str, "repository.repo_url": str},
    "quay": {"docker_url": str},
    "gcr": {"action": str},
    "acr": {"action": str},
    "cdevents": {
        "context.id": str,
        "context.source": str,
        "context.timestamp": str,
        "context.type": str,
        "subject.id": str,
        "subject.content": dict,
    },
}
"""Fields that are always there."""
_OPTIONAL: Final[Mapping[str, Mapping[str, type]]] = {
    "nexus": {"action": str, "repositoryName": str},
    "quay": {"updated_tags": list},
    "gcr": {"digest": str, "tag": str},
    "acr": {"target": dict, "target.repository": str, "target.tag": str},
}
"""Fields that are of this type where they are."""


def is_json(content_type: str) -> bool:
    """Whether a Content-Type says `application/json`, whatever its parameters."""
    return content_type.partition(";")[0].strip().lower() == "application/json"


def read_object(body: bytes) -> Payload | None:
    """The JSON object that a body is, None for anything else (also for one nested over 1,000 levels)."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def read_form(body: bytes) -> bytes:
    """The field `payload` of a form (application/x-www-form-urlencoded), empty when there is none."""
    try:
        fields = parse_qs(body, max_num_fields=_FORM_FIELDS)
    except ValueError:
        return b""
    return fields.get(b"payload", [b""])[0]


def read_push(body: bytes) -> bytes:
    """What a push of Google's Pub/Sub carries, empty when it is none.

    Rule: https://docs.cloud.google.com/pubsub/docs/push#receive_push
    """
    data = _at(read_object(body) or {}, "message.data")
    try:
        return base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        return b""


def known_shape(kind: str) -> Shape:
    """The form of the webhooks of a service."""
    required, optional = _REQUIRED[kind], _OPTIONAL.get(kind, {})

    def shape(payload: Payload) -> bool:
        return all(isinstance(_at(payload, path), what) for path, what in required.items()) and all(
            isinstance(_at(payload, path), what | None) for path, what in optional.items()
        )

    return shape


def _at(payload: Payload, path: str) -> Any:
    value: Any = payload
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
