"""Real Git servers on loopback: smart HTTP(S) through `git http-backend`, with switches for every kind of trouble.

    with GitServer(tmp_path) as server:
        repo = server.repo("apps")
        repo.commit({"deploy/app.yaml": "..."}, "first")
        clone_from(repo.url)

Free of any import from the project, so that the demo can use it too. For SSH see `git_ssh_server`.
"""

from __future__ import annotations

import base64
import gzip
import http.server
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.git_repo import Content, Link, Repo, Signer, Submodule

__all__ = ["Content", "GitServer", "Link", "Repo", "Request", "Signer", "Submodule", "basic", "bearer"]


def basic(username: str, password: str) -> str:
    """The Authorization header of a username and password."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def bearer(token: str) -> str:
    """The Authorization header of a token."""
    return f"Bearer {token}"


@dataclass(frozen=True)
class Request:
    """What one client asked."""

    method: str
    path: str
    headers: dict[str, str]
    """Header names in lower case."""


@dataclass
class Trouble:
    """What a server does wrong; all off."""

    status: int = 0
    """Answer every request with this status."""
    redirect: str = ""
    """Answer with a redirect to this base URL plus the path asked for."""
    redirect_status: int = 302
    cut_after: int = -1
    """Close the connection after this many bytes of the answer to a fetch."""
    flip_at: int = -1
    """Invert the byte at this position of the answer to a fetch."""
    hang: threading.Event | None = None
    """Accept requests and say nothing until the event is set."""
    retry_after: str = ""
    """Sent along with `status`."""


@dataclass
class GitServer:
    """Bare repositories under `root`, served on 127.0.0.1. Use as a context manager, or call `start` and `stop`."""

    root: Path
    authorization: str = ""
    """The Authorization header that is required; empty lets everybody in. See `basic` and `bearer`."""
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    port: int = 0
    trouble: Trouble = field(default_factory=Trouble)
    requests: list[Request] = field(default_factory=list)
    extra: dict[str, Callable[[Request, bytes], tuple[int, bytes]]] = field(default_factory=dict)
    """Other paths: answers (status, JSON body) by path."""
    moved: dict[str, str] = field(default_factory=dict)
    """Redirects (302) of single paths to whole URLs."""
    _server: http.server.ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def repo(self, name: str) -> Repo:
        """The repository `<root>/<name>.git`, made when missing; its `url` is served here."""
        return Repo(self.root / f"{name}.git", f"{self.url}/{name}.git")

    def start(self) -> Self:
        """Listen; with port 0 the system chooses one and `port` says which."""
        self.root.mkdir(parents=True, exist_ok=True)
        server = _Server((self.host, self.port), _handler(self))
        if self.tls:
            server.socket = self.tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True, name="git-server").start()
        return self

    def stop(self) -> None:
        """Stop listening; the repositories and the port number stay, so that `start` comes back at the same URL."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.trouble.hang:
            self.trouble.hang.set()
        self.stop()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away, and failed handshakes, are what tests are about."""


def _handler(owner: GitServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(_Handler):
        server_of = owner

    return Handler


class _Handler(http.server.BaseHTTPRequestHandler):
    server_of: GitServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        owner, trouble = self.server_of, self.server_of.trouble
        if owner._server is not self.server:
            self.close_connection = True  # stopped: a connection that was kept alive is one to nobody
            return
        body = self._body()
        request = Request(
            self.command, self.path, {key.lower(): value for key, value in self.headers.items()}
        )
        owner.requests.append(request)
        if trouble.hang:
            trouble.hang.wait(60)
            self.close_connection = True
        elif trouble.status:
            self._answer(
                trouble.status,
                b"trouble\n",
                {"Retry-After": trouble.retry_after} if trouble.retry_after else {},
            )
        elif trouble.redirect:
            self._answer(trouble.redirect_status, b"", {"Location": trouble.redirect + self.path})
        elif target := owner.moved.get(self.path.partition("?")[0]):
            self._answer(302, b"", {"Location": target})
        elif (answer := owner.extra.get(self.path.partition("?")[0])) is not None:
            status, payload = answer(request, body)
            self._answer(status, payload, {"Content-Type": "application/json"})
        elif owner.authorization and request.headers.get("authorization") != owner.authorization:
            self._answer(401, b"", {"WWW-Authenticate": 'Basic realm="git"'})
        else:
            self._backend(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROJECT_ROOT": str(self.server_of.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "REMOTE_USER": "test",
            "REMOTE_ADDR": "127.0.0.1",
        }
        git = shutil.which("git") or "git"
        done = subprocess.run(
            [git, "http-backend"], env=environment, input=body, capture_output=True, timeout=120, check=False
        )
        head, _, payload = done.stdout.partition(b"\r\n\r\n")
        headers = _headers(head)
        self._send(int(headers.pop("Status", "200 OK").split()[0]), headers, payload)

    def _send(self, status: int, headers: dict[str, str], payload: bytes) -> None:
        trouble = self.server_of.trouble
        fetching = self.command == "POST" and self.path.endswith("git-upload-pack") and b"PACK" in payload
        if fetching and 0 <= trouble.flip_at < len(payload):
            changed = bytearray(payload)
            changed[trouble.flip_at] ^= 0xFF
            payload = bytes(changed)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        cut = trouble.cut_after if fetching and trouble.cut_after >= 0 else len(payload)
        self.wfile.write(payload[:cut])
        if cut < len(payload):
            self.close_connection = True


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n"))
    return {name.strip(): value.strip() for name, colon, value in lines if colon}
