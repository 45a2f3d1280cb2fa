"""Where a provider sends and how it signs in: the fields of its spec, and before them the keys of its Secret.

Rule: https://fluxcd.io/flux/components/notification/providers/#secret-reference
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from weir.notify.text import clean
from weir.spec.documents import read_yaml
from weir.spec.errors import SpecError
from weir.spec.forge_hosts import ALIASES
from weir.spec.identity import UnitId
from weir.spec.provider import COMMENT_TYPES, STATUS_TYPES, ProviderSpec

_VISIBLE: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", re.ASCII)
_VALUE: Final = re.compile(r"[\x20-\x7e]{0,8192}", re.ASCII)
_SSH: Final = re.compile(
    r"(?:ssh://(?:[^@/]*@)?(?P<host>[^@/:\[]+|\[[^@/]+\])(?::[0-9]*)?/+"
    r"|[\w.+-]+@(?P<scp_host>[^@/:]+):(?!//)/?)(?P<path>.+)"
)
"""A repository's address, `ssh://git@host:port/path` or `git@host:path`."""
_OURS: Final = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer")
)
"""Headers that belong to the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to send. Texts that may be secret are not shown."""

    where: str
    """`file: Kind/namespace/name`, for messages."""
    channel: str = field(repr=False)
    username: str = field(repr=False)
    token: str = field(repr=False)
    password: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """What the Secret adds to a request."""
    signing_key: bytes = field(repr=False)
    """The token, byte by byte."""
    _address: str = field(repr=False)
    alert: UnitId | None = None
    """Which Alert has it sent, where that matters."""

    def url(self) -> SplitResult:
        """The address, without credentials. Raises SpecError when there is none, or one that is no URL."""
        parts = self.dsn()
        return parts._replace(netloc=parts.netloc.rpartition("@")[2])

    def dsn(self) -> SplitResult:
        """The address with what stands before its host. Raises SpecError as `url`."""
        expected = "an http:// or https:// URL, there or in the Secret's address"
        try:
            parts = urlsplit(self._address)
            host = parts.hostname if parts.port != 0 else None
        except ValueError:
            parts, host = SplitResult("", "", "", "", ""), None
        if not host or parts.scheme not in ("http", "https") or not _VISIBLE.fullmatch(self._address):
            found = "another text" if self._address else None
            raise SpecError.at(self.where, "spec.address", found=found, expected=expected)
        return parts

    @property
    def address(self) -> str:
        """The address as it is written, empty without one: where it is no URL."""
        return self._address

    def at(self, path: str) -> str:
        """The URL of a path on the host of the address. Raises SpecError as `url`."""
        return urlunsplit(self.url()._replace(path=path, query="", fragment=""))

    def below(self, path: str) -> str:
        """The URL of a path below the address's own. Raises SpecError as `url`."""
        return self.at(self.url().path.rstrip("/") + path)

    def needs(self, key: str) -> str:
        """The token or the password of the Secret. Raises SpecError when there is none."""
        text: str = getattr(self, key)
        if not text:
            raise SpecError.at(self.where, "spec.secretRef", found=None, expected=f"a Secret with a {key}")
        return text

    def needs_channel(self, expected: str) -> str:
        """The channel. Raises SpecError when there is none."""
        if not self.channel:
            raise SpecError.at(self.where, "spec.channel", found=None, expected=expected)
        return self.channel

    def bearer(self) -> dict[str, str]:
        """The header that signs in by token, none without one."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def basic(self) -> dict[str, str]:
        """The header that signs in by user name and password, of the Secret or of the address; none without them."""
        parts = self.dsn()
        user, password = self.username, self.password
        if not password:
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {"Authorization": f"Basic {login}"} if password else {}


def read_target(provider: ProviderSpec, secret: Mapping[str, bytes]) -> Target:
    """Where a provider with the data of its Secret (empty without one) sends. Raises SpecError."""
    repository = provider.type in (*STATUS_TYPES, *COMMENT_TYPES, "githubdispatch")
    texts = {
        key: _text(provider, secret, key) for key in ("address", "username", "token", "password", "headers")
    }
    address = texts["address"] or provider.address.strip()
    return Target(
        where=provider.where,
        channel=clean(provider.channel),
        username=clean(texts["username"] or provider.username),
        token=texts["token"],
        password=texts["password"],
        headers=_read_headers(provider, texts["headers"]),
        signing_key=secret.get("token", b""),
        _address=_web_address(address) if repository else address,
    )


def _web_address(address: str) -> str:
    """Where the forge of a repository answers that git reaches over SSH; another address as it is."""
    found = _SSH.fullmatch(address)
    host = found and (found["host"] or found["scp_host"])
    return f"https://{ALIASES.get(host, host)}/{found['path']}" if found and host else address


def check_headers(where: str, headers: Mapping[str, str]) -> None:
    """Refuse headers that would be read as something else. Raises SpecError, which names no value."""
    for name, text in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OURS:
            raise SpecError.at(
                where, "spec.secretRef: headers", found="another name", expected="names of HTTP headers"
            )
        if not _VALUE.fullmatch(text):
            expected = "printable ASCII characters on one line"
            raise SpecError.at(where, "spec.secretRef", found=f"other text for {name}", expected=expected)


def _text(provider: ProviderSpec, secret: Mapping[str, bytes], key: str) -> str:
    try:
        return secret.get(key, b"").decode().strip()
    except UnicodeDecodeError:
        expected = f"a Secret whose key {key} is UTF-8 text"
        raise SpecError.at(provider.where, "spec.secretRef", found="bytes", expected=expected) from None


def _read_headers(provider: ProviderSpec, text: str) -> dict[str, str]:
    try:
        values = read_yaml(text, "headers")
    except SpecError:  # its message shows parts of the text
        values = [None]
    found = values[0] if values else {}
    if len(values) > 1 or not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        expected = "a Secret whose key headers is a YAML mapping of texts"
        raise SpecError.at(provider.where, "spec.secretRef", found="another text", expected=expected)
    return found
