"""Questions to registries: retried within limits, logged in when asked, redirected only where nothing leaks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

from weir.edges.http.budget import Budget, shared_budget
from weir.edges.http.errors import ExchangeError
from weir.edges.http.patient import Patient
from weir.edges.http.transport import LARGEST, Answer, Request, Transport, is_local, monotonic, origin
from weir.edges.registry.access import Access
from weir.edges.registry.errors import BadAnswerError, MissingError, explain
from weir.edges.registry.login import Logins, denied
from weir.spec.image_name import ImageName

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
        self._clock = clock
        self._patient = Patient(
            Transport(access.settings, clock), stop=stop or threading.Event(), clock=clock, budget=budget
        )
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
        try:
            return self._patient.exchange(request, deadline, loopback=loopback)
        except ExchangeError as err:
            raise explain(err) from err


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
