"""How registries are reached: logins, certificates, proxy, plain HTTP or not. From Secrets, checked before use.

`certSecretRef`: `ca.crt`, `tls.crt` + `tls.key`; `proxySecretRef`: `address`, `username`, `password`, as in
https://fluxcd.io/flux/components/image/imagerepositories/. Values never reach a message.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

from weir.edges.http.settings import Settings, tls_context
from weir.edges.registry.docker_config import DockerConfig
from weir.spec.errors import SourceError
from weir.spec.image_name import ImageName

TIMEOUT: Final = 60.0
"""Seconds for one question, with all its pages, logins and retries."""

_WHERE: Final = "certSecretRef"
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Everything a client needs to know besides the image. Its `repr` shows no secret."""

    logins: DockerConfig = field(default_factory=DockerConfig)
    ca: bytes = field(default=b"", repr=False)
    """PEM, trusted in addition to the system's: a registry's blobs and tokens often come from public hosts."""
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    proxy: str = field(default="", repr=False)
    """A URL, perhaps with a username and password; empty means what the environment says."""
    insecure: bool = False
    """Plain HTTP."""
    timeout: float = TIMEOUT

    @property
    def settings(self) -> Settings:
        """The part that is the same for every registry."""
        return Settings(
            ca=self.ca, certificate=self.certificate, key=self.key, proxy=self.proxy, where=_WHERE
        )

    def fingerprint(self, image: ImageName) -> str:
        """Differs when what this may see could differ; caches are kept apart by it."""
        login = self.logins.login(image)
        parts = (login.fingerprint if login else "", self.insecure)
        digest = hashlib.sha256(repr(parts).encode())
        for part in (self.ca, self.certificate, self.proxy.encode()):
            digest.update(hashlib.sha256(part).digest())
        return digest.hexdigest()


def read_certificates(data: Mapping[str, bytes]) -> dict[str, bytes]:
    """The fields `ca`, `certificate` and `key` of an Access from a Secret.

    Raises:
        SourceError: half a pair, or PEM that cannot be read.
    """
    ca, certificate, key = (data.get(name, b"") for name in ("ca.crt", "tls.crt", "tls.key"))
    if bool(certificate) != bool(key):
        raise SourceError(
            f"{_WHERE}: found one of tls.crt and tls.key, expected both", hint="complete the Secret"
        )
    tls_context(ca, certificate, key, where=_WHERE)
    return {"ca": ca, "certificate": certificate, "key": key}


def read_proxy(data: Mapping[str, bytes]) -> str:
    """The proxy URL in a Secret, with its login. Raises SourceError."""
    try:
        address, username, password = (
            data.get(name, b"").decode().removesuffix("\n") for name in ("address", "username", "password")
        )
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and _PRINTABLE.fullmatch(address)
    except ValueError:
        usable = None
    if not usable:
        expected = "a URL such as http://proxy.example:3128"
        raise SourceError(f"proxySecretRef: key address is not {expected}", hint="correct the Secret")
    login = f"{quote(username, safe='')}:{quote(password, safe='')}@" if username else ""
    return f"{parts.scheme}://{login}{parts.netloc.rpartition('@')[2]}" if login else address
