"""One API server as one identity: requests with JSON in and out, retried where that is safe, cut off when asked."""

from __future__ import annotations

import copy
import http.client
import random
import ssl
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import orjson

from weir.edges.kube.connections import Connections, cut, send
from weir.edges.kube.credentials import Credentials
from weir.edges.kube.errors import KubeStatusError, UnreachableError, status_error
from weir.edges.kube.kubeconfig import Access
from weir.spec.errors import StopRequested
from weir.spec.loopback import LOOPBACK

Query = Mapping[str, str] | str | None

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Accept only metadata in the answer: less to write for the server and to read for us."""

TIMEOUT: Final = 30.0
"""Seconds without a byte from the server."""
PATIENCE: Final = TIMEOUT + 10.0
"""Seconds of retries for one call once the server has answered before: an answer that never comes is one of them."""
FIRST_PATIENCE: Final = 5.0
"""Seconds of retries while the server has never answered."""
_SILENCE: Final = 30.0
"""Seconds for which a server that never answered is not asked again by who is wary."""
_LONGEST_PAUSE: Final = 4.0
_LARGEST: Final = 256 * 1024 * 1024
_BUSY: Final = frozenset({429, 502, 503, 504})
_TRIES_OF_500: Final = 3
_ABOUT_THE_MANIFEST: Final = (
    "failed to create typed",
    "failed to convert",
    "failed calling webhook",
    "error decoding",
)
_AGENT: Final = "weir"
_AWAY: Final = "check that the server runs and that the kubeconfig names the right one"
_RANDOM: Final = random.SystemRandom()


class _Shared:
    """What all identities on one server have in common."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.credentials = Credentials(access)
        self.connections = Connections(access, self.credentials)
        self.answered = False
        self.silent_until = 0.0
        """Until when nobody who is wary asks again, for nothing came."""
        self.lock = threading.Lock()
        self.writes: Counter[str] = Counter()
        parts = urlsplit(access.server)
        self.prefix = parts.path.rstrip("/")
        self.near = parts.hostname in LOOPBACK


