"""Send one notification: Secrets from the cluster, the message of the type, one exchange, and what it means."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from weir.edges.forge.api import limited
from weir.edges.http.budget import retry_after
from weir.edges.http.errors import ExchangeError, Failure
from weir.edges.http.settings import Settings
from weir.edges.http.transport import Answer, Request, Transport, is_local, monotonic
from weir.edges.registry.access import read_proxy
from weir.flow.clusters import Clusters
from weir.flow.registry_access import read_certificate_secret
from weir.flow.send_errors import FinalError, PostponedError
from weir.notify.http_message import HttpMessage
from weir.notify.match import with_metadata
from weir.notify.refusals import refusal
from weir.spec.alert import AlertSpec
from weir.spec.errors import SourceError, SpecError, StopRequested
from weir.spec.event import Event
from weir.spec.identity import UnitId
from weir.spec.provider import COMMENT_TYPES, STATUS_TYPES, ProviderSpec

_BUSY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_NEVER: Final = frozenset({Failure.FORBIDDEN, Failure.PACKED, Failure.LARGE})
"""Failures that the next try ends in too, or after which the other side may have the message already."""
_LARGEST: Final = 1024 * 1024
"""Bytes of an answer."""
_KNOWN_ALREADY: Final = b"Cannot transition status"
"""GitLab's 400 to a status that the commit has (https://docs.gitlab.com/api/commits/)."""


