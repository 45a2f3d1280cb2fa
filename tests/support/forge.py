"""A forge on loopback: repositories with branches, labels and pull requests behind one kind's REST API.

    with running_forge("gitea") as forge:
        forge.repository("team/app", "main", "updates")
        propose(..., forge.access())

What each kind answers is in `forge_kinds`. It is stricter than a real one: a field, a query, a path or a header that
the API does not document is noted in `misuse`, which has to stay empty. Faults come from a `FaultProxy(forge.root)`.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from weir.edges.forge.access import ForgeAccess
from weir.spec.image_automation import ForgeKind

TOKEN: Final = "t0ken-of-the-bot"
READ_ONLY: Final = "t0ken-that-reads"
NO_NEW_LABELS: Final = "t0ken-without-labels"
PREFIXES: Final[dict[ForgeKind, str]] = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}


@dataclass
class Pull:
    """A pull request; `source` is the id of the repository of its head."""

    number: int
    head: str
    base: str
    title: str
    body: str
    source: int
    labels: list[str] = field(default_factory=list)
    state: str = "open"


@dataclass
class Repository:
    """A repository that the tokens may see."""

    path: str
    id: int
    branches: list[str]
    pulls: list[Pull] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    organisation: dict[str, int] = field(default_factory=dict)
    """Labels of its owner."""

    def open(self, head: str, base: str) -> list[Pull]:
        """The open ones within the repository."""
        return [
            one
            for one in self.pulls
            if (one.head, one.base, one.state, one.source) == (head, base, "open", self.id)
        ]

    def add(self, head: str, base: str, title: str, body: str, source: int = 0) -> Pull:
        """Open one, whatever there is already."""
        made = Pull(len(self.pulls) + 1, head, base, title, body, source or self.id)
        self.pulls.append(made)
        return made


@dataclass(frozen=True)
class Asked:
    """One request, taken apart."""

    method: str
    path: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int
    document: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Forge:
    """A running forge."""

    kind: ForgeKind
    port: int = 0
    page: int = 30
    """Rows of one page, whatever is asked for."""
    repositories: dict[str, Repository] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """What an access log would hold."""
    misuse: list[str] = field(default_factory=list)
    before_create: list[Callable[[Repository], object]] = field(default_factory=list)
    """Done once each when a pull request is about to be created."""
    before_update: list[Callable[[Pull], object]] = field(default_factory=list)
    """Done once each when one is about to be changed."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def root(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        """Where the API is."""
        return self.root + PREFIXES[self.kind]

    def access(self, token: str = TOKEN, *, root: str = "", timeout: float = 20.0) -> ForgeAccess:
        """How to reach it, perhaps through something else."""
        api = (root or self.root) + PREFIXES[self.kind]
        return ForgeAccess(kind=self.kind, api=api, token=token, insecure=True, timeout=timeout)

    def repository(self, path: str, *branches: str) -> Repository:
        """A new repository; its first branch is the one that all the others are ahead of."""
        made = Repository(path, 100 + len(self.repositories), list(branches))
        self.repositories[path] = made
        return made

    def creating(self, repository: Repository) -> None:
        """What comes in between."""
        if self.before_create:
            self.before_create.pop(0)(repository)

    def updating(self, repository: Repository, number: str) -> Pull:
        """The pull request of a number, after what comes in between."""
        pull = repository.pulls[int(number) - 1]
        if self.before_update:
            self.before_update.pop(0)(pull)
        return pull

    def writes(self) -> list[str]:
        """`METHOD last/parts` of what was asked to change."""
        return [f"{one.method} {'/'.join(one.path[-2:])}" for one in self.asked if one.method != "GET"]

    def expect(self, condition: object, text: str) -> None:
        """Note what a strict server would not take."""
        if not condition:
            self.misuse.append(text)

    def only(self, given: Mapping[str, Any], *allowed: str) -> None:
        """Note what is not documented."""
        for name in given:
            self.expect(name in allowed, f"{name!r} is not documented")

    def rows(self, asked: Asked, rows: list[Any], size: str) -> tuple[list[Any], int, int]:
        """One page, its number and how many there are."""
        size_asked = int(asked.query.get(size, self.page))
        each = min(size_asked, self.page)
        number = int(asked.query.get("page", 1))
        return rows[(number - 1) * each : number * each], number, -(-len(rows) // each)


Answerer = Callable[[Forge, Asked], Said]


class _Handler(http.server.BaseHTTPRequestHandler):
    forge: Forge
    answerer: Answerer
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        self.forge.lines.append(format % args)

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if content:
            kind = headers.get("content-type")
            self.forge.expect(kind == "application/json", f"content type {kind}")
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        self.forge.expect(len(dict(query)) == len(query), "a query twice")
        asked = Asked(
            self.command,
            tuple(unquote(part) for part in parts.path.removeprefix("/").split("/")),
            dict(query),
            headers,
            json.loads(content) if content else None,
        )
        with self.forge.lock:
            self.forge.asked.append(asked)
            said = type(self).answerer(self.forge, asked)
        self._say(said)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _say(self, said: Said) -> None:
        body = json.dumps(said.document).encode()
        self.send_response(said.status)
        for name, value in {"Content-Type": "application/json", **said.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def running_forge(kind: ForgeKind) -> Iterator[Forge]:
    """A forge for the time of the block; at its end nothing may have been misused."""
    from tests.support.forge_kinds import ANSWERERS

    forge = Forge(kind)
    handler = type("Handler", (_Handler,), {"forge": forge, "answerer": staticmethod(ANSWERERS[kind])})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    forge.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield forge
    finally:
        server.shutdown()
        server.server_close()
    assert forge.misuse == []