class Kube:
    """A connection pool with an identity. Thread-safe, cheap to derive from (`acting_as`, `until`)."""

    def __init__(self, access: Access, *, impersonate: str = "") -> None:
        """`impersonate` is a user name such as `system:serviceaccount:apps:deployer`."""
        self._shared = _Shared(access)
        self.user = impersonate
        self._stop: threading.Event | None = None
        self._begun = False
        self._hurry = 0.0
        self._wary = 0.0

    @property
    def access(self) -> Access:
        """Where the API server is; its `repr` shows no credential."""
        return self._shared.access

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return self._shared.access.server

    @property
    def writes(self) -> Mapping[str, int]:
        """How many requests that change something were sent to this server, by method; refused ones count."""
        with self._shared.lock:
            return dict(self._shared.writes)

    def acting_as(self, user: str) -> Kube:
        """The same server and connections as another identity; empty means our own."""
        return self._derive(user=user)

    def until(self, stop: threading.Event) -> Kube:
        """The same, but every call raises StopRequested once `stop` is set, also while it waits to retry."""
        return self._derive(_stop=stop)

    def to_the_end(self) -> Kube:
        """The same, but a stop ends no call before its first try: for what has begun and is harmful half done."""
        return self._derive(_begun=True)

    def in_a_hurry(self, seconds: float) -> Kube:
        """The same, but a call that takes longer than `seconds` fails, and none is retried."""
        return self._derive(_hurry=seconds)

    def wary(self, seconds: float) -> Kube:
        """The same, but a server that never answered is given up after `seconds` without a byte, by all for a while."""
        return self._derive(_wary=seconds)

    def _derive(self, **changed: Any) -> Kube:
        other = copy.copy(self)
        for name, value in changed.items():
            setattr(other, name, value)
        return other

    def abort(self) -> None:
        """Cut off all requests in flight on this server, for a stop that cannot wait for them."""
        self._shared.connections.abort()

    def drop_idle(self) -> None:
        """Close the connections that nobody uses at present; further calls open new ones."""
        self._shared.connections.drop_idle()

    def request(
        self,
        method: str,
        path: str,
        query: Query = None,
        body: Any = None,
        content_type: str = JSON,
        *,
        accept: str = JSON,
        timeout: float = TIMEOUT,
    ) -> Any:
        """The decoded answer of one call. `body` is a JSON value, or bytes as they are.

        Every call is retried when the server is overloaded, restarting or cut off, so it must be idempotent: reads,
        server-side applies, deletes, and patches that test the resource version.

        Raises:
            KubeStatusError: the server refused.
            UnreachableError: no answer; names the server.
            StopRequested: the run was cancelled.
        """
        if not self._begun:
            self._check_stop()
        payload = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        target = _target(self._shared.prefix + path, query)
        longest = self._hurry or timeout
        if self._wary and not self._shared.answered:
            self._refuse_silent()
            longest = min(longest, self._wary)
        return self._patiently((method, target, payload, content_type, accept, longest))

    def _refuse_silent(self) -> None:
        if time.monotonic() < self._shared.silent_until:
            raise UnreachableError(f"{self.server}: gave no answer a moment ago", hint=_AWAY)

    def _patiently(self, call: tuple[Any, ...]) -> Any:
        """The answer of one call, asked again while that may help and patience lasts."""
        began = time.monotonic()
        attempt, renewed = 0, False
        while True:
            try:
                return self._once(*call)
            except KubeStatusError as err:
                if (
                    err.status == HTTPStatus.UNAUTHORIZED
                    and not renewed
                    and self._shared.credentials.forget()
                ):
                    renewed = True
                    self.drop_idle()
                    continue
                pause = _pause(err, attempt)
                if not self._is_worth(pause, began):
                    raise
            except (OSError, http.client.HTTPException) as err:
                self._check_stop()
                self.drop_idle()
                if isinstance(err, TimeoutError):
                    self._shared.silent_until = time.monotonic() + _SILENCE
                pause = _backoff(attempt)
                if not self._is_worth(pause, began):
                    raise self._unreachable(err) from err
            attempt += 1
            self._sleep(pause)
            self._check_stop()

    def _is_worth(self, pause: float, began: float) -> bool:
        """Whether to ask again after a pause."""
        patience = PATIENCE if self._shared.answered else FIRST_PATIENCE
        return not self._hurry and pause >= 0 and time.monotonic() - began + pause <= patience

    def _once(self, method: str, target: str, payload: bytes | None, content_type: str, *rest: Any) -> Any:
        accept, timeout = rest
        headers = self._headers(accept, "identity" if self._shared.near else "gzip")
        if payload is not None:
            headers.append(("Content-Type", content_type))
        if method != "GET" and "dryRun=" not in target:
            with self._shared.lock:
                self._shared.writes[method] += 1
        with self._shared.connections.borrow(timeout) as connection:
            send(connection, method, target, headers, payload)
            response = connection.getresponse()
            status, answer = response.status, _read(response)
            wait = response.headers.get("Retry-After", "") if status >= HTTPStatus.BAD_REQUEST else ""
            if response.will_close:
                connection.close()
        self._shared.answered = True
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return _json(answer)
        raise _refusal(status, answer, f"{method} {target.partition('?')[0]}", wait)

    def _headers(self, accept: str, encoding: str) -> list[tuple[str, str]]:
        headers = [("Accept", accept), ("User-Agent", _AGENT), ("Accept-Encoding", encoding)]
        token = self._shared.credentials.token()
        if token:
            headers.append(("Authorization", f"Bearer {token}"))
        return [*headers, *([("Impersonate-User", self.user)] if self.user else self.access.acting_as)]

    def stream(
        self, path: str, query: Query, *, timeout: float, on_open: list[Any]
    ) -> Iterator[dict[str, Any]]:
        """The events of a watch, one JSON value each, until the server ends it. It is open when this returns.

        The connection is appended to `on_open` so that another thread can `hang_up` on it.

        Raises:
            KubeStatusError: the server refused.
            ClusterError: the connection broke.
        """
        connection = self._shared.connections.open(timeout)
        on_open.append(connection)
        try:
            headers = self._headers(JSON, "identity")
            send(connection, "GET", _target(self._shared.prefix + path, query), headers)
            response = connection.getresponse()
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise status_error(response.status, _decode(_read(response)), f"WATCH {path}")
        except KubeStatusError:
            connection.close()
            raise
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as err:
            connection.close()
            raise self._unreachable(err) from err
        return self._events(connection, response)

    def _events(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> Iterator[dict[str, Any]]:
        try:
            yield from _lines(response)
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as err:
            raise self._unreachable(err) from err
        finally:
            connection.close()

    @staticmethod
    def hang_up(connections: list[Any]) -> None:
        """End the streams of these connections."""
        for connection in connections:
            cut(connection)

    def _unreachable(self, err: Exception) -> UnreachableError:
        reason = getattr(err, "strerror", None) or str(err) or type(err).__name__
        hint = _AWAY
        if isinstance(err, ssl.SSLCertVerificationError):
            hint = "check the certificate authority in the kubeconfig"
        failure = UnreachableError(f"{self.server}: cannot be reached: {reason}", hint=hint)
        failure.__cause__ = err
        return failure

    def _check_stop(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise StopRequested("the run was cancelled", hint="run again to finish")

    def _sleep(self, seconds: float) -> None:
        if self._stop is None:
            time.sleep(seconds)
        else:
            self._stop.wait(seconds)


def _refusal(status: int, answer: bytes, what: str, wait: str) -> KubeStatusError:
    """Made apart: a frame that raises what it holds is a cycle, and keeps the whole connection alive."""
    error = status_error(status, _decode(answer), what)
    if wait.isdigit():
        error.details = {**error.details, "retryAfterSeconds": int(wait)}
    return error


def _target(path: str, query: Query) -> str:
    text = query if isinstance(query, str) else urlencode(query or {}, quote_via=quote)
    return f"{path}?{text}" if text else path


def _read(response: http.client.HTTPResponse) -> bytes:
    """The whole body, bounded: the server of a tenant's kubeconfig may send anything."""
    data = response.read(_LARGEST + 1)
    if response.length and len(data) <= _LARGEST:
        raise http.client.IncompleteRead(data, response.length)
    if response.headers.get("Content-Encoding") == "gzip":
        try:
            data = zlib.decompressobj(wbits=31).decompress(data, _LARGEST + 1)
        except zlib.error as err:
            raise http.client.HTTPException("an answer that cannot be unpacked") from err
    if len(data) > _LARGEST:
        raise http.client.HTTPException(f"an answer of more than {_LARGEST >> 20} MiB")
    return data


def _json(answer: bytes) -> Any:
    """What an API server says. Anything else, as of a proxy in front of it, says nothing about any object."""
    try:
        return orjson.loads(answer)
    except ValueError:
        raise http.client.HTTPException("an answer that is no JSON") from None


def _decode(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def _lines(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    rest = b""
    while chunk := response.read1(1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (orjson.loads(line) for line in lines if line)


def _backoff(attempt: int) -> float:
    return float(min(0.05 * 2.0**attempt, _LONGEST_PAUSE) * _RANDOM.uniform(0.5, 1.0))


def _pause(error: KubeStatusError, attempt: int) -> float:
    """Seconds until the next try, -1 when another try would only get the same answer."""
    failed = error.status == HTTPStatus.INTERNAL_SERVER_ERROR and _passing(error.message, attempt)
    if error.status not in _BUSY and not failed:
        return -1.0
    asked = error.details.get("retryAfterSeconds")
    return max(float(asked), 0.1) if isinstance(asked, int) and asked >= 0 else _backoff(attempt)


def _passing(message: str, attempt: int) -> bool:
    """Whether a 500 may go away. The API server also answers 500 to manifests that it cannot read."""
    if "etcdserver" in message:
        return True
    return attempt < _TRIES_OF_500 and not message.startswith(_ABOUT_THE_MANIFEST)