class Sender:
    """Sends to one provider for the time of one round: Secrets are read once, connections are kept."""

    def __init__(
        self,
        provider: ProviderSpec,
        documents: Mapping[UnitId, Mapping[str, Any]],
        clusters: Clusters,
        stop: threading.Event,
    ) -> None:
        """`documents` is what is written of the provider and of its alerts."""
        self.provider = provider
        self._documents = documents
        self._clusters = clusters
        self._stop = stop

    def send(self, alert: AlertSpec, event: Event, seconds: float) -> None:
        """Send an event that set off an alert, each request within `seconds`.

        Raises:
            FinalError: it will never arrive.
            PostponedError: it may arrive later.
            StopRequested: the run was cancelled.
            WeirError: a Secret is missing or wrong.
        """
        if self._stop.is_set():
            raise StopRequested("the run was cancelled", hint="run again to finish")
        if self.provider.type in COMMENT_TYPES:
            self._comment(with_metadata(event, alert), seconds)
            return
        for message in self._messages(alert, event):
            self._judge(self._exchange(message, seconds))

    def _messages(self, alert: AlertSpec, event: Event) -> Iterable[HttpMessage]:
        """The requests, in order; none when there is nothing to say."""
        if self.provider.type in STATUS_TYPES:
            from weir.notify.commit_status import render_status

            told = with_metadata(event, alert)
            status = render_status(self.provider, self._secret, told, lambda: self._status_name(alert, told))
            return filter(None, (status,))
        from weir.notify.messages.render import render

        return render(self.provider, self._secret, event, alert)

    def _status_name(self, alert: AlertSpec, event: Event) -> str:
        """Raises FinalError: what cannot be evaluated for this event must not keep those after it."""
        if not self.provider.commit_status_expr:
            return ""
        from weir.flow.status_name import status_name

        try:
            return status_name(self.provider, alert, event, self._documents)
        except SpecError as err:
            raise FinalError(err.message, hint=err.hint) from err

    def _comment(self, event: Event, seconds: float) -> None:
        from weir.flow.comment import comment

        comment(self.provider, self._secret, self._settings, event, seconds=seconds, stop=self._stop)

    def _exchange(self, message: HttpMessage, seconds: float) -> Answer:
        request = Request(
            method=message.method,
            url=message.url,
            headers=message.headers,
            body=message.body,
            largest=_LARGEST,
        )
        try:
            return self._transport.exchange(request, monotonic() + seconds, loopback=is_local(message.url))
        except ExchangeError as err:
            kind = FinalError if err.failure in _NEVER else PostponedError
            raise kind(err.message) from err

    def _judge(self, answer: Answer) -> None:
        """Return when the notification arrived. Nothing of the answer's text is told: it may repeat what was sent."""
        status, host = answer.status, urlsplit(answer.url).hostname
        if status < HTTPStatus.MULTIPLE_CHOICES:
            if no := refusal(self.provider.type, str(host), answer.body):
                kind = PostponedError if no.passing else FinalError
                raise kind(f"{host}: refused: {no.why}")
            return
        if status < HTTPStatus.BAD_REQUEST:
            raise FinalError(f"{host}: found a redirect ({status}), which is not followed")
        now = time.time()
        waits = limited(answer, now)
        if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR or waits is not None:
            asked = retry_after(answer.headers.get("retry-after", ""), now) if waits is None else waits
            raise PostponedError(f"{host}: the server does not take it now ({status})", asked)
        if self.provider.type == "gitlab" and _KNOWN_ALREADY in answer.body:
            return
        raise FinalError(f"{host}: the server refuses it ({status})")

    @cached_property
    def _data(self) -> Mapping[str, bytes]:
        """The provider's Secret; empty without one."""
        name = self.provider.secret
        return self._clusters.secret(self.provider.id.namespace, name) if name else {}

    @cached_property
    def _secret(self) -> Mapping[str, bytes]:
        """The provider's Secret; that of a GitHub App or of a Google service account with a token in it."""
        if self.provider.type == "googlepubsub":
            return {**self._data, "token": self._google_token().encode()}
        if "githubAppID" not in self._data:
            return self._data
        from weir.edges.git.github_app import installation_token

        return {**self._data, "token": installation_token(self._data, self._settings.proxy).encode()}

    def _google_token(self) -> str:
        """Empty without a key. Raises SourceError for one that is none."""
        from weir.edges.google_key import access_token
        from weir.notify.messages.streams import PUBSUB

        key = self._data.get("token", b"")
        try:
            return access_token(key, f"{PUBSUB}/", time.time()) if key else ""
        except ValueError as err:
            spec = self.provider
            where = f"Secret/{spec.id.namespace}/{spec.secret}"
            raise SourceError(f"{where}: key token: {err}", hint="correct the Secret") from None

    @cached_property
    def _settings(self) -> Settings:
        name, data = self._certificates()
        where = f"Secret/{self.provider.id.namespace}/{name}"
        settings = Settings(proxy=self._proxy(), where=where)
        if not name:
            return settings
        try:
            found = read_certificate_secret(data)
        except SourceError as err:
            raise SourceError(f"{where}: {err.message}", hint=err.hint) from err
        return replace(settings, ca=found["ca"], certificate=found["certificate"], key=found["key"])

    def _certificates(self) -> tuple[str, Mapping[str, bytes]]:
        """The Secret that holds the certificates; without a name when there is none."""
        spec = self.provider
        if spec.cert_secret:
            return spec.cert_secret, self._clusters.secret(spec.id.namespace, spec.cert_secret)
        if spec.type in STATUS_TYPES and self._data.get("ca.crt"):
            return spec.secret, self._data
        return "", {}

    def _proxy(self) -> str:
        """The proxy's URL, of `proxySecretRef` before that of the Secret before that of the spec."""
        spec, namespace = self.provider, self.provider.id.namespace
        if spec.proxy_secret:
            return read_proxy(self._clusters.secret(namespace, spec.proxy_secret))
        if "proxy" not in self._data:
            return spec.proxy
        try:
            return read_proxy({"address": self._data["proxy"].strip()})
        except SourceError as err:
            expected = "a URL such as http://proxy.example:3128"
            raise SourceError(
                f"Secret/{namespace}/{spec.secret}: key proxy is not {expected}", hint=err.hint
            ) from None

    @cached_property
    def _transport(self) -> Transport:
        return Transport(self._settings, monotonic)
