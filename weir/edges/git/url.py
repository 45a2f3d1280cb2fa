"""URLs of Git repositories: which are accepted, and which are the same place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urljoin, urlsplit

from weir.spec.errors import SourceError

_PLAIN: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ssh": 22}
_HIGHEST_PORT: Final = 65535
LIKE_TOKEN: Final = 16
"""A text of this length or more may be a token where a token has no place of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitUrl:
    """A checked URL. It never holds a password, so git may get it on its command line. Its query may be a token."""

    scheme: str
    """http, https, ssh or file."""
    user: str
    """Only for ssh."""
    host: str
    port: int
    path: str = field(repr=False)
    """Starts with a slash; with the query, if there is one."""

    @property
    def address(self) -> str:
        """The URL as git takes it. Messages show `text`."""
        user = f"{self.user}@" if self.user else ""
        return f"{self.scheme}://{user}{self.authority}{self.path}"

    @property
    def text(self) -> str:
        """The URL as it may be shown: without the query."""
        return self.address.partition("?")[0]

    def masked(self, text: str) -> str:
        """The text of git or a server without the query, and without the parts of it that may be tokens."""
        query = self.path.partition("?")[2]
        shown = text.replace(f"?{query}", "?***") if query else text
        for part in re.split("[&=]", query):
            shown = shown.replace(part, "***") if len(part) >= LIKE_TOKEN else shown
        return shown

    @property
    def authority(self) -> str:
        """`host:port`, without a port that the scheme implies."""
        return self.host if _DEFAULT_PORTS.get(self.scheme, 0) == self.port else f"{self.host}:{self.port}"

    @property
    def http(self) -> bool:
        """Whether it is reached over HTTP or HTTPS."""
        return self.scheme in ("http", "https")

    def same_host(self, other: GitUrl) -> bool:
        """Whether credentials for this place may be shown to the other: same scheme, host and port.

        One step up is allowed: from http to https on the same host, both on their usual ports.
        """
        if (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port):
            return True
        upgrade = (self.scheme, self.port, other.scheme, other.port) == ("http", 80, "https", 443)
        return upgrade and self.host == other.host

    def joined(self, reference: str) -> str:
        """The URL that a relative reference (`../lib.git`) means here; an absolute one stays as it is."""
        if not reference.startswith(("./", "../")):
            return reference
        base = self.path.partition("?")[0].rstrip("/") + "/"
        return replace(self, path=urljoin(base, reference)).address


def parse_url(text: str, *, allow_file: bool = False) -> GitUrl:
    """A checked URL. Only http, https and ssh, and `file` with the explicit switch.

    Raises:
        SourceError: another transport, a password inside, or characters that git or ssh could misread.
    """
    scheme, _, rest = text.partition("://")
    allowed = ("http", "https", "ssh", "file") if allow_file else ("http", "https", "ssh")
    if scheme not in allowed or not rest or not _PLAIN.fullmatch(text):
        shown = scheme[:20] if scheme.isalnum() else "none"
        raise SourceError(
            f"URL: found transport {shown!r}, expected one of {', '.join(allowed)}", hint="correct spec.url"
        )
    try:
        parts = urlsplit(text)
        port = parts.port or _DEFAULT_PORTS.get(scheme, 0)
    except ValueError as err:
        raise SourceError("URL: found no valid host and port", hint="correct spec.url") from err
    if parts.password is not None:
        raise SourceError("URL: found a password inside", hint="move it to the Secret of spec.secretRef")
    if "\\" in text or not _USER.fullmatch(parts.username or "git"):
        raise SourceError("URL: found an unusual user or a backslash", hint="correct spec.url")
    user = (parts.username or "") if scheme == "ssh" else ""
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    url = GitUrl(scheme=scheme, user=user, host=host, port=port, path=path)
    _check(url, parts.fragment)
    return url


def _check(url: GitUrl, fragment: str) -> None:
    plain_host = not url.host if url.scheme == "file" else bool(_HOST.fullmatch(url.host))
    plain_path = url.path.startswith("/") and not url.path.startswith("/-") and url.path != "/"
    if not (plain_host and plain_path and not fragment and 0 <= url.port <= _HIGHEST_PORT):
        expected = "a URL such as https://host/team/repository.git or ssh://git@host/team/repository.git"
        raise SourceError(
            f"URL: found no plain user, host and path, expected {expected}", hint="correct spec.url"
        )
