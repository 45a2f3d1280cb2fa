"""A real OCI registry on loopback, something to push with, and a token service it trusts.

    with running_registry(tmp_path) as registry:
        digest = registry.push("team/app", "1.0.0", created="2024-01-02T03:04:05Z")
        registry.tag("team/app", digest, "1.0.1")

Faults come from a `FaultProxy(registry.url)` before it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urljoin, urlsplit

import bcrypt
import urllib3
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from weir.edges.registry.docker_config import DockerConfig, read_docker_config
from weir.edges.tools import locate

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
SERVICE: Final = "test-registry"
ISSUER: Final = "test-issuer"
_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Registry:
    """A running registry, and how the pusher logs in there."""

    url: str
    folder: Path
    authorization: str = ""

    @property
    def host(self) -> str:
        """`127.0.0.1:port`, for image names."""
        return urlsplit(self.url).netloc

    def push(self, repository: str, tag: str, created: str | None = None, **platform: str) -> str:
        """Push an image without layers; its digest. Without `created` its configuration has no such field."""
        config = {"architecture": platform.get("architecture", "amd64"), "os": platform.get("os", "linux")}
        content = json.dumps(config | ({"created": created} if created else {})).encode()
        described = {"mediaType": CONFIG, "digest": self._blob(repository, content), "size": len(content)}
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": []}
        return self._manifest(repository, tag, json.dumps(document).encode(), MANIFEST)

    def push_index(self, repository: str, tag: str, entries: Sequence[tuple[str, str]]) -> str:
        """Push an index over (digest, os) pairs that are there already; its digest."""
        manifests = [
            {
                "mediaType": MANIFEST,
                "digest": digest,
                "size": len(self._ask("GET", f"{repository}/manifests/{digest}", Accept=MANIFEST).data),
                "platform": {"os": system, "architecture": "unknown" if system == "unknown" else "amd64"},
            }
            for digest, system in entries
        ]
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        return self._manifest(repository, tag, json.dumps(document).encode(), INDEX)

    def tag(self, repository: str, digest: str, *tags: str) -> None:
        """Let more tags stand for an image that is there."""
        answer = self._ask("GET", f"{repository}/manifests/{digest}", Accept=f"{MANIFEST}, {INDEX}")
        for tag in tags:
            self._manifest(repository, tag, answer.data, answer.headers["Content-Type"])

    def tag_many(self, repository: str, digest: str, tags: Sequence[str]) -> None:
        """The same for thousands at once: written where the registry keeps them, since each PUT takes 7 ms."""
        root = self.folder / "data/docker/registry/v2/repositories" / repository / "_manifests/tags"
        for tag in tags:
            link = root / tag / "current" / "link"
            link.parent.mkdir(parents=True)
            link.write_text(digest)

    def untag(self, repository: str, tag: str) -> None:
        """Delete one tag."""
        self._ask("DELETE", f"{repository}/manifests/{tag}")

    def _blob(self, repository: str, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        place = self._ask("POST", f"{repository}/blobs/uploads/").headers["Location"]
        joint = "&" if "?" in place else "?"
        self._ask("PUT", f"{place}{joint}digest={digest}", content)
        return digest

    def _manifest(self, repository: str, tag: str, content: bytes, kind: str) -> str:
        answer = self._ask("PUT", f"{repository}/manifests/{tag}", content, **{"Content-Type": kind})
        return answer.headers["Docker-Content-Digest"]

    def _ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        if self.authorization:
            headers["Authorization"] = self.authorization
        url = urljoin(f"{self.url}/v2/", path)
        answer = _POOL.request(method, url, body=body, headers=headers, redirect=False)
        assert answer.status < 300, (method, url, answer.status, answer.data[:500])
        return answer


_POOL: Final = urllib3.PoolManager(maxsize=4)


@contextlib.contextmanager
def running_registry(
    folder: Path, auth: dict[str, Any] | None = None, authorization: str = ""
) -> Iterator[Registry]:
    """A registry with its files in a folder, without login or with the `auth` section of its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0", "secret": "test", "relativeurls": True},
        **({"auth": auth} if auth else {}),
    }
    (folder / "config.yml").write_text(json.dumps(settings))
    log = folder / "registry.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [locate("registry"), "serve", str(folder / "config.yml")],
            env={"PATH": os.defpath, "HOME": str(folder), "OTEL_TRACES_EXPORTER": "none"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
        )
    try:
        yield Registry(f"http://127.0.0.1:{_port(process, log)}", folder, authorization)
    finally:
        process.kill()
        process.wait(10)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text(errors="replace")):
            return int(found[1])
        time.sleep(0.01)
    raise AssertionError(f"the registry did not start:\n{log.read_text(errors='replace')[-2000:]}")


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
