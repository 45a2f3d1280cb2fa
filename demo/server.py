"""A Git server on loopback: bare repositories served over smart HTTP by `git http-backend`."""

from __future__ import annotations

import base64
import hmac
import os
import secrets
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

_QUIET: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Weir demo",
    "GIT_AUTHOR_EMAIL": "demo@weir.example",
    "GIT_COMMITTER_NAME": "Weir demo",
    "GIT_COMMITTER_EMAIL": "demo@weir.example",
}


def git(*arguments: str, cwd: Path, timeout: float = 120.0) -> str:
    """The trimmed output of one git command, run without anybody's own configuration.

    Raises:
        RuntimeError: git failed, and the text is what it printed; or there is none.
    """
    program = shutil.which("git")
    if program is None:
        raise RuntimeError("git: found none on PATH, expected one; install it, and run again")
    done = subprocess.run(
        [program, *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **_QUIET},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Last:
    """The last commit of branch main, and a file in it."""

    author: str
    subject: str
    content: str
    tags: frozenset[str]
    """Those that stand for this commit."""


class Repository:
    """A working copy whose commits are pushed at once to a bare repository, as a person's would be."""

    def __init__(self, bare: Path, work: Path) -> None:
        self.bare = bare
        self.work = work
        git("init", "--quiet", "--bare", "--initial-branch=main", str(bare), cwd=bare.parent)
        git("init", "--quiet", "--initial-branch=main", str(work), cwd=work.parent)
        git("config", "gc.auto", "0", cwd=bare)

    def commit(self, message: str) -> str:
        """Commit and push everything in the working copy; the new commit's hash."""
        git("add", "--all", cwd=self.work)
        git("commit", "--quiet", "--allow-empty", "-m", message, cwd=self.work)
        git("push", "--quiet", str(self.bare), "HEAD:main", cwd=self.work)
        return git("rev-parse", "HEAD", cwd=self.work)

    def head(self) -> str:
        """The hash of branch main on the server."""
        return (self.bare / "refs/heads/main").read_text().strip()

    def last(self, path: str) -> Last:
        """What the server has now, whoever pushed it."""
        author, subject = git("log", "-1", "--format=%an%n%s", "main", cwd=self.bare).splitlines()
        content = git("show", f"main:{path}", cwd=self.bare)
        tags = git("tag", "--points-at", "main", cwd=self.bare).splitlines()
        return Last(author, subject, content, frozenset(tags))

    def tag(self, name: str) -> None:
        """Tag the present commit and push the tag."""
        git("tag", "--annotate", name, "-m", name, cwd=self.work)
        git("push", "--quiet", str(self.bare), f"refs/tags/{name}", cwd=self.work)


class GitServer:
    """Serves every bare repository of a folder at `url/<name>.git` on a free port of loopback.

    Everybody on this machine may read; who may push shows a password that is made anew for each server.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.login = {"username": "weir", "password": secrets.token_urlsafe(24)}
        """With Flux's keys for a Secret."""
        shown = base64.b64encode(":".join(self.login.values()).encode()).decode()
        handler = type("Handler", (_Backend,), {"root": root, "writer": f"Basic {shown}"})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it answers, without a trailing slash."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def repository(self, name: str) -> Repository:
        """A new empty repository, served as `<name>.git`, with a working copy beside it."""
        return Repository(self.root / f"{name}.git", self.root / f"{name}-work")

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away, as one does whose run is interrupted."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Backend(BaseHTTPRequestHandler):
    """One request: environment in, CGI answer out (RFC 3875, git-http-backend(1))."""

    protocol_version = "HTTP/1.0"
    root: Path
    writer: str
    """The Authorization header of who may push."""

    def do_GET(self) -> None:
        """Advertise references, or serve a file."""
        self._serve(b"")

    def do_POST(self) -> None:
        """Send a pack, or take one."""
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        known = hmac.compare_digest(self.headers.get("Authorization", ""), self.writer)
        if "git-receive-pack" in self.path and not known:
            self._refuse()
            return
        environment = {
            "PATH": os.environ["PATH"],
            **_QUIET,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(parts.path),
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
            **({"REMOTE_USER": "weir"} if known else {}),
        }
        done = subprocess.run(
            ["git", "http-backend"],
            env=environment,
            input=body,
            capture_output=True,
            timeout=300,
            check=False,
        )
        self._answer(done.stdout)

    def _refuse(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, output: bytes) -> None:
        head, _, content = output.partition(b"\r\n\r\n")
        fields = [line.split(":", 1) for line in head.decode("latin-1").split("\r\n") if ":" in line]
        status = next((value for name, value in fields if name.lower() == "status"), "200")
        self.send_response(int(status.split()[0]))
        for name, value in fields:
            if name.lower() != "status":
                self.send_header(name, value.strip())
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Nothing: the demo's own lines are what a reader wants."""
