"""How servers are reached: certificates and proxy. Free of urllib3, so that reading a Secret stays cheap."""

from __future__ import annotations

import os
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from weir.spec.errors import SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How servers are reached. Its `repr` shows no secret."""

    ca: bytes = field(default=b"", repr=False)
    """PEM, trusted in addition to the system's."""
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    proxy: str = field(default="", repr=False)
    """A URL, perhaps with a username and password; empty means what the environment says."""
    where: str
    """What holds the PEM, in the words of an error."""


def tls_context(ca: bytes = b"", certificate: bytes = b"", key: bytes = b"", *, where: str) -> ssl.SSLContext:
    """TLS with the system's authorities, another one, and perhaps a client certificate.

    `where` names the Secret in the error. Raises SourceError.
    """
    try:
        context = ssl.create_default_context()
        if ca:
            context.load_verify_locations(cadata=ca.decode("ascii"))
        if certificate:
            _load_pair(context, certificate, key)
    except (ssl.SSLError, ValueError) as err:
        raise SourceError(
            f"{where}: found no usable PEM in ca.crt, tls.crt or tls.key", hint="correct the Secret"
        ) from err
    return context


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """The ssl module takes a client certificate from a file only; it exists for a moment, mode 0600."""

    def no_passphrase() -> bytes:
        raise ValueError("the private key is encrypted")

    handle, name = tempfile.mkstemp()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(certificate + b"\n" + key + b"\n")
        context.load_cert_chain(name, password=no_passphrase)
    finally:
        Path(name).unlink()
