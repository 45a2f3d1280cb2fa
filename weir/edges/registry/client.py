"""Questions to registries: retried within limits, logged in when asked, redirected only where nothing leaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

from weir.edges.registry.access import Access
from weir.edges.registry.budget import Budget, retry_after, shared_budget
from weir.edges.registry.errors import (
    BadAnswerError,
    MissingError,
    RegistryError,
    UnavailableError,
    UntrustedError,
)
from weir.edges.registry.login import Logins, denied
from weir.edges.registry.names import ImageName
from weir.edges.registry.transport import LARGEST, Answer, Request, Transport, is_local, monotonic, origin
from weir.spec.errors import StopRequested

_BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_HOPS: Final = 5
_LOGINS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One read below `/v2/<repository>/`."""

    image: ImageName
    path: str
    """Such as `tags/list?n=1000`."""
    method: str = "GET"
    accept: str = ""
    etag: str = ""
    """Of the answer that is there already: then 304 may come."""
    largest: int = LARGEST


class Client:
    """Registries reached with one Access. Thread-safe; keeps connections and tokens, so keep it for a run."""

    def __init__(
        self,
        access: Access,
        *,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = monotonic,
        budget: Callable[[str], Budget] = shared_budget,
    ) -> None:
        """Once `stop` is set, every call raises StopRequested, also while it waits."""
        self.access = access
        self._stop = stop or threading.Event()
        self._clock = clock
        self._budget = budget
        self._transport = Transport(access, clock)
        self._logins = Logins(access.logins, self._token_exchange, clock)

    def deadline(self) -> float:
        """When a question that is asked now has to be answered."""
        return self._clock() + self.access.timeout

    def base(self, image: ImageName) -> str:
        """`scheme://host` of an image's registry."""
        return f"{'http' if self.access.insecure else 'https'}://{image.host}"

    def ask(self, question: Question, deadline: float) -> Answer:
        """The answer with status 200 or 304.

        Raises:
            RegistryError: one of its kinds (see errors).
            StopRequested: the run was cancelled.
        """
        answer = self._follow(question, deadline)
        if answer.status == HTTPStatus.OK or (answer.status == HTTPStatus.NOT_MODIFIED and question.etag):
            return answer
        image = question.image
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise denied(image, answer.url)
        what = question.path.partition("?")[0]
        if answer.status == HTTPStatus.NOT_FOUND:
            raise MissingError(
                f"{image.canonical}: the registry has no {what}",
                hint="correct spec.image, or check spec.secretRef",
            )
        raise BadAnswerError(
            f"{image.canonical}: the registry answers {answer.status} to {what}",
            hint="check that spec.image names an OCI registry",
        )

    def _follow(self, question: Question, deadline: float) -> Answer:
        base = self.base(question.image)
        url = f"{base}/v2/{question.image.repository}/{question.path}"
        refusals = hops = 0
        while hops <= _MOST_HOPS:
            own = origin(url) == origin(base)
            sent = self._logins.header(question.image, origin(url))
            request = _request(question, url, sent, own=own)
            answer = self._patiently(request, deadline, loopback=is_local(base))
            if answer.status == HTTPStatus.UNAUTHORIZED and refusals < _LOGINS:
                refusals += 1
                self._logins.answer(question.image, answer, sent, deadline, own=own)
            elif answer.status in _REDIRECTS:
                hops += 1
                url = _target(answer)
            else:
                return answer
        raise BadAnswerError(
            f"{question.image.canonical}: the registry redirects more than {_MOST_HOPS} times",
            hint="try again later",
        )

    def _token_exchange(self, request: Request, place: str, deadline: float) -> Answer:
        """To the token service of a place. A redirect there is not followed: the login would go along."""
        return self._patiently(request, deadline, loopback=is_local(place))

    def _patiently(self, request: Request, deadline: float, *, loopback: bool) -> Answer:
        """The answer of one exchange, asked again while that may help and time is left."""
        budget = self._budget(urlsplit(request.url).netloc)
        attempt = 0
        while True:
            self._wait_turn(budget, request, deadline)
            asked, slow_down = None, False
            failure: RegistryError
            try:
                answer = self._transport.exchange(request, deadline, loopback=loopback)
            except UntrustedError:
                raise
            except UnavailableError as err:
                failure = err
            else:
                if answer.status not in _BUSY:
                    budget.succeeded()
                    return answer
                asked = retry_after(answer.headers.get("retry-after", ""), time.time())
                slow_down = answer.status == HTTPStatus.TOO_MANY_REQUESTS
                failure = _busy(request, answer.status, asked)
            pause = budget.failed(attempt, asked=asked, slow_down=slow_down)
            if pause is None or self._clock() + pause > deadline:
                raise failure
            attempt += 1
            self._sleep(pause)

    def _wait_turn(self, budget: Budget, request: Request, deadline: float) -> None:
        wait = budget.take()
        if self._clock() + wait > deadline:
            budget.give_back()
            raise UnavailableError(
                f"{urlsplit(request.url).netloc}: asked not to be asked for another {wait:.0f} s",
                hint="raise spec.interval, or log in for a higher limit",
            )
        self._sleep(wait)

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds) if seconds > 0 else self._stop.is_set():
            raise StopRequested("the run was cancelled", hint="run again to finish")


def _request(question: Question, url: str, authorization: str, *, own: bool) -> Request:
    headers = {
        "Accept": question.accept,
        "If-None-Match": question.etag,
        "Authorization": authorization,
    }
    return Request(
        method=question.method,
        url=url,
        headers={name: value for name, value in headers.items() if value},
        own=own,
        largest=question.largest,
    )


def _target(answer: Answer) -> str:
    """Where a redirect leads. Another origin is asked without credentials, and over TLS only."""
    here = urlsplit(answer.url)
    location = answer.headers.get("location", "")
    url = urljoin(answer.url, location).partition("#")[0]
    parts = urlsplit(url)
    plain = url.isascii() and url.isprintable() and " " not in url
    if (
        not location
        or not plain
        or not parts.hostname
        or parts.username
        or parts.scheme not in ("http", "https")
    ):
        raise BadAnswerError(f"{here.netloc}: redirects to no usable URL", hint="try again later")
    if origin(url) != origin(answer.url) and parts.scheme != "https":
        raise BadAnswerError(
            f"{here.netloc}: redirects to another host over plain HTTP ({parts.hostname}), which is not followed",
            hint="if that is right, put that host in spec.image",
        )
    return url


def _busy(request: Request, status: int, asked: float | None) -> UnavailableError:
    host = urlsplit(request.url).netloc
    if status != HTTPStatus.TOO_MANY_REQUESTS:
        return UnavailableError(f"{host}: the registry failed ({status})", hint="try again later")
    wait = "" if asked is None else f" for {asked:.0f} s"
    return UnavailableError(
        f"{host}: the registry asks to slow down{wait} (429)",
        hint="raise spec.interval, or log in for a higher limit",
    )
