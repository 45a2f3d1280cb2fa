"""GitHub App authentication against a local stand-in of GitHub's API."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support import notices
from tests.support.delivery import NO_LABELS, NOW, Secrets, go
from tests.support.events import COMMIT, event
from tests.support.git_server import GitServer, Request, basic
from tests.support.sources import Place, git_spec
from weir.edges.git.github_app import installation_token
from weir.edges.outbox import Outbox
from weir.spec.errors import SourceError

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> bytes:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


class Api:
    """Answers as GitHub's API does, and checks the signed request."""

    def __init__(self, server: GitServer) -> None:
        self.server = server
        self.issued = 0
        self.lifetime = timedelta(hours=1)
        server.extra["/api/v3/app/installations/77/access_tokens"] = self.token
        server.extra["/api/v3/app/installations"] = self.installations

    def claims(self, request: Request) -> dict[str, object]:
        head, body, signature = request.headers["authorization"].removeprefix("Bearer ").split(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        KEY.public_key().verify(raw, f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
        found: dict[str, object] = json.loads(base64.urlsafe_b64decode(body + "=="))
        return found

    def token(self, request: Request, _: bytes) -> tuple[int, bytes]:
        claims = self.claims(request)
        assert request.method == "POST"
        assert claims["iss"] == "4711"
        self.issued += 1
        until = (datetime.now(UTC) + self.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.server.authorization = basic("x-access-token", f"ghs_token{self.issued}")
        return 201, json.dumps({"token": f"ghs_token{self.issued}", "expires_at": until}).encode()

    def installations(self, request: Request, _: bytes) -> tuple[int, bytes]:
        self.claims(request)
        page = [] if "page=2" in request.path else [{"id": 5, "account": {"login": "other"}}]
        rows = page if "page=2" not in request.path else [{"id": 77, "account": {"login": "Acme"}}]
        return 200, json.dumps(rows).encode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def data(server: GitServer) -> dict[str, bytes]:
    return {
        "githubAppID": b"4711\n",
        "githubAppInstallationID": b"77",
        "githubAppPrivateKey": pem(KEY),
        "githubAppBaseURL": f"{server.url}/api/v3".encode(),
    }


def test_a_repository_is_fetched_with_an_installation_token(
    tmp_path: Path, server: GitServer, data: dict[str, bytes]
) -> None:
    api = Api(server)
    repo = server.repo("apps")
    repo.commit({"a.yaml": "a: 1\n"})
    place = Place(tmp_path / "place", secrets={"app": data})
    spec = git_spec(repo.url, provider="github", secretRef={"name": "app"})
    assert place.files(place.sync(spec)) == {"a.yaml": "a: 1\n"}
    place.sync(spec)
    assert api.issued == 1, "the token is kept until it ends"
    left = [path.read_bytes() for path in place.root.rglob("*") if path.is_file()]
    assert not [content for content in left if b"ghs_token" in content or b"PRIVATE KEY" in content]


def test_a_token_is_renewed_before_it_ends(server: GitServer, data: dict[str, bytes]) -> None:
    api = Api(server)
    now = datetime.now(UTC).timestamp()
    tokens = []
    for later in (0, 1800, 3400, 3590):
        at = now + later
        tokens.append(installation_token(data, clock=lambda at=at: at))  # type: ignore[misc]
    assert api.issued == 2
    assert tokens[0] == tokens[1] == tokens[2] != tokens[3]


def test_an_installation_found_by_its_owner_on_a_later_page(
    server: GitServer, data: dict[str, bytes]
) -> None:
    Api(server)
    del data["githubAppInstallationID"]
    data["githubAppInstallationOwner"] = b"acme"
    assert installation_token(data).startswith("ghs_")
    data["githubAppInstallationOwner"] = b"nobody"
    server.extra["/api/v3/app/installations"] = lambda _request, _body: (200, b"[]")
    with pytest.raises(SourceError, match="not installed for 'nobody'"):
        installation_token(data)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"githubAppPrivateKey": b"-----BEGIN nothing"}, "no PEM private key"),
        ({"githubAppPrivateKey": b""}, "found no githubAppID and githubAppPrivateKey"),
        ({"githubAppInstallationID": b"../../admin"}, "exactly one of"),
        ({"githubAppInstallationOwner": b"acme"}, "exactly one of"),
        ({"githubAppBaseURL": b"file:///etc"}, "no http"),
        ({"githubAppPrivateKey": pem(rsa.generate_private_key(public_exponent=65537, key_size=1024))}, "2048 bits"),
    ],
)  # fmt: skip
def test_incomplete_secrets(data: dict[str, bytes], changes: dict[str, bytes], text: str) -> None:
    with pytest.raises(SourceError, match=text) as caught:
        installation_token({**data, **changes})
    assert "BEGIN" not in str(caught.value)


def test_a_refusal_and_an_outage_are_told_apart(server: GitServer, data: dict[str, bytes]) -> None:
    server.extra["/api/v3/app/installations/77/access_tokens"] = lambda _request, _body: (401, b"{}")
    with pytest.raises(SourceError, match="answers 401"):
        installation_token(data)
    server.trouble.hang = threading.Event()
    with pytest.raises(SourceError, match="no answer"):
        installation_token(data, timeout=0.5)


def test_a_redirect_gets_no_signed_request(tmp_path: Path, server: GitServer, data: dict[str, bytes]) -> None:
    with GitServer(tmp_path / "other") as other:
        server.trouble.redirect, server.trouble.redirect_status = other.url, 307
        with pytest.raises(SourceError, match="answers 307"):
            installation_token(data)
        assert other.requests == []


def test_provider_and_secret_belong_together(tmp_path: Path, data: dict[str, bytes]) -> None:
    place = Place(tmp_path / "place", secrets={"app": data, "plain": {"username": b"u", "password": b"p"}})
    for provider, secret in (("generic", "app"), ("github", "plain")):
        with pytest.raises(SourceError, match="go together"):
            place.sync(git_spec("https://127.0.0.1:1/x.git", provider=provider, secretRef={"name": secret}))
    with pytest.raises(SourceError, match="aws is not supported"):
        place.sync(git_spec("https://127.0.0.1:1/x.git", provider="aws"))


def test_the_status_of_a_commit_is_set_as_the_app(
    server: GitServer, data: dict[str, bytes], tmp_path: Path
) -> None:
    Api(server)
    seen: list[str] = []

    def status(request: Request, _: bytes) -> tuple[int, bytes]:
        seen.append(request.headers["authorization"])
        return 201, b"{}"

    server.extra[f"/api/v3/repos/team/app/statuses/{COMMIT}"] = status
    outbox = Outbox(tmp_path / "outbox")
    outbox.put([(event(), NO_LABELS)], NOW)
    forge = notices.provider(f"{server.url}/team/app", "github", secretRef={"name": "app"})
    assert go(outbox, forge, clusters=Secrets(app=data)).sent == 1
    assert seen == ["Bearer ghs_token1"]
