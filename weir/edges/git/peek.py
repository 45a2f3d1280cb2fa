"""A Git server's references asked for over a kept-alive connection, without a process: what a poll without news costs.

One POST of protocol version 2's `ls-refs`. Whatever is unusual about the answer gives none: git itself is asked then,
and its word counts. Rule: https://git-scm.com/docs/protocol-v2
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from weir.edges.git.credentials import Credentials
from weir.edges.git.url import GitUrl
from weir.edges.http.settings import Settings
from weir.edges.http.transport import Request, Transport, monotonic
from weir.spec.errors import WeirError

_REST: Final = 600.0
"""Seconds for which a repository is not asked again that gave no answer of this kind."""
_LARGEST: Final = 64 * 1024 * 1024
_RESULT: Final = "application/x-git-upload-pack-result"
_HEADERS: Final = {
    "Accept": _RESULT,
    "Content-Type": "application/x-git-upload-pack-request",
    "Git-Protocol": "version=2",
}
_FLUSH, _DELIMITER = b"0000", b"0001"
_LENGTH: Final = 4
_OBJECT: Final = re.compile(r"[0-9a-f]{40}", re.ASCII)
_PEELED: Final = "peeled:"


@dataclass(slots=True)
class Peek:
    """Asks servers what they have. Thread-safe. Certificates and proxies that a repository names are left to git."""

    _transport: Transport = field(
        default_factory=lambda: Transport(Settings(where="the environment"), monotonic)
    )
    _silent: dict[str, float] = field(default_factory=dict)
    """URL -> until when it is not asked."""

    def refs(
        self, url: GitUrl, credentials: Credentials, prefix: str, timeout: float
    ) -> Mapping[str, str] | None:
        """Object ids by full reference name as `list_refs` gives them; None when git has to be asked."""
        if not url.http or credentials.ca or credentials.certificate or credentials.proxy:
            return None
        if self._silent.get(url.address, 0.0) > time.monotonic():
            return None
        found = self._ask(url, credentials, prefix, timeout)
        if found is None:
            self._silent[url.address] = time.monotonic() + _REST
        return found

    def _ask(
        self, url: GitUrl, credentials: Credentials, prefix: str, timeout: float
    ) -> Mapping[str, str] | None:
        path, question, query = url.address.partition("?")
        request = Request(
            method="POST",
            url=f"{path}/git-upload-pack{question}{query}",
            headers={**_HEADERS, **_authorization(credentials)},
            body=ls_refs(prefix),
            largest=_LARGEST,
        )
        try:
            answer = self._transport.exchange(request, monotonic() + timeout, loopback=True)
        except WeirError:
            return None
        if answer.status != HTTPStatus.OK or answer.headers.get("content-type") != _RESULT:
            return None
        return read_refs(answer.body)


def ls_refs(prefix: str) -> bytes:
    """The body that asks for all references below a prefix, annotated tags with the commits they lead to."""
    arguments = [b"peel\n", *([f"ref-prefix {prefix}\n".encode()] if prefix else [])]
    return b"".join(
        [
            _packet(b"command=ls-refs\n"),
            _packet(b"agent=weir\n"),
            _DELIMITER,
            *map(_packet, arguments),
            _FLUSH,
        ]
    )


def read_refs(body: bytes) -> dict[str, str] | None:
    """Object ids by reference name, and the commit of an annotated tag as `<name>^{}`; None when it is no such list."""
    refs: dict[str, str] = {}
    try:
        for line in _lines(body):
            oid, name, *more = line.decode("utf-8", "surrogateescape").rstrip("\n").split(" ")
            if not _OBJECT.fullmatch(oid):
                return None
            refs[name] = oid
            refs.update(
                (f"{name}^{{}}", one.removeprefix(_PEELED)) for one in more if one.startswith(_PEELED)
            )
    except ValueError:
        return None
    return refs


def _lines(body: bytes) -> Iterator[bytes]:
    """The packets up to the flush that ends them. Raises ValueError when it is missing, or not the end."""
    at = 0
    while body[at : at + _LENGTH] != _FLUSH:
        size = int(body[at : at + _LENGTH], 16)
        if size <= _LENGTH or at + size > len(body):
            raise ValueError(size)
        yield body[at + _LENGTH : at + size]
        at += size
    if len(body) != at + _LENGTH:
        raise ValueError(len(body))


def _packet(line: bytes) -> bytes:
    return f"{len(line) + _LENGTH:04x}".encode() + line


def _authorization(credentials: Credentials) -> dict[str, str]:
    return {"Authorization": credentials.authorization} if credentials.authorization else {}
