"""Comments on pull requests of each kind of forge: one for a unit, brought up to date in place."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.delivery import NO_LABELS, NOW, Secrets, go
from tests.support.events import event
from tests.support.notices import alert, provider
from weir.edges.outbox import Outbox
from weir.flow.deliver import Delivered
from weir.notify.comment import CHANGE_REQUEST

TOKEN: Final = "t0ken-of-the-bot"
PATHS: Final = {
    "github": r"/api/v3/repos/team/app/issues/(?:7/comments|comments/(\d+))",
    "gitea": r"/api/v1/repos/team/app/issues/(?:7/comments|comments/(\d+))",
    "gitlab": r"/api/v4/projects/team%2Fapp/merge_requests/7/notes(?:/(\d+))?",
}
TYPES: Final = {
    "github": "githubpullrequestcomment",
    "gitea": "giteapullrequestcomment",
    "gitlab": "gitlabmergerequestcomment",
}
CHANGES: Final = {"github": "PATCH", "gitea": "PATCH", "gitlab": "PUT"}


@dataclass
class Comments:
    """The comments of pull request 7 of team/app."""

    kind: str
    url: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    status: int = 0
    """Answer everything with this."""

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        parts = urlsplit(target)
        found = re.fullmatch(PATHS[self.kind], parts.path)
        if self.status or not found:
            return self.status or 404, {"message": "no"}, {}
        if method == "GET":
            return self.page(parse_qs(parts.query))
        self.writes.append(method)
        if found[1] is None:
            row = {"id": 100 + len(self.rows), **body}
            self.rows.append(row)
            return 201, row, {}
        (row,) = [one for one in self.rows if one["id"] == int(found[1])]
        assert method == CHANGES[self.kind]
        row.update(body)
        return 200, row, {}

    def page(self, query: dict[str, list[str]]) -> tuple[int, Any, dict[str, str]]:
        if self.kind == "gitea":
            assert query == {}
            return 200, self.rows, {}
        number = int(query["page"][0])
        more = {"Link": '<x>; rel="next"'} if self.kind == "github" else {"X-Next-Page": str(number + 1)}
        return 200, self.rows[(number - 1) * 2 : number * 2], more if len(self.rows) > number * 2 else {}


@contextlib.contextmanager
def running(kind: str) -> Iterator[Comments]:
    comments = Comments(kind)

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

        def serve(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            assert self.headers["Authorization"].endswith(TOKEN)
            status, document, headers = comments.answer(
                self.command, self.path, json.loads(content) if content else None
            )
            payload = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(payload))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PUT = do_PATCH = serve  # noqa: N815

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    comments.url = f"http://127.0.0.1:{server.server_address[1]}/team/app"
    try:
        yield comments
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(params=sorted(TYPES))
def forge(request: pytest.FixtureRequest) -> Iterator[Comments]:
    """A forge of each kind."""
    with running(request.param) as comments:
        yield comments


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """An empty outbox."""
    return Outbox(tmp_path)


def tell(
    outbox: Outbox,
    forge: Comments,
    message: str,
    number: str = "7",
    *,
    at: float = NOW,
    budget: float = 5.0,
) -> Delivered:
    outbox.put([(event(message), NO_LABELS)], at)
    wanted = provider(forge.url, TYPES[forge.kind], secretRef={"name": "forge"})
    known = [alert(eventMetadata={CHANGE_REQUEST: number})]
    secrets = Secrets(forge={"token": TOKEN.encode()})
    return go(outbox, wanted, alerts=known, at=at, clusters=secrets, budget=budget)


def test_a_unit_has_one_comment_that_is_kept_up_to_date(outbox: Outbox, forge: Comments) -> None:
    forge.rows += [{"id": number, "body": f"of a person {number}"} for number in range(1, 6)]
    assert tell(outbox, forge, "first").sent == 1
    assert tell(outbox, forge, "second", at=NOW + 1).sent == 1
    assert forge.writes == ["POST", CHANGES[forge.kind]]
    assert len(forge.rows) == 6
    assert "second" in forge.rows[-1]["body"]
    assert forge.rows[0]["body"] == "of a person 1"


def test_a_comment_that_says_so_already_is_left(outbox: Outbox, forge: Comments, tmp_path: Path) -> None:
    assert tell(outbox, forge, "first").sent == 1
    assert tell(Outbox(tmp_path / "of another machine"), forge, "first").sent == 1
    assert forge.writes == ["POST"]


def test_a_pull_request_that_is_not_there_is_told(outbox: Outbox, forge: Comments) -> None:
    done = tell(outbox, forge, "first", number="8")
    assert (done.sent, len(outbox)) == (0, 0)
    assert "404" in done.lost[0]


def test_a_forge_that_is_down_is_asked_again(outbox: Outbox, forge: Comments) -> None:
    forge.status = 503
    done = tell(outbox, forge, "first", budget=1.5)
    assert (done.sent, done.left) == (0, 1)
    forge.status = 0
    assert tell(outbox, forge, "second", at=NOW + 3600).sent == 2
    assert [row["id"] for row in forge.rows] == [100]
    assert "second" in forge.rows[0]["body"]
