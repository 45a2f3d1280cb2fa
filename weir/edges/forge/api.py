"""Requests to a forge's API: the token in a header and nowhere else, JSON both ways, refusals in words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import orjson

from weir.edges.forge.access import ForgeAccess, check_api
from weir.edges.forge.errors import (
    BadAnswerError,
    DeniedError,
    ForgeError,
    MissingError,
    RefusedError,
    UnavailableError,
)
from weir.edges.http.budget import Budget, retry_after, shared_budget
from weir.edges.http.errors import PASSING, ExchangeError, Failure
from weir.edges.http.patient import Patient
from weir.edges.http.transport import Answer, Request, Transport, is_local, monotonic
from weir.spec.image_automation import PULL_REQUEST_API, PULL_REQUEST_SECRET, ForgeKind

MOST_PAGES: Final = 100

_SHOWN: Final = 300
_TEXTS: Final = ("message", "error", "error_description", "errors", "detail")
_HEADERS: Final[dict[ForgeKind, dict[str, str]]] = {
    "github": {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    "gitlab": {"Accept": "application/json"},
    "gitea": {"Accept": "application/json"},
}
_SCHEMES: Final[dict[ForgeKind, str]] = {"github": "Bearer", "gitlab": "Bearer", "gitea": "token"}
_RIGHTS: Final[dict[ForgeKind, str]] = {
    "github": "give it `Pull requests: write` (and `Issues: write` for new labels), or the scope `repo`",
    "gitlab": "give it the scope `api` and at least the role Developer",
    "gitea": "give it the scopes `write:repository` and `write:issue`, and its account write access",
}
_NO_API: Final = f"check that {PULL_REQUEST_API} names the API of that kind of forge"
_STATUSES: Final[dict[int, tuple[type[ForgeError], str, str]]] = {
    401: (
        DeniedError,
        "the token is wrong or has expired",
        f"put a valid one into key token of the Secret of {PULL_REQUEST_SECRET}",
    ),
    403: (DeniedError, "the token may not do this", ""),
    404: (
        MissingError,
        "not found, or not visible to the token",
        f"check the repository's URL, its branches, {PULL_REQUEST_API} and what the token may see",
    ),
} | dict.fromkeys(
    (400, 409, 410, 413, 422, 423), (RefusedError, "refused", "do what the text says, then run again")
)
"""By status: the error, why, and what to do (empty: give the token the right)."""
_HINTS: Final = {
    Failure.UNTRUSTED: f"put the issuer's certificate in ca.crt of the Secret of {PULL_REQUEST_SECRET}",
    Failure.UNRESOLVED: f"correct {PULL_REQUEST_API}, or check DNS",
    Failure.UNREACHED: f"see that the forge is up, or correct {PULL_REQUEST_API}",
    Failure.FORBIDDEN: f"correct {PULL_REQUEST_API}",
    Failure.PROXY: "check the proxy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A successful answer."""

    where: str
    """Method and URL, for messages."""
    data: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class Api:
    """One forge for the time of one proposal."""

    def __init__(
        self,
        access: ForgeAccess,
        *,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = monotonic,
        budget: Callable[[str], Budget] = shared_budget,
    ) -> None:
        """Raises SourceError when the API's URL is not one that a token may be sent to."""
        check_api(access)
        self._access = access
        self._deadline = clock() + access.timeout
        self._patient = Patient(
            Transport(access.settings, clock), stop=stop or threading.Event(), clock=clock, budget=budget
        )

    def get(self, *path: str, **query: str) -> Reply:
        """Read. Raises ForgeError, StopRequested."""
        return self._ask("GET", path, query, None, repeat=True)

    def pages(self, *path: str, seen: Callable[[Reply, int], bool], **query: str) -> list[dict[str, Any]]:
        """All rows of a list; `seen(reply, rows so far)` says when there are no more.

        Raises:
            ForgeError: one page failed, or there is no end.
        """
        rows: list[dict[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            reply = self.get(*path, page=str(page), **query)
            if not isinstance(reply.data, list) or not all(isinstance(row, dict) for row in reply.data):
                raise BadAnswerError(f"{reply.where}: expected a list of objects", hint=_NO_API)
            rows += reply.data
            if not reply.data or seen(reply, len(rows)):
                return rows
        raise BadAnswerError(f"{reply.where}: the list does not end after {MOST_PAGES} pages")

    def change(self, method: str, *path: str, body: Mapping[str, object]) -> Reply:
        """Change what is there; doing it twice is the same, so it is repeated. Raises ForgeError, StopRequested."""
        return self._ask(method, path, {}, body, repeat=True)

    def create(self, *path: str, body: Mapping[str, object]) -> Reply:
        """Make something new, so this is sent once. Raises ForgeError, StopRequested."""
        return self._ask("POST", path, {}, body, repeat=False)

    def pause(self, seconds: float) -> None:
        """Wait. Raises StopRequested."""
        self._patient.sleep(seconds)

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, str],
        body: Mapping[str, object] | None,
        *,
        repeat: bool,
    ) -> Reply:
        access = self._access
        url = "/".join((access.api, *(quote(part, safe="") for part in path)))
        where = f"{method} {url}"
        headers = {**_HEADERS[access.kind], "Authorization": f"{_SCHEMES[access.kind]} {access.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = Request(
            method=method,
            url=f"{url}?{urlencode(query)}" if query else url,
            headers=headers,
            body=None if body is None else orjson.dumps(body),
        )
        try:
            answer = self._patient.exchange(
                request, self._deadline, loopback=is_local(access.api), repeat=repeat
            )
        except ExchangeError as err:
            raise _explain(err) from err
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise self._refusal(where, answer)
        try:
            return Reply(where=where, data=orjson.loads(answer.body), headers=answer.headers)
        except ValueError as err:
            raise BadAnswerError(f"{where}: the answer is not JSON", hint=_NO_API) from err

    def _refusal(self, where: str, answer: Answer) -> ForgeError:
        status = answer.status
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return BadAnswerError(
                f"{where}: {status}, a redirect, which is not followed",
                hint=f"the repository has moved: correct its URL, or {PULL_REQUEST_API}",
            )
        said = self._said(answer.body)
        message = f"{where}: {status}" + (f" ({said})" if said else "")
        waits = limited(answer, time.time())
        if waits is not None:
            return UnavailableError(
                f"{message}: too many requests, for another {waits:.0f} s", hint="run again later"
            )
        kind, reason, hint = _STATUSES.get(status, (BadAnswerError, "", _NO_API))
        hint = hint or _RIGHTS[self._access.kind]
        return kind(f"{message}: {reason}" if reason else message, hint=hint)

    def _said(self, body: bytes) -> str:
        """What the forge says about it: short, on one line, without the token and without what could hide text."""
        try:
            document = orjson.loads(body)
        except ValueError:
            return ""
        text = "; ".join(_texts(document)).replace(self._access.token, "***")
        text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
        return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _texts(value: Any) -> list[str]:
    """The texts of an error document, outermost first, each once."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    found: list[str] = []
    if isinstance(value, list):
        for item in value[:10]:
            found += _texts(item)
    elif isinstance(value, dict):
        inner = [value[name] for name in _TEXTS if name in value]
        if not inner:
            inner = [" ".join(str(part) for part in (value.get("field"), value.get("code")) if part)]
        for item in inner:
            found += _fields(item) if isinstance(item, dict) else _texts(item)
    return list(dict.fromkeys(found))


def _fields(value: Mapping[str, Any]) -> list[str]:
    """GitLab's `{"title": ["can't be blank"]}`."""
    return [f"{name}: {text}" for name, part in list(value.items())[:10] for text in _texts(part)]


