"""One HTTP exchange: bounded in time and size, never redirected, never decoded, errors in words without secrets."""

from __future__ import annotations

import base64
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3 import exceptions

from weir.edges.http.errors import ExchangeError, Failure
from weir.edges.http.guard import ForbiddenAddressError, Limit, guarded
from weir.edges.http.settings import Settings, tls_context
from weir.spec.loopback import LOOPBACK

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of one answer."""
QUIET: Final = 30.0
"""Seconds without a byte."""
CONNECT: Final = 10.0
"""Seconds for a connection to stand."""

_ERROR_BODY: Final = 64 * 1024
_CONNECTIONS: Final = 8
_AGENT: Final = "weir"
_LATE: Final = "no answer in time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent. `own` says that it goes to the very server that was meant, which may see our certificate."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes | None = field(repr=False, default=None)
    own: bool = True
    largest: int = LARGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case name; repeated ones joined with commas."""
    body: bytes = field(repr=False)
    url: str


class Transport:
    """Kept-alive connections with one set of certificates. The client's own is shown where `own` says so."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._managers: dict[tuple[bool, str], urllib3.PoolManager] = {}

    def exchange(self, request: Request, deadline: float, *, loopback: bool) -> Answer:
        """The answer, whatever its status.

        Raises:
            ExchangeError: no whole answer in time, or one that is too large or packed.
        """
        left = deadline - self._clock()
        if left <= 0:
            raise _late(request.url)
        proxy = self._proxy(request.url)
        try:
            with Limit(left, loopback=loopback, proxied=bool(proxy)) as limit:
                return self._send(request, self._manager(proxy, own=request.own), left, limit)
        except (exceptions.HTTPError, OSError, ValueError) as err:
            if limit.expired:
                raise _late(request.url) from err
            raise _explain(request.url, err) from err

    def _send(self, request: Request, manager: urllib3.PoolManager, left: float, limit: Limit) -> Answer:
        response = manager.urlopen(
            request.method,
            request.url,
            headers={"User-Agent": _AGENT, **request.headers},
            body=request.body,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=min(CONNECT, left), read=min(QUIET, left)),
        )
        try:
            body = _read(response, request)
        except BaseException:
            response.close()
            raise
        if limit.expired:
            response.close()
            raise TimeoutError
        response.release_conn()
        headers = {name.lower(): response.headers[name] for name in response.headers}
        return Answer(status=response.status, headers=headers, body=body, url=request.url)

    def _manager(self, proxy: str, *, own: bool) -> urllib3.PoolManager:
        made = self._managers.get((own, proxy))
        if made is None:
            made = self._managers.setdefault((own, proxy), self._make(own=own, proxy=proxy))
        return made

    def _make(self, *, own: bool, proxy: str) -> urllib3.PoolManager:
        settings = self._settings
        pair = (settings.certificate, settings.key) if own else ()
        options: dict[str, Any] = {
            "ssl_context": tls_context(settings.ca, *pair, where=settings.where),
            "maxsize": _CONNECTIONS,
            "block": True,
        }
        if not proxy:
            return guarded(urllib3.PoolManager(**options))
        parts = urlsplit(proxy)
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
        headers = {"Proxy-Authorization": basic(login)} if login else None
        address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        return guarded(urllib3.ProxyManager(address, proxy_headers=headers, **options))

    def _proxy(self, url: str) -> str:
        """The proxy of the settings, else that of the environment (`HTTPS_PROXY`, `NO_PROXY`)."""
        if self._settings.proxy:
            return self._settings.proxy
        parts = urlsplit(url)
        if urllib.request.proxy_bypass(parts.netloc):
            return ""
        return urllib.request.getproxies().get(parts.scheme, "")


def basic(login: str) -> str:
    """The Authorization header of `username:password`."""
    return "Basic " + base64.b64encode(login.encode()).decode()


def origin(url: str) -> str:
    """`scheme://host:port`: who may see what was meant for this URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def is_local(url: str) -> bool:
    """Whether a URL says outright that it means this machine."""
    return urlsplit(url).hostname in LOOPBACK


def monotonic() -> float:
    """The clock of all time limits here."""
    return time.monotonic()


def _read(response: urllib3.BaseHTTPResponse, request: Request) -> bytes:
    failed = response.status >= 300  # noqa: PLR2004 - the text of an error or redirect is not for us
    largest = _ERROR_BODY if failed else request.largest
    packed = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packed not in ("", "identity"):
        raise ExchangeError(
            Failure.PACKED,
            f"{_host(request.url)}: the answer is packed ({packed[:20]!r}), which was not asked for",
        )
    parts, size = [], 0
    while chunk := response.read1(65536):
        parts.append(chunk)
        size += len(chunk)
        if size > largest:
            raise ExchangeError(
                Failure.LARGE, f"{_host(request.url)}: the answer is larger than {largest} bytes"
            )
    return b"".join(parts)


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _late(url: str) -> ExchangeError:
    return ExchangeError(Failure.LATE, f"{_host(url)}: {_LATE}")


_REASONS: Final[tuple[tuple[tuple[type[BaseException], ...], Failure, str], ...]] = (
    (
        (ForbiddenAddressError,),
        Failure.FORBIDDEN,
        "leads to an address of this machine or its link, which is not asked",
    ),
    ((ssl.SSLError, exceptions.SSLError), Failure.UNTRUSTED, "the TLS connection is not trusted"),
    (
        (exceptions.NameResolutionError,),
        Failure.UNRESOLVED,
        "the host name cannot be resolved (DNS)",
    ),
    ((exceptions.ProxyError,), Failure.PROXY, "the proxy does not work"),
    (
        (exceptions.NewConnectionError, ConnectionRefusedError),
        Failure.UNREACHED,
        "no connection (refused or unreachable)",
    ),
    ((TimeoutError, exceptions.TimeoutError), Failure.LATE, _LATE),
)
"""By cause, the first that fits."""


def _explain(url: str, err: Exception) -> ExchangeError:
    """The error in our words. What urllib3 says may hold URLs with tokens, so none of it is shown."""
    causes = _causes(err)
    for kinds, failure, reason in _REASONS:
        if any(isinstance(cause, kinds) for cause in causes):
            return ExchangeError(failure, f"{_host(url)}: {reason}")
    return ExchangeError(Failure.CUT, f"{_host(url)}: the answer was cut short")


def _causes(err: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while err is not None and err not in found:
        found.append(err)
        inner = [part for part in err.args if isinstance(part, BaseException)]
        err = err.__cause__ or err.__context__ or (inner[0] if inner else None)
    return found
