"""Logins from a Docker config: which of them a repository gets.

Both forms of Secret: `.dockerconfigjson` (https://kubernetes.io/docs/concepts/containers/images/#config-json) and the
old `.dockercfg`, which is the inner part alone. Credential helpers are programs and are never run.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

import orjson

from weir.spec.errors import SourceError
from weir.spec.image_name import ImageName, registry_name

MODERN: Final = ".dockerconfigjson"
OLD: Final = ".dockercfg"

_PLAIN: Final = re.compile(r"[\x20-\x7e]*", re.ASCII)
_TOKEN_USER: Final = "<token>"  # noqa: S105 - docker's word for "the password is an identity token"
_LARGEST: Final = 1024 * 1024
_HINT: Final = "make the Secret with `kubectl create secret docker-registry`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to log in at one registry. Never shown."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    """An OAuth2 refresh token, exchanged for access tokens."""
    registry_token: str = field(default="", repr=False)
    """A bearer token sent as it is."""

    @property
    def fingerprint(self) -> str:
        """Differs when the login does; tells nothing about it."""
        parts = (self.username, self.password, self.identity_token, self.registry_token)
        return hashlib.sha256(orjson.dumps(parts)).hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of `auths` with its login."""

    host: str
    """`host[:port]`, each label perhaps a pattern (`*.example.org`)."""
    path: tuple[str, ...]
    login: Login = field(repr=False)

    def covers(self, host: str, path: tuple[str, ...]) -> bool:
        """Whether the login is for this place: labels match one by one, the path by whole components."""
        mine, port = _split(self.host)
        theirs, their_port = _split(host)
        return (
            port == their_port
            and len(mine) == len(theirs)
            and all(fnmatchcase(label, pattern) for label, pattern in zip(theirs, mine, strict=True))
            and path[: len(self.path)] == self.path
        )

    @property
    def rank(self) -> tuple[int, bool]:
        """Higher is more exact: the longer path, then a host without pattern."""
        return len(self.path), not set("*?[") & set(self.host)


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """The logins of one Secret, or of several; the first of equally exact ones counts."""

    entries: tuple[Entry, ...] = ()

    def login(self, image: ImageName) -> Login | None:
        """The most exact login for a repository."""
        return self._find(image.registry, tuple(image.repository.split("/")))

    def login_at(self, host: str) -> Login | None:
        """The login for a whole `host[:port]`."""
        return self._find(registry_name(host), ())

    def _find(self, host: str, path: tuple[str, ...]) -> Login | None:
        fitting = [entry for entry in self.entries if entry.covers(host, path)]
        return max(fitting, key=lambda entry: entry.rank).login if fitting else None


def read_docker_config(secrets: Iterable[Mapping[str, bytes]]) -> DockerConfig:
    """The logins in the data of Secrets, in order of preference.

    Raises:
        SourceError: a Secret holds neither form, or one that is broken; names keys, never values.
    """
    return DockerConfig(tuple(entry for data in secrets for entry in _read_secret(data)))


def _read_secret(data: Mapping[str, bytes]) -> list[Entry]:
    key = MODERN if MODERN in data else OLD
    if key not in data:
        raise SourceError(f"Secret: found no {MODERN}, expected a Docker config", hint=_HINT)
    document = _decode(data[key], key)
    auths = document.get("auths", {}) if key == MODERN else document
    if not isinstance(auths, dict):
        raise SourceError(f"Secret: key {key}: auths is no map", hint=_HINT)
    return [_read_entry(key, str(name), value) for name, value in auths.items()]


def _decode(raw: bytes, key: str) -> dict[str, Any]:
    try:
        document = orjson.loads(raw) if len(raw) <= _LARGEST else None
    except ValueError as err:
        raise SourceError(f"Secret: key {key} is not JSON", hint=_HINT) from err
    if not isinstance(document, dict):
        raise SourceError(f"Secret: key {key} is no Docker config", hint=_HINT)
    return document


def _read_entry(key: str, name: str, value: object) -> Entry:
    """One login. `https://index.docker.io/v1/`, `host`, `host/path` and `https://host/v2/` are all in use as names."""
    place = name.partition("://")[2] if "://" in name else name
    host, _, path = place.partition("/")
    parts = tuple(part for part in path.split("/") if part)
    parts = () if parts in {("v1",), ("v2",)} else parts
    return Entry(registry_name(host), parts, _read_login(key, name, value))


def _read_login(key: str, name: str, value: object) -> Login:
    fields = value if isinstance(value, dict) else {}

    def text(field_name: str) -> str:
        found = fields.get(field_name)
        return found if isinstance(found, str) else ""

    username, password, token = text("username"), text("password"), text("identitytoken")
    if auth := text("auth"):
        username, password = _read_auth(key, name, auth)
    if username == _TOKEN_USER and not token:
        username, password, token = "", "", password
    login = Login(
        username=username, password=password, identity_token=token, registry_token=text("registrytoken")
    )
    if not _PLAIN.fullmatch(login.identity_token + login.registry_token) or ":" in username:
        raise SourceError(f"Secret: key {key}: auths[{name!r}] holds no usable login", hint=_HINT)
    return login


def _read_auth(key: str, name: str, auth: str) -> tuple[str, str]:
    try:
        username, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as err:
        raise SourceError(f"Secret: key {key}: auths[{name!r}].auth is not base64", hint=_HINT) from err
    if not colon:
        raise SourceError(f"Secret: key {key}: auths[{name!r}].auth is not user:password", hint=_HINT)
    return username, password.rstrip("\0")


def _split(host: str) -> tuple[list[str], str]:
    name, _, port = host.rpartition(":") if re.search(r":[0-9]+$", host) else (host, "", "")
    return name.split("."), port
