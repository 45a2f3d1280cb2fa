"""The keys that issuers of ID tokens sign with: found by discovery, kept, and asked for seldom.

Rule: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig. Nothing is asked of an issuer that no
receiver names, and a flood of tokens does not reach one that is named: whoever waits takes what another one learned.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from weir.edges.http.errors import ExchangeError
from weir.edges.http.settings import Settings
from weir.edges.http.transport import Request, Transport, is_local, monotonic
from weir.spec.errors import SourceError

FRESH: Final = 600.0
"""Seconds for which keys are taken as known."""
KEPT: Final = 24 * 3600.0
"""Seconds for which they still count while the issuer cannot be asked."""
SPACING: Final = 60.0
"""Seconds between two questions to an issuer whose keys are known."""
PAUSE: Final = 5.0
"""Seconds between two questions to one whose keys are not."""
TIMEOUT: Final = 5.0
"""Seconds for both of its documents."""
LARGEST: Final = 512 * 1024
"""Bytes of a document."""
MOST_KEYS: Final = 100

_DISCOVERY: Final = "/.well-known/openid-configuration"
_HINT: Final = "check spec.oidcProviders and whether this machine reaches the issuer"

Keys = Sequence[dict[str, Any]]
Report = Callable[[str], None]
"""Told what is wrong with an issuer, each time that it was asked."""


@dataclass(slots=True)
class _Issuer:
    lock: threading.Lock = field(default_factory=threading.Lock)
    keys: Keys = ()
    learned: float = 0.0
    asked: float | None = None
    problem: str = ""


class SigningKeys:
    """Keys by issuer. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._transport = Transport(Settings(where="spec.oidcProviders"), monotonic)
        self._lock = threading.Lock()
        self._issuers: dict[str, _Issuer] = {}

    def keep(self, issuers: Collection[str]) -> None:
        """Forget every issuer but these."""
        with self._lock:
            self._issuers = {url: issuer for url, issuer in self._issuers.items() if url in issuers}

    def read(self, url: str, report: Report) -> Keys:
        """The keys of an issuer as they are known, asked for when they are not or no longer fresh.

        Raises:
            SourceError: there are none.
        """
        return self._read(url, report, FRESH)

    def renew(self, url: str, report: Report) -> Keys:
        """As `read`, but asked for again whenever that is allowed: somebody knows of a newer key.

        Raises:
            SourceError: as `read`.
        """
        return self._read(url, report, SPACING)

    def _read(self, url: str, report: Report, fresh: float) -> Keys:
        with self._lock:
            issuer = self._issuers.setdefault(url, _Issuer())
        with issuer.lock:
            now = self._clock()
            old = not issuer.keys or now - issuer.learned >= fresh
            wait = SPACING if issuer.keys else PAUSE
            if old and (issuer.asked is None or now - issuer.asked >= wait):
                issuer.asked = now
                self._ask(url, issuer, report)
            if issuer.keys and now - issuer.learned >= KEPT:
                issuer.keys = ()
            if not issuer.keys:
                raise SourceError(issuer.problem, hint=_HINT)
            return issuer.keys

    def _ask(self, url: str, issuer: _Issuer, report: Report) -> None:
        try:
            issuer.keys = self._discover(url)
        except SourceError as err:
            issuer.problem = f"{url}: {err.message}"
            report(issuer.problem)
        else:
            issuer.learned, issuer.problem = self._clock(), ""

    def _discover(self, url: str) -> Keys:
        deadline = monotonic() + TIMEOUT
        local = is_local(url)
        found = self._get(url.removesuffix("/") + _DISCOVERY, deadline, local=local)
        if found.get("issuer") != url:
            raise SourceError("its discovery document is of another issuer")
        place = found.get("jwks_uri")
        if not isinstance(place, str) or not _is_plain(place):
            raise SourceError("its discovery document names no https URL for its keys")
        listed = self._get(place, deadline, local=local).get("keys")
        keys = [key for key in listed if isinstance(key, dict)] if isinstance(listed, list) else []
        if not keys or len(keys) > MOST_KEYS:
            raise SourceError(f"found {len(keys)} keys, expected 1 to {MOST_KEYS}")
        return keys

    def _get(self, url: str, deadline: float, *, local: bool) -> dict[str, Any]:
        """A JSON object. Raises SourceError."""
        request = Request(method="GET", url=url, headers={"Accept": "application/json"}, largest=LARGEST)
        try:
            answer = self._transport.exchange(request, deadline, loopback=local)
        except ExchangeError as err:
            raise SourceError(err.message) from err
        if answer.status != HTTPStatus.OK:
            raise SourceError(f"{urlsplit(url).hostname} answers {answer.status}")
        try:
            found = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise SourceError(f"{urlsplit(url).hostname} answers with something that is no JSON object")
        return found


def _is_plain(url: str) -> bool:
    """Whether a URL of the discovery document may be asked."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(usable and url.isascii() and url.isprintable() and not (parts.username or parts.password))
