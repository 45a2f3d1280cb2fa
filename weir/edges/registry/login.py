"""Logging in: what to send with a request to a repository, and what to do about a 401.

Token services: https://distribution.github.io/distribution/spec/auth/token/ and, for identity tokens,
https://distribution.github.io/distribution/spec/auth/oauth/. Tokens are kept in memory until shortly before they end.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import orjson

from weir.edges.http.transport import Answer, Request, basic, origin
from weir.edges.registry.challenge import Challenge, read_challenges
from weir.edges.registry.docker_config import DockerConfig, Login
from weir.edges.registry.errors import BadAnswerError, DeniedError, RegistryError, UnavailableError
from weir.spec.image_name import ImageName

Send = Callable[[Request, str, float], Answer]

SHORTEST: Final = 60.0
"""Seconds a token lives when the service does not say."""
_MARGIN: Final = 10.0
_LARGEST: Final = 1024 * 1024
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,65536}", re.ASCII)
_LEAST_LABELS: Final = 2
_SHORT_LABEL: Final = 3
_SHARED: Final = ("azurecr.io", "azurecr.cn", "amazonaws.com", "amazonaws.com.cn", "pkg.dev", "gcr.io")
"""Domains below which every customer has a host; their registries hand out tokens themselves."""
_HINT: Final = "check spec.secretRef and what its account may read"


@dataclass(frozen=True, slots=True)
class _Held:
    header: str = field(repr=False)
    until: float


class Logins:
    """The Authorization headers for repositories, one set of credentials. Thread-safe."""

    def __init__(self, config: DockerConfig, send: Send, clock: Callable[[], float]) -> None:
        """`send` makes one exchange, with retries, for the registry at an origin, until a deadline."""
        self._config = config
        self._send = send
        self._clock = clock
        self._held: dict[tuple[str, str], _Held] = {}
        self._lock = threading.Lock()

    def header(self, image: ImageName, place: str) -> str:
        """What to send to an origin now; empty when nothing is known to be needed."""
        with self._lock:
            held = self._held.get((place, image.repository))
        return held.header if held and self._clock() < held.until else ""

    def answer(self, image: ImageName, refused: Answer, sent: str, deadline: float, *, own: bool) -> None:
        """Get ready to ask again after a 401. `own` is False for a host that a redirect led to: it sees no login.

        Raises:
            DeniedError: what was sent was refused, or nothing can be sent.
        """
        place = origin(refused.url)
        if sent and self.header(image, place) not in ("", sent):
            return  # another thread has renewed it
        login = self._config.login(image) if own else None
        header, seconds = self._obtain(image, refused, login, deadline)
        if header == sent:
            raise denied(image, place)
        with self._lock:
            self._held[place, image.repository] = _Held(header, self._clock() + seconds)

    def _obtain(
        self, image: ImageName, refused: Answer, login: Login | None, deadline: float
    ) -> tuple[str, float]:
        place = origin(refused.url)
        offered = {
            item.scheme: item
            for item in reversed(read_challenges(refused.headers.get("www-authenticate", "")))
        }
        if login and login.registry_token and "bearer" in offered:
            return f"Bearer {login.registry_token}", float("inf")
        if "bearer" in offered:
            return self._token(image, offered["bearer"], login, place, deadline)
        if "basic" in offered and login and login.username:
            return _basic(login), float("inf")
        raise denied(image, place)

    def _token(
        self, image: ImageName, challenge: Challenge, login: Login | None, place: str, deadline: float
    ) -> tuple[str, float]:
        realm = _realm(challenge, place)
        login = self._allowed(login, realm, place)
        request = _token_request(realm, challenge, login, image)
        request = replace(request, own=origin(realm) == place)
        answer = self._send(request, place, deadline)
        host = urlsplit(realm).netloc
        if answer.status in (400, 401, 403):
            raise DeniedError(f"{image.canonical}: {host} refuses the login ({answer.status})", hint=_HINT)
        if answer.status != 200:  # noqa: PLR2004
            raise _unusable(image, host, answer.status)
        return _read_token(image, host, answer.body)

    def _allowed(self, login: Login | None, realm: str, place: str) -> Login | None:
        """The login that the token service may see.

        A challenge may name any host. The registry's own credentials go to the registry's host, to its siblings in
        the same domain (registry.example.org and auth.example.org), and nowhere else; a login of the token service's
        own may stand in the Docker config.
        """
        if login is None:
            return None
        registry, service = urlsplit(place), urlsplit(realm)
        if _related(str(registry.hostname), str(service.hostname)):
            return login
        named = self._config.login_at(service.netloc)
        if named is None:
            raise DeniedError(
                f"{registry.netloc}: asks for the login at another host ({service.netloc}), which does not get it",
                hint=f"if that is right, give {service.netloc} a login of its own in the Docker config",
            )
        return named


def denied(image: ImageName, place: str) -> DeniedError:
    """The error for a repository that these credentials may not read."""
    return DeniedError(
        f"{image.canonical}: access is denied by {urlsplit(place).hostname} (or there is no such repository)",
        hint=_HINT,
    )


def _basic(login: Login) -> str:
    return basic(f"{login.username}:{login.password}")


def _realm(challenge: Challenge, place: str) -> str:
    """The URL of the token service: https, or as plain as the registry itself."""
    parts = urlsplit(challenge.realm)
    schemes = ("https",) if place.startswith("https:") else ("https", "http")
    printable = challenge.realm.isascii() and challenge.realm.isprintable() and " " not in challenge.realm
    if parts.scheme not in schemes or not parts.hostname or parts.username or not printable:
        raise BadAnswerError(
            f"{urlsplit(place).netloc}: names no usable token service in its challenge",
            hint=f"expected a realm with {' or '.join(schemes)}",
        )
    return challenge.realm.partition("#")[0]


def _related(registry: str, service: str) -> bool:
    """Whether two hosts are the same, or siblings below a domain that strangers do not share, as they do `co.uk`."""
    if registry == service:
        return True
    parent = registry.split(".")[1:]
    if len(parent) < _LEAST_LABELS or registry.replace(".", "").isdigit():
        return False
    if len(parent) == _LEAST_LABELS and len(parent[0]) <= _SHORT_LABEL:
        return False
    domain = ".".join(parent)
    if any(domain == shared or domain.endswith(f".{shared}") for shared in _SHARED):
        return False
    return service == domain or service.endswith(f".{domain}")


def _token_request(realm: str, challenge: Challenge, login: Login | None, image: ImageName) -> Request:
    query = {"service": challenge.service, "scope": challenge.scope or f"repository:{image.repository}:pull"}
    query = {name: value for name, value in query.items() if value}
    if login and login.identity_token:
        form = {
            "grant_type": "refresh_token",
            "client_id": "weir",
            "refresh_token": login.identity_token,
            **query,
        }
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return Request(
            method="POST", url=realm, headers=kind, body=urlencode(form).encode(), largest=_LARGEST
        )
    headers = {"Authorization": _basic(login)} if login and login.username else {}
    joint = "&" if "?" in realm else "?"
    return Request(method="GET", url=f"{realm}{joint}{urlencode(query)}", headers=headers, largest=_LARGEST)


def _read_token(image: ImageName, host: str, body: bytes) -> tuple[str, float]:
    """The header and the seconds it may be used for, counted from now: the service's clock may be wrong."""
    try:
        document: Any = orjson.loads(body)
    except ValueError:
        document = None
    fields: dict[str, Any] = document if isinstance(document, dict) else {}
    token: Any = fields.get("token") or fields.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise BadAnswerError(f"{image.canonical}: {host} answers without a token", hint=_HINT)
    lifetime = fields.get("expires_in")
    seconds = float(lifetime) if isinstance(lifetime, int | float) and lifetime > 0 else SHORTEST
    return f"Bearer {token}", seconds - min(_MARGIN, seconds / 10)


def _unusable(image: ImageName, host: str, status: int) -> RegistryError:
    kind = UnavailableError if status >= 500 or status == 429 else BadAnswerError  # noqa: PLR2004
    return kind(f"{image.canonical}: {host} answers {status} instead of a token", hint="try again later")
