"""How a forge is reached: its API, a token, certificates and proxy. Values never reach a message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from weir.edges.http.settings import Settings, tls_context
from weir.spec.errors import SourceError
from weir.spec.image_automation import PULL_REQUEST_API, PULL_REQUEST_SECRET, ForgeKind

TIMEOUT: Final = 60.0
"""Seconds for one proposal, with all its requests, pauses and repetitions."""

_TOKEN: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)
_PLAIN: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeAccess:
    """Everything a client needs to know besides the proposal. Its `repr` shows no secret."""

    kind: ForgeKind
    api: str
    """Without a slash at its end."""
    token: str = field(repr=False)
    ca: bytes = field(default=b"", repr=False)
    """PEM, trusted in addition to the system's."""
    proxy: str = field(default="", repr=False)
    """A URL, perhaps with a username and password; empty means what the environment says."""
    insecure: bool = False
    """Whether the token may travel over plain HTTP."""
    timeout: float = TIMEOUT

    @property
    def settings(self) -> Settings:
        """The part that connections need."""
        return Settings(ca=self.ca, proxy=self.proxy, where=PULL_REQUEST_SECRET)


def read_access(
    kind: ForgeKind, api: str, data: Mapping[str, bytes], *, proxy: str = "", insecure: bool = False
) -> ForgeAccess:
    """The access that a Secret gives: key `token`, and `ca.crt` where the forge's authority is not a public one.

    Raises:
        SourceError: there is no token, the PEM cannot be read, or the URL is not one that a token may be sent to.
    """
    token = data.get("token", b"").decode("utf-8", "replace").strip()
    if not _TOKEN.fullmatch(token):
        raise SourceError(
            f"{PULL_REQUEST_SECRET}: found no token in key token, expected one line of ASCII",
            hint="put an access token into the Secret",
        )
    ca = data.get("ca.crt", b"")
    tls_context(ca, where=PULL_REQUEST_SECRET)
    access = ForgeAccess(kind=kind, api=api.rstrip("/"), token=token, ca=ca, proxy=proxy, insecure=insecure)
    check_api(access)
    return access


def check_api(access: ForgeAccess) -> None:
    """Nothing but a plain URL gets the token. Raises SourceError."""
    try:
        parts = urlsplit(access.api)
        usable = (
            _PLAIN.fullmatch(access.api)
            and parts.scheme in (("https", "http") if access.insecure else ("https",))
            and parts.hostname
            and parts.port != 0
            and not (parts.username or parts.password or parts.query or parts.fragment)
        )
    except ValueError:
        usable = None
    if not usable:
        raise SourceError(
            f"{PULL_REQUEST_API}: found no usable URL, expected one such as https://git.example/api/v1",
            hint="correct the annotation",
        )
