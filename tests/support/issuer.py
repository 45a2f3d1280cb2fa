"""An identity provider on loopback: discovery and keys over HTTPS, and ID tokens with real signatures.

with running_issuer(authority) as issuer:
    token = issuer.token(sub="somebody")
    issuer.down = True
"""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from tests.support.tls import Authority

NOW: Final = 1_800_000_000
"""Seconds since the epoch at which tokens are judged."""
DISCOVERY: Final = "/.well-known/openid-configuration"
_CURVES: Final = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


@dataclass(frozen=True)
class Signer:
    """A private key under a name."""

    name: str
    algorithm: str
    private: Any

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key as an issuer lists it."""
        public: dict[str, Any] = self._implementation.to_jwk(self.private.public_key(), as_dict=True)
        public.pop("key_ops", None)
        return {**public, "kid": self.name, "alg": self.algorithm, "use": "sig"}

    def sign(self, claims: Mapping[str, Any], **head: Any) -> str:
        """A token; `head` changes its header, None leaves a part of it out."""
        named = {"typ": "JWT", "alg": self.algorithm, "kid": self.name, **head}
        text = signed_part({key: value for key, value in named.items() if value is not None}, claims)
        return f"{text}.{encoded(self._implementation.sign(text.encode(), self.private))}"

    @property
    def _implementation(self) -> Any:
        return get_default_algorithms()[self.algorithm]


@functools.cache
def signer(algorithm: str = "ES256", name: str = "one", bits: int = 2048) -> Signer:
    """A new key; the same one for the same arguments."""
    private: Any
    if algorithm in _CURVES:
        private = ec.generate_private_key(_CURVES[algorithm])
    elif algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return Signer(name, algorithm, private)


def encoded(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed_part(head: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """What a token's signature covers."""
    return ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))


def claims_of(issuer: str, **changes: Any) -> dict[str, Any]:
    """Claims that hold now; None leaves one out."""
    genuine = {
        "iss": issuer,
        "aud": "notification-controller",
        "sub": "repo:us/fleet",
        "repository_owner": "us",
        "iat": NOW - 10,
        "nbf": NOW - 10,
        "exp": NOW + 300,
    }
    return {name: value for name, value in {**genuine, **changes}.items() if value is not None}


@dataclass
class Issuer:
    """A running identity provider."""

    url: str = ""
    signers: list[Signer] = field(default_factory=lambda: [signer()])
    keys: list[Any] = field(default_factory=list)
    """Listed beside those of `signers`."""
    document: dict[str, Any] = field(default_factory=dict)
    """Changes to the discovery document."""
    body: bytes | None = None
    """Every answer, instead of what belongs there."""
    status: int = 200
    hang: threading.Event | None = None
    """Nothing is answered before it is set."""
    asked: list[str] = field(default_factory=list)
    """Paths, as they were asked for."""

    def token(self, signed_by: Signer | None = None, /, **claims: Any) -> str:
        """A token of this issuer that holds now, with these claims changed."""
        return (signed_by or self.signers[0]).sign(claims_of(self.url, **claims))

    def content(self, path: str) -> bytes:
        """What is found at a path."""
        if self.body is not None:
            return self.body
        if path.endswith(DISCOVERY):
            return json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.document}).encode()
        return json.dumps({"keys": [*(one.jwk for one in self.signers), *self.keys]}).encode()


class _Handler(http.server.BaseHTTPRequestHandler):
    issuer: Issuer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        self.issuer.asked.append(self.path)
        if self.issuer.hang:
            self.issuer.hang.wait(30)
        content = self.issuer.content(self.path)
        with contextlib.suppress(OSError):
            self.send_response(self.issuer.status)
            self.send_header("Location", f"{self.issuer.url}/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that trusts nobody hangs up."""


@contextlib.contextmanager
def running_issuer(authority: Authority, *names: str) -> Iterator[Issuer]:
    """An identity provider for the time of the block, with a certificate for 127.0.0.1 and these names."""
    issuer = Issuer()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"issuer": issuer}))
    server.socket = authority.server(*names).wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    issuer.url = f"https://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield issuer
    finally:
        if issuer.hang:
            issuer.hang.set()
        server.shutdown()
        server.server_close()
