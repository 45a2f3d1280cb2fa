"""Send a webhook to a Receiver, as a job does that has something to tell. The cluster is not asked.

Rule: https://fluxcd.io/flux/cmd/flux_trigger_receiver/
"""

from __future__ import annotations

import hmac
import itertools
import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlsplit

from weir.edges.http.errors import PASSING, ExchangeError
from weir.edges.http.settings import Settings
from weir.edges.http.transport import Request, Transport, is_local, monotonic
from weir.notify.hooks import hook_path
from weir.spec.errors import SourceError
from weir.spec.identity import UnitId
from weir.spec.receiver import OIDC

HMAC: Final = "generic-hmac"
TYPES: Final = ("generic", HMAC, OIDC)
"""Receivers whose webhooks anybody can send who has the token."""
_AGAIN: Final = frozenset({404, 408, 429, 500, 502, 503, 504})
"""Statuses that may be others a moment later, 404 too: while the Secret is not there yet."""
_HINTS: Final[Mapping[int, str]] = {
    HTTPStatus.BAD_REQUEST: "the receiver has another type, or does not trust the sender: see its watcher's log",
    HTTPStatus.NOT_FOUND: "the receiver has another name, namespace or token, or its Secret is missing",
    HTTPStatus.SERVICE_UNAVAILABLE: "the receiver is suspended or not ready: see weir get receivers",
}
_URL: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
_BEARER: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
_LARGEST: Final = 64 * 1024
"""Bytes of an answer."""


def make_webhook(
    url: str, receiver: UnitId, kind: str, payload: bytes, *, token: bytes = b"", id_token: str = ""
) -> Request:
    """The webhook for a receiver of one of TYPES, whose watcher listens at `url` or below it."""
    headers = {"Content-Type": "application/json"}
    if kind == HMAC:
        headers["X-Signature"] = "sha256=" + hmac.new(token, payload, "sha256").hexdigest()
    if kind == OIDC:
        headers["Authorization"] = f"Bearer {id_token}"
    path = hook_path(token, receiver.name, receiver.namespace)
    return Request(method="POST", url=url.rstrip("/") + path, headers=headers, body=payload, largest=_LARGEST)


def send_webhook(
    webhook: Request, *, retries: int, pause: float, seconds: float, waiting: Callable[[str], None]
) -> None:
    """Send it, and again after `pause` seconds as long as that may help; `waiting` is told why.

    Raises:
        SourceError: it was not taken within `seconds`, or will not be; holds neither its path nor a token.
    """
    deadline, transport = monotonic() + seconds, _transport()
    for attempt in itertools.count(1):
        error, again = _try(transport, webhook, deadline)
        if error is None:
            return
        if not again or attempt > retries or monotonic() + pause > deadline:
            raise error
        waiting(f"{error.message}; trying again in {pause:g} s ({attempt} of {retries})")
        time.sleep(pause)


def _try(transport: Transport, webhook: Request, deadline: float) -> tuple[SourceError | None, bool]:
    """What went wrong, and whether the next try may go well."""
    try:
        answer = transport.exchange(webhook, deadline, loopback=is_local(webhook.url))
    except ExchangeError as err:
        return err, err.failure in PASSING
    status = answer.status
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return None, False
    why = f"{urlsplit(webhook.url).netloc}: answers {status}"
    return SourceError(why, hint=_HINTS.get(status, "")), status in _AGAIN


def read_job_token(audience: str, environ: Mapping[str, str], seconds: float) -> str:
    """An ID token of the job of GitHub or Forgejo that this runs in.

    Raises:
        SourceError: this is no such job, or it may have none; holds no token.
    """
    url, bearer = environ.get(_URL), environ.get(_BEARER)
    if not (url and bearer):
        hint = "let the job have one: `permissions: {id-token: write}`"
        raise SourceError(f"the environment: found no {_URL} and {_BEARER}", hint=hint)
    request = Request(
        method="GET",
        url=f"{url}{'&' if '?' in url else '?'}audience={quote(audience, safe='')}",
        headers={"Authorization": f"Bearer {bearer}", "Accept": "application/json"},
        largest=_LARGEST,
    )
    answer = _transport().exchange(request, monotonic() + seconds, loopback=is_local(url))
    try:
        found = json.loads(answer.body)["value"]
    except (ValueError, KeyError, TypeError):
        found = None
    if answer.status != HTTPStatus.OK or not isinstance(found, str):
        raise SourceError(f"{urlsplit(url).netloc}: answers {answer.status} and no ID token")
    return found


def _transport() -> Transport:
    return Transport(Settings(where="the environment"), monotonic)
