"""What tests need of a registry besides `demo.registry`: logins, and a token service that it trusts.

Faults come from a `FaultProxy(registry.url)` before it.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import bcrypt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from demo.registry import Registry, running_registry
from weir.edges.registry.docker_config import DockerConfig, read_docker_config

__all__ = ["Registry", "TokenService", "docker_config", "htpasswd", "running_registry", "token_service"]

SERVICE: Final = "test-registry"
ISSUER: Final = "test-issuer"


def docker_config(place: str, **login: str) -> DockerConfig:
    """What a Secret of type kubernetes.io/dockerconfigjson with one login says."""
    document = json.dumps({"auths": {place: login}})
    return read_docker_config([{".dockerconfigjson": document.encode()}])


def htpasswd(folder: Path, username: str, password: str) -> dict[str, Any]:
    """The `auth` section for basic login with one account."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "htpasswd"
    file.write_text(f"{username}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n")
    return {"htpasswd": {"realm": "basic-realm", "path": str(file)}}


@dataclass
class TokenService:
    """Signs tokens for whoever shows the right login, or for anybody when `anonymous`."""

    folder: Path
    accepted: dict[str, list[str]] = field(default_factory=dict)
    """Authorization header or refresh token -> actions."""
    anonymous: bool = False
    lifetime: int = 300
    asked: list[dict[str, str]] = field(default_factory=list)
    """Per request: its parameters, `method` and `authorization`."""
    redirect: str = ""
    """Answer every request by sending it there."""
    port: int = 0
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def auth(self, realm: str = "") -> dict[str, Any]:
        """The `auth` section of a registry that trusts this service."""
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "alg": "ES256"}
        key |= {"x": _b64(numbers.x.to_bytes(32, "big")), "y": _b64(numbers.y.to_bytes(32, "big"))}
        file = self.folder / "jwks.json"
        file.write_text(json.dumps({"keys": [key]}))
        return {
            "token": {
                "realm": realm or f"http://127.0.0.1:{self.port}/token",
                "service": SERVICE,
                "issuer": ISSUER,
                "jwks": str(file),
                "signingalgorithms": ["ES256"],
            }
        }

    def token(self, repository: str, actions: Sequence[str]) -> str:
        """A signed token for one repository."""
        now = int(time.time())
        access = [{"type": "repository", "name": repository, "actions": list(actions)}]
        claims = {"iss": ISSUER, "sub": "tester", "aud": SERVICE, "exp": now + self.lifetime, "nbf": now - 60}
        claims |= {"iat": now, "jti": str(time.time_ns()), "access": access}
        head = {"typ": "JWT", "alg": "ES256", "kid": "k1"}
        body = ".".join(_b64(json.dumps(part).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self._key.sign(body.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{body}.{_b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def answer(self, asked: dict[str, str]) -> dict[str, Any] | None:
        """The token for one request, None when it is refused."""
        self.asked.append(asked)
        shown = asked.get("refresh_token") or asked.get("authorization", "")
        actions = self.accepted.get(shown, [])
        if not actions and not (self.anonymous and not shown):
            return None
        _, _, rest = asked.get("scope", "").partition(":")
        name = rest.rpartition(":")[0]
        return {"token": self.token(name, actions or ["pull"]), "expires_in": self.lifetime}


@contextlib.contextmanager
def token_service(folder: Path) -> Iterator[TokenService]:
    """A token service for the time of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    service = TokenService(folder)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Handler", (_TokenHandler,), {"service": service})
    )
    service.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()


class _TokenHandler(http.server.BaseHTTPRequestHandler):
    service: TokenService

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        fields = parse_qs(f"{urlsplit(self.path).query}&{body}")
        asked = {name: values[0] for name, values in fields.items()}
        asked |= {"method": self.command, "authorization": self.headers.get("Authorization", "")}
        document = self.service.answer(asked)
        content = json.dumps(document or {"errors": [{"code": "UNAUTHORIZED"}]}).encode()
        if self.service.redirect:
            self.send_response(307)
            self.send_header("Location", self.service.redirect)
        else:
            self.send_response(200 if document else 401)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _serve  # noqa: N815


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
