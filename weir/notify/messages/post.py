"""Requests that carry JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlunsplit

from weir.notify.http_message import HttpMessage
from weir.notify.target import Target

_JSON: Final = {"Content-Type": "application/json"}


def encoded(payload: Any) -> bytes:
    """JSON in as few bytes as it takes."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def post(
    target: Target, payload: Any, headers: Mapping[str, str] | None = None, *, url: str = ""
) -> HttpMessage:
    """JSON for the address, or for another URL. Credentials in the address become a header. Raises SpecError."""
    sent = {**_JSON, **(target.basic() if headers is None else headers)}
    return HttpMessage(
        method="POST", url=url or urlunsplit(target.url()), headers=sent, body=encoded(payload)
    )


def merged(headers: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Both, and of two for one name, which has no case, the latter."""
    names = {name.lower() for name in more}
    return {**{name: text for name, text in headers.items() if name.lower() not in names}, **more}
