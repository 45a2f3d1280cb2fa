"""Events for programs: Flux's own JSON, plain, signed, or as an event of a GitHub repository."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import replace
from typing import Final

from weir.notify.event_json import controller, event_json
from weir.notify.http_message import HttpMessage
from weir.notify.messages.post import merged, post
from weir.notify.target import Target
from weir.notify.text import cut
from weir.spec.errors import SpecError
from weir.spec.event import Event

_REPOSITORY: Final = re.compile(r"/([A-Za-z0-9_.-]+)/([A-Za-z0-9_.-]+?)(?:\.git)?/?", re.ASCII)
_MAX_EVENT_TYPE: Final = 100


def generic(target: Target, event: Event) -> HttpMessage:
    """https://fluxcd.io/flux/components/notification/providers/#generic-webhook."""
    headers = {**target.basic(), "Gotk-Component": controller(event)}
    message = post(target, event_json(event), headers)
    return replace(message, headers=merged(message.headers, target.headers))


def generic_hmac(target: Target, event: Event) -> HttpMessage:
    """https://fluxcd.io/flux/components/notification/providers/#generic-webhook-with-hmac."""
    target.needs("token")
    message = generic(target, event)
    signature = hmac.new(target.signing_key, message.body, hashlib.sha256).hexdigest()
    return replace(message, headers=merged(message.headers, {"X-Signature": f"sha256={signature}"}))


def githubdispatch(target: Target, event: Event) -> HttpMessage:
    """https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event."""
    found = _REPOSITORY.fullmatch(target.url().path)
    if not found:
        expected = "the URL of a repository, https://<host>/<owner>/<name>"
        raise SpecError.at(target.where, "spec.address", found="another URL", expected=expected)
    path = f"/repos/{found[1]}/{found[2]}/dispatches"
    unit = event.unit
    event_type = cut(f"{unit.kind}/{unit.name}.{unit.namespace}", _MAX_EVENT_TYPE)
    headers = {
        "Authorization": f"Bearer {target.needs('token')}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return post(
        target,
        {"event_type": event_type, "client_payload": event_json(event)},
        headers,
        url=_github(target, path),
    )


def _github(target: Target, path: str) -> str:
    """The URL of a path of the API: GitHub's has a host of its own, also where data stay in one region."""
    host = str(target.url().hostname).removeprefix("www.")
    own = host == "github.com" or host.endswith(".ghe.com")
    return f"https://api.{host}{path}" if own else target.at(f"/api/v3{path}")
