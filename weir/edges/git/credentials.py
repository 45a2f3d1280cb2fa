"""What a Secret says about reaching a repository, in Flux's key names, checked before anything is run.

HTTP(S): `username` + `password`, or `bearerToken`; `ca.crt`, `tls.crt` + `tls.key`. SSH: `identity`, `known_hosts`,
`password` for an encrypted identity. Proxy: `address`, `username`, `password`. Values never reach a message.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from weir.edges.git.url import LIKE_TOKEN, GitUrl
from weir.spec.errors import SourceError

APP_ID: Final = "githubAppID"
"""The key of a Secret that makes it a GitHub App's."""
_HEADER: Final = re.compile(r"[\x20-\x7e]+", re.ASCII)
_PROXIES: Final = ("http", "https", "socks5", "socks5h")
_SHORTEST: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Ready to be written into a private folder for one call. Never shown."""

    authorization: str = field(default="", repr=False)
    """The value of the HTTP header."""
    ca: bytes = field(default=b"", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    identity: bytes = field(default=b"", repr=False)
    """An unencrypted private key for SSH."""
    known_hosts: bytes = field(default=b"", repr=False)
    proxy: str = field(default="", repr=False)
    """A URL, perhaps with a username and password."""
    private: tuple[str, ...] = field(default=(), repr=False)
    """Texts to mask wherever a foreign program's message is shown."""
    fingerprint: str = ""
    """Differs when the Secret does. Caches are kept apart by it, so that nobody reads what he may not fetch."""

    @property
    def any(self) -> bool:
        """Whether there is anything that another host must not see."""
        return bool(self.authorization or self.key or self.identity)

    def masked(self, text: str) -> str:
        """The text with every secret value replaced by `***`."""
        for value in self.private:
            text = text.replace(value, "***")
        return text


def read_credentials(
    url: GitUrl, data: Mapping[str, bytes] | None, proxy: Mapping[str, bytes] | None, authorization: str = ""
) -> Credentials:
    """The credentials for a URL from the data of `secretRef` and `proxySecretRef`.

    `authorization` replaces what the Secret says (a token of a GitHub App).

    Raises:
        SourceError: keys are missing or do not fit together; names keys, never values.
    """
    data = data or {}
    proxy_url = _read_proxy(url, proxy) if proxy is not None else ""
    header = authorization or (_read_authorization(data) if url.http else "")
    base = Credentials(
        proxy=proxy_url,
        fingerprint=_fingerprint(data, proxy),
        private=_private(data, proxy, header, proxy_url),
    )
    if url.scheme == "ssh":
        identity, known_hosts = _read_ssh(data)
        return replace(base, identity=identity, known_hosts=known_hosts)
    if url.scheme == "file":
        return base
    certificate, key = (
        data.get("tls.crt", data.get("certFile", b"")),
        data.get("tls.key", data.get("keyFile", b"")),
    )
    if bool(certificate) != bool(key):
        raise SourceError(
            "Secret: found one of tls.crt and tls.key, expected both", hint="complete the Secret"
        )
    ca = data.get("ca.crt", data.get("caFile", b""))
    return replace(base, authorization=header, ca=ca, certificate=certificate, key=key)


def basic(username: str, password: str) -> str:
    """The Authorization header of a username and password."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _text(data: Mapping[str, bytes], key: str) -> str:
    try:
        return data.get(key, b"").decode().removesuffix("\n")
    except UnicodeDecodeError as err:
        raise SourceError(f"Secret: key {key} is not UTF-8 text", hint="correct the Secret") from err


def _read_authorization(data: Mapping[str, bytes]) -> str:
    username, password, token = (_text(data, key) for key in ("username", "password", "bearerToken"))
    if password and not username:
        raise SourceError(
            "Secret: found password without username", hint="add username (any text for most hosts)"
        )
    if username:
        return basic(username, password)
    if token and not _HEADER.fullmatch(token):
        raise SourceError(
            "Secret: bearerToken holds characters that no header may hold", hint="correct the Secret"
        )
    return f"Bearer {token}" if token else ""


def _read_ssh(data: Mapping[str, bytes]) -> tuple[bytes, bytes]:
    missing = [key for key in ("identity", "known_hosts") if not data.get(key, b"").strip()]
    if missing:
        found = " and ".join(missing)
        hint = "create it with `flux create secret git` or ssh-keyscan"
        raise SourceError(
            f"Secret: found no {found}, expected identity and known_hosts for an ssh:// URL", hint=hint
        )
    identity = data["identity"].replace(b"\r\n", b"\n").strip() + b"\n"
    return unlocked(identity, data.get("password", b"")), data["known_hosts"].replace(
        b"\r\n", b"\n"
    ).strip() + b"\n"


def unlocked(identity: bytes, password: bytes) -> bytes:
    """The private key without its passphrase: ssh would ask for it on a terminal or through a program."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as form

    openssh = b"BEGIN OPENSSH PRIVATE KEY" in identity
    load = form.load_ssh_private_key if openssh else form.load_pem_private_key
    try:
        key = load(identity, password=password.rstrip(b"\n") or None)
    except TypeError as err:
        if password:
            return identity
        raise SourceError(
            "Secret: identity is encrypted, expected its password", hint="add the key password"
        ) from err
    except (ValueError, UnsupportedAlgorithm) as err:
        if openssh and not password:
            return identity
        raise SourceError(
            "Secret: identity cannot be read with this password", hint="correct identity or password"
        ) from err
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())


def _read_proxy(url: GitUrl, data: Mapping[str, bytes]) -> str:
    if not url.http:
        raise SourceError(
            "proxySecretRef: found an ssh URL, expected http or https", hint="remove spec.proxySecretRef"
        )
    address, username, password = (_text(data, key) for key in ("address", "username", "password"))
    parts = urlsplit(address)
    if parts.scheme not in _PROXIES or not parts.hostname or not _HEADER.fullmatch(address):
        expected = "a URL such as http://proxy.example:3128"
        raise SourceError(f"proxySecretRef: key address is not {expected}", hint="correct the Secret")
    if not username:
        return address
    return f"{parts.scheme}://{quote(username, safe='')}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}"


def _fingerprint(*secrets: Mapping[str, bytes] | None) -> str:
    digest = hashlib.sha256()
    for secret in secrets:
        for key, value in sorted((secret or {}).items()):
            digest.update(f"{len(key)}:{key}{len(value)}:".encode() + value)
        digest.update(b"/")
    return digest.hexdigest()


def _private(
    data: Mapping[str, bytes], proxy: Mapping[str, bytes] | None, header: str, proxy_url: str
) -> tuple[str, ...]:
    """Passwords and tokens in every form in which they are sent, and user names that may be tokens."""
    named = [secret.get(key, b"") for secret in (data, proxy or {}) for key in ("password", "bearerToken")]
    kind, _, sent = header.partition(" ")
    login = base64.b64decode(sent).decode() if kind == "Basic" else ""
    parts = urlsplit(proxy_url)
    quoted = f"{parts.username or ''}:{parts.password or ''}"
    texts = [value.decode("utf-8", "replace").strip() for value in named]
    texts += [sent.rstrip("="), base64.b64encode(unquote(quoted).encode()).decode().rstrip("=")]
    for pair in (login, quoted, unquote(quoted)):
        name, _, password = pair.partition(":")
        texts += [password, name if len(name) >= LIKE_TOKEN else ""]
    return tuple(sorted({text for text in texts if len(text) >= _SHORTEST}, key=len, reverse=True))