def limited(answer: Answer, now: float) -> float | None:
    """Seconds until GitHub's rate limit ends, None when it is not the reason for a 403 or 429.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    headers = answer.headers
    if answer.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        return None
    if "retry-after" in headers:
        return retry_after(headers["retry-after"], now) or 0.0
    if headers.get("x-ratelimit-remaining", "").strip() != "0":
        return None
    reset = headers.get("x-ratelimit-reset", "").strip()
    return max(0.0, float(reset[:12]) - now) if reset.isascii() and reset.isdigit() else 0.0


def _explain(error: ExchangeError) -> ForgeError:
    hint = _HINTS.get(error.failure, "run again later")
    kind = UnavailableError if error.failure in PASSING else BadAnswerError
    return kind(error.message, hint=hint)


def page_url(value: object, where: str) -> str:
    """A URL for people from an answer.

    Raises:
        BadAnswerError: it is none that can be shown.
    """
    text = value if isinstance(value, str) else ""
    parts = urlsplit(text) if text.isascii() and text.isprintable() and " " not in text else urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise BadAnswerError(f"{where}: the answer names no page of the pull request", hint=_NO_API)
    return text


def number_of(value: object, where: str) -> int:
    """A positive number from an answer. Raises BadAnswerError."""
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise BadAnswerError(f"{where}: the answer holds no number", hint=_NO_API)
    return value
