"""Events for those who read a stream of them, each in Flux's form."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Any, Final
from urllib.parse import quote

from weir.notify.event_json import event_json
from weir.notify.facts import seconds
from weir.notify.http_message import HttpMessage
from weir.notify.messages.post import encoded, post
from weir.notify.target import Target
from weir.spec.errors import SpecError
from weir.spec.event import Event

_CONNECTION: Final = re.compile(r"([A-Za-z]+)=([^;]*)(?:;|$)")
_ENDPOINT: Final = re.compile(r"sb://([A-Za-z0-9.-]+)/?", re.ASCII)
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9-]{1,63}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9._:~+%-]{1,256}", re.ASCII)
_LASTS: Final = 25 * 3600
"""Seconds from an event on for which a shared key signs it: longer than its delivery is tried."""
PUBSUB: Final = "https://pubsub.googleapis.com"


def azureeventhub(target: Target, event: Event) -> HttpMessage:
    """https://learn.microsoft.com/rest/api/eventhub/send-event.

    As in Flux the address is a connection string with a shared key, or the name of the hub, with its namespace as the
    channel and an access token in the Secret.
    """
    if "SharedAccessKey" in target.address:
        host, hub, login = _shared(target, event)
    else:
        host = f"{_named(target, 'spec.channel', target.channel, _NAMESPACE)}.servicebus.windows.net"
        hub = _named(target, "spec.address", target.address, _NAME)
        login = f"Bearer {target.needs('token')}"
    headers = {"Authorization": login, "Content-Type": "application/atom+xml;type=entry;charset=utf-8"}
    url = f"https://{host}/{quote(hub, safe='')}/messages?api-version=2014-01"
    return HttpMessage(method="POST", url=url, headers=headers, body=encoded(event_json(event)))


def _shared(target: Target, event: Event) -> tuple[str, str, str]:
    """Host, hub and login of a connection string.

    Rule: https://learn.microsoft.com/azure/event-hubs/authenticate-shared-access-signature.
    """
    parts = dict(_CONNECTION.findall(target.address))
    endpoint = _ENDPOINT.fullmatch(parts.get("Endpoint", ""))
    names = [parts.get(key, "") for key in ("EntityPath", "SharedAccessKeyName", "SharedAccessKey")]
    if endpoint is None or not all(names):
        expected = "Endpoint=sb://<host>/;SharedAccessKeyName=...;SharedAccessKey=...;EntityPath=<hub>"
        raise SpecError.at(target.where, "spec.address", found="another text", expected=expected)
    hub, name, key = names
    resource = quote(f"https://{endpoint[1]}/{hub}", safe="")
    until = seconds(event) + _LASTS
    digest = hmac.new(key.encode(), f"{resource}\n{until}".encode(), hashlib.sha256).digest()
    signature = quote(base64.b64encode(digest), safe="")
    login = f"SharedAccessSignature sr={resource}&sig={signature}&se={until}&skn={quote(name, safe='')}"
    return endpoint[1], hub, login


def googlepubsub(target: Target, event: Event) -> HttpMessage:
    """https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish.

    The address is the id of a project, the channel that of a topic; `headers` of the Secret become attributes.
    """
    project = _named(target, "spec.address", target.address, _NAME)
    topic = target.needs_channel("the id of a topic")
    message: dict[str, Any] = {"data": base64.b64encode(encoded(event_json(event))).decode()}
    if target.headers:
        message["attributes"] = dict(target.headers)
    path = f"/v1/projects/{quote(project, safe='')}/topics/{quote(topic, safe='')}:publish"
    login = {"Authorization": f"Bearer {target.needs('token')}"}
    return post(target, {"messages": [message]}, login, url=f"{PUBSUB}{path}")


def _named(target: Target, field: str, text: str, form: re.Pattern[str]) -> str:
    """A name. Raises SpecError."""
    if not form.fullmatch(text):
        raise SpecError.at(
            target.where, field, found="another text" if text else None, expected="a name there"
        )
    return text
