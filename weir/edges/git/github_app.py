"""Tokens of a GitHub App: a signed request for an hour's access, kept in memory until shortly before it ends."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import orjson

from weir.edges.git.credentials import APP_ID
from weir.edges.signed_jwt import signed_jwt
from weir.spec.errors import SourceError

if TYPE_CHECKING:
    import urllib3

_BASE: Final = "https://api.github.com"
_MARGIN: Final = 120.0
_LARGEST: Final = 4 * 1024 * 1024
_MOST_PAGES: Final = 20
_HINT: Final = "check the App's id, key and installation in the Secret"

_tokens: dict[str, tuple[str, float]] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class _App:
    identifier: str
    installation: str
    owner: str
    base: str
    key: bytes = field(repr=False)
    ca: bytes = b""


def installation_token(
    data: Mapping[str, bytes], proxy: str = "", timeout: float = 30.0, clock: Callable[[], float] = time.time
) -> str:
    """A token for the installation that a Secret names (`githubAppID`, `githubAppPrivateKey`, ...).

    Raises:
        SourceError: keys are missing, or GitHub refuses or does not answer.
    """
    app = _read(data)
    key = hashlib.sha256(
        repr((app.identifier, app.installation, app.owner, app.base)).encode() + app.key
    ).hexdigest()
    with _lock:
        token, expires = _tokens.get(key, ("", 0.0))
    if token and clock() < expires - _MARGIN:
        return token
    pool = _pool(app, proxy, timeout)
    headers = {"Authorization": f"Bearer {_jwt(app, clock())}", "Accept": "application/vnd.github+json"}
    installation = app.installation or _find_installation(pool, app, headers)
    answer = _ask(pool, "POST", f"{app.base}/app/installations/{installation}/access_tokens", headers)
    token = str(answer.get("token") or "") if isinstance(answer, dict) else ""
    if not token:
        raise SourceError("GitHub App: the answer holds no token", hint=_HINT)
    with _lock:
        _tokens[key] = (token, _epoch(answer.get("expires_at")))
    return token


def _read(data: Mapping[str, bytes]) -> _App:
    def text(key: str) -> str:
        return data.get(key, b"").decode("utf-8", "replace").strip()

    installation, owner = text("githubAppInstallationID"), text("githubAppInstallationOwner")
    if not text(APP_ID).isascii() or not text(APP_ID) or not data.get("githubAppPrivateKey"):
        raise SourceError(
            "GitHub App: found no githubAppID and githubAppPrivateKey", hint="complete the Secret"
        )
    if bool(installation) == bool(owner) or (installation and not installation.isdigit()):
        expected = "exactly one of githubAppInstallationID (digits) and githubAppInstallationOwner"
        raise SourceError(f"GitHub App: expected {expected}", hint="correct the Secret")
    base = (text("githubAppBaseURL") or _BASE).rstrip("/")
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise SourceError("GitHub App: githubAppBaseURL is no http(s) URL", hint="correct the Secret")
    return _App(
        identifier=text(APP_ID),
        installation=installation,
        owner=owner,
        base=base,
        key=data["githubAppPrivateKey"],
        ca=data.get("ca.crt", b""),
    )


def _jwt(app: _App, now: float) -> str:
    claims = {"iat": int(now) - 60, "exp": int(now) + 540, "iss": app.identifier}
    try:
        return signed_jwt(app.key, claims)
    except ValueError as err:
        raise SourceError(f"GitHub App: githubAppPrivateKey: {err}", hint="correct the Secret") from err


def _pool(app: _App, proxy: str, timeout: float) -> urllib3.PoolManager:
    import urllib3

    options: dict[str, Any] = {"timeout": urllib3.Timeout(total=timeout), "retries": False}
    if app.ca:
        options["ca_cert_data"] = app.ca.decode("ascii", "replace")
    if not proxy:
        return urllib3.PoolManager(**options)
    parts = urlsplit(proxy)
    secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    headers = urllib3.make_headers(proxy_basic_auth=secret) if secret else None
    return urllib3.ProxyManager(
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", proxy_headers=headers, **options
    )


def _ask(pool: urllib3.PoolManager, method: str, url: str, headers: Mapping[str, str]) -> Any:
    import urllib3

    try:
        answer = pool.request(method, url, headers=dict(headers), redirect=False, preload_content=False)
        body = answer.read(_LARGEST)
        answer.release_conn()
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as err:
        raise SourceError(
            f"GitHub App: no answer from {urlsplit(url).netloc}", hint="check the network"
        ) from err
    if answer.status not in (200, 201):
        raise SourceError(f"GitHub App: {urlsplit(url).netloc} answers {answer.status}", hint=_HINT)
    try:
        return orjson.loads(body)
    except ValueError as err:
        raise SourceError("GitHub App: the answer is not JSON", hint=_HINT) from err


def _find_installation(pool: urllib3.PoolManager, app: _App, headers: Mapping[str, str]) -> str:
    for page in range(1, _MOST_PAGES + 1):
        rows = _ask(pool, "GET", f"{app.base}/app/installations?per_page=100&page={page}", headers)
        for row in rows if isinstance(rows, list) else ():
            if str(row.get("account", {}).get("login", "")).lower() == app.owner.lower():
                return str(int(row["id"]))
        if not rows:
            break
    raise SourceError(f"GitHub App: it is not installed for {app.owner!r}", hint=_HINT)


def _epoch(text: object) -> float:
    """Seconds since the epoch of an RFC 3339 time; 0, so no caching, when it is none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
