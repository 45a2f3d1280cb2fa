"""What people read when a forge says no, and who never sees the token.

The servers are those of `test_forge_proposals`; what no API documents is said by hand.
"""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.forge import NO_NEW_LABELS, PREFIXES, READ_ONLY, TOKEN, Forge, Repository, running_forge
from tests.support.proxy import running_proxy
from tests.support.tls import Authority
from weir.edges.forge.access import ForgeAccess
from weir.edges.forge.errors import (
    BadAnswerError,
    DeniedError,
    ForgeError,
    MissingError,
    RefusedError,
    UnavailableError,
)
from weir.edges.forge.proposal import Proposal
from weir.edges.forge.propose import propose
from weir.spec.errors import SourceError, StopRequested
from weir.spec.image_automation import ForgeKind

KINDS: tuple[ForgeKind, ...] = ("github", "gitlab", "gitea")
PROPOSAL = Proposal(
    repository="team/app", head="image-updates", base="main", title="New images", body="text", labels=("bot",)
)


@pytest.fixture(params=KINDS)
def forge(request: pytest.FixtureRequest) -> Iterator[Forge]:
    with running_forge(request.param) as running:
        running.repository("team/app", "main", "image-updates")
        yield running


def repository_of(forge: Forge) -> Repository:
    return forge.repositories["team/app"]


@dataclass
class Speaker:
    """A server that says one thing to everybody."""

    status: int = 200
    body: bytes = b"[]"
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    def access(self, kind: ForgeKind = "github", token: str = TOKEN) -> ForgeAccess:
        api = f"http://127.0.0.1:{self.port}{PREFIXES[kind]}"
        return ForgeAccess(kind=kind, api=api, token=token, insecure=True, timeout=5)


@contextmanager
def speaking(speaker: Speaker) -> Iterator[Speaker]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

        def _serve(self) -> None:
            speaker.seen.append({name.lower(): value for name, value in self.headers.items()})
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(speaker.status)
            for name, value in {"Content-Length": str(len(speaker.body)), **speaker.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(speaker.body)

        do_GET = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    speaker.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield speaker
    finally:
        server.shutdown()
        server.server_close()


def refusal(access: ForgeAccess, proposal: Proposal = PROPOSAL) -> ForgeError:
    """The error, after making sure that no token stands in it or in what caused it."""
    with pytest.raises(ForgeError) as failure:
        propose(proposal, access)
    error: BaseException | None = failure.value
    while error is not None:
        assert access.token not in f"{error!s} {error!r}"
        error = error.__cause__ or error.__context__
    return failure.value


def test_a_wrong_token(forge: Forge) -> None:
    error = refusal(forge.access("wr0ng-t0ken"))
    assert isinstance(error, DeniedError)
    assert re.search(r"^GET http://127\.0\.0\.1:\d+/api/v\d/.*: 401 \(", error.message)
    assert "key token of the Secret of weir.dev/pull-request-secret" in error.hint
    assert len(forge.asked) == 1


RIGHTS = {"github": "Pull requests: write", "gitlab": "scope `api`", "gitea": "`write:repository`"}


def test_a_token_that_only_reads(forge: Forge) -> None:
    error = refusal(forge.access(READ_ONLY))
    assert isinstance(error, DeniedError)
    assert ": 403 (" in error.message
    assert RIGHTS[forge.kind] in error.hint
    assert repository_of(forge).pulls == []


@pytest.mark.parametrize("kind", ["github", "gitea"])
def test_a_label_that_may_not_be_created(kind: ForgeKind) -> None:
    with running_forge(kind) as forge:
        repository = forge.repository("team/app", "main", "image-updates")
        assert isinstance(refusal(forge.access(NO_NEW_LABELS)), DeniedError)
        assert [pull.labels for pull in repository.pulls] == [[]]
        repository.labels["bot"] = 1
        assert not propose(PROPOSAL, forge.access(NO_NEW_LABELS)).created
        assert [pull.labels for pull in repository.pulls] == [["bot"]]


def test_a_repository_that_is_not_there(forge: Forge) -> None:
    error = refusal(forge.access(), replace(PROPOSAL, repository="team/other"))
    assert isinstance(error, MissingError)
    assert "check the repository's URL" in error.hint


@pytest.mark.parametrize("branch", [{"head": "gone"}, {"base": "gone"}])
def test_a_branch_that_is_not_there(forge: Forge, branch: dict[str, str]) -> None:
    error = refusal(forge.access(), replace(PROPOSAL, **branch))  # type: ignore[arg-type]
    assert isinstance(error, RefusedError | MissingError)
    said = {
        "github": r"422 \(Validation Failed; (head|base) invalid\)",
        "gitlab": r'400 \(base: Branch "gone"',
    }
    assert re.search(said.get(forge.kind, r"404 \(not found\)"), error.message)
    assert len(forge.writes()) == 1


def test_nothing_to_propose() -> None:
    with running_forge("github") as forge:
        forge.repository("team/app", "main", "x-empty")
        error = refusal(forge.access(), replace(PROPOSAL, head="x-empty"))
    assert "422 (Validation Failed; No commits between main and x-empty): refused" in error.message


SAID: list[tuple[object, str]] = [
    ({"message": "a\r\nb\x1b[31m\u202ec\u061c\u200bd é“中”"}, "(a b [31m c d é“中”)"),
    ({"message": f"token {TOKEN} is bad"}, "(token *** is bad)"),
    ({"message": "x" * 1000}, f"({'x' * 297}...)"),
    ({"message": {"title": ["is blank", "is bad"], "labels": ["no"]}}, "(title: is blank; title: is bad; labels: no)"),
    ({"error": "invalid", "error_description": "more"}, "(invalid; more)"),
    ({"message": "V", "errors": [{"field": "head", "code": "invalid"}, "text"]}, "(V; head invalid; text)"),
    ({"message": None, "errors": None}, "422: refused"),
    ({}, "422: refused"),
    (["a", 1, None], "(a)"),
    (7, "422: refused"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "shown"), SAID, ids=str)
def test_what_a_forge_says_is_shown_safely(document: object, shown: str) -> None:
    with speaking(Speaker(422, json.dumps(document).encode())) as speaker:
        message = refusal(speaker.access()).message
    assert shown in message
    assert message.isprintable()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(forge: Forge, status: int) -> None:
    with speaking(Speaker()) as other, FaultProxy(forge.root) as proxy:
        for where in (f"http://localhost:{other.port}/x", "/api/v4/projects/7/merge_requests"):
            proxy.faults[:] = [Fault(status=status, headers={"Location": where})]
            error = refusal(forge.access(root=proxy.url))
            assert f"{status}, a redirect, which is not followed" in error.message
            assert "the repository has moved" in error.hint
        assert (other.seen, forge.asked) == ([], [])


LIMITED = [
    ({"Retry-After": "70"}, "for another 70 s"),
    ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "in an hour"}, r"for another 3[56]\d\d s"),
    ({"X-RateLimit-Remaining": "0"}, "for another 0 s"),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "shown"), LIMITED, ids=("pause", "reset", "none left"))
def test_a_rate_limit_is_no_missing_right(headers: dict[str, str], shown: str) -> None:
    hour = str(int(time.time()) + 3600)
    headers = {key: value.replace("in an hour", hour) for key, value in headers.items()}
    with speaking(Speaker(403, b'{"message": "API rate limit exceeded"}', headers)) as speaker:
        error = refusal(speaker.access())
    assert isinstance(error, UnavailableError)
    assert re.search(shown, error.message)


def test_a_pause_that_the_forge_asks_for_is_kept(forge: Forge) -> None:
    with FaultProxy(forge.root) as proxy:
        proxy.faults.append(Fault(method="GET", status=429, retry_after="1", times=1))
        assert propose(PROPOSAL, forge.access(root=proxy.url)).created
        assert proxy.seen[1].at - proxy.seen[0].at >= 1.0


def test_a_pause_longer_than_there_is_time_is_an_error(forge: Forge) -> None:
    with FaultProxy(forge.root) as proxy:
        proxy.faults.append(Fault(status=429, retry_after="600"))
        began = time.monotonic()
        error = refusal(forge.access(root=proxy.url, timeout=30))
        assert time.monotonic() - began < 15
    assert isinstance(error, UnavailableError)
    assert "asks to slow down for 600 s (429)" in error.message


def test_a_silent_forge_is_given_up_in_time(forge: Forge) -> None:
    with FaultProxy(forge.root) as proxy:
        proxy.faults.append(Fault(stall=threading.Event()))
        began = time.monotonic()
        error = refusal(forge.access(root=proxy.url, timeout=1))
        assert time.monotonic() - began < 20
    assert "no answer in time" in error.message


def test_a_cancelled_run_stops(forge: Forge) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StopRequested):
        propose(PROPOSAL, forge.access(), stop=stop)
    assert forge.asked == []


OTHER = [b"<html>Sign in</html>", b"", b'{"a": 1}', b"[1]", b'[{"number": 1}', b"\xff"]


@pytest.mark.parametrize("body", OTHER)
@pytest.mark.parametrize("kind", KINDS)
def test_something_that_is_no_such_api(kind: ForgeKind, body: bytes) -> None:
    with speaking(Speaker(200, body)) as speaker:
        error = refusal(speaker.access(kind))
    assert isinstance(error, BadAnswerError)
    assert "weir.dev/pull-request-api" in error.hint


ROWS = [
    {"number": 0, "iid": 0},
    {"number": "1", "iid": "1"},
    {"number": True, "iid": True},
    {"number": 1, "iid": 1, "html_url": "javascript:alert(1)", "web_url": "javascript:alert(1)"},
    {"number": 1, "iid": 1, "html_url": "https://u:p@h/1", "web_url": "https://u:p@h/1"},
    {"number": 1, "iid": 1, "html_url": "https://h/\u202e1", "web_url": "https://h/\u202e1"},
]


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_pull_request_that_cannot_be_shown(kind: ForgeKind, row: dict[str, object]) -> None:
    branches = {"source_branch": "image-updates", "target_branch": "main"}
    ends = {"head": {"ref": "image-updates", "repo": {}}, "base": {"ref": "main", "repo": {}}}
    with speaking(Speaker(200, json.dumps([{**row, **branches, **ends}]).encode())) as speaker:
        assert isinstance(refusal(speaker.access(kind)), BadAnswerError)


def test_a_list_without_end() -> None:
    link = {"Link": '<http://127.0.0.1/next>; rel="next"'}
    with speaking(Speaker(200, b"[{}]", link)) as speaker:
        error = refusal(replace(speaker.access(), timeout=30))
    assert "does not end after 100 pages" in error.message


def test_the_token_is_in_one_header_and_nowhere_else(forge: Forge) -> None:
    propose(PROPOSAL, forge.access())
    assert forge.asked
    for asked in forge.asked:
        holding = [name for name, value in asked.headers.items() if TOKEN in value]
        assert holding == ["authorization"]
        assert TOKEN not in f"{asked.path} {asked.query} {asked.body}"
    assert not any(TOKEN in line for line in forge.lines)
    assert TOKEN not in repr(forge.access())


def test_plain_http_only_when_asked(forge: Forge) -> None:
    with pytest.raises(SourceError, match="no usable URL"):
        propose(PROPOSAL, replace(forge.access(), insecure=False))
    assert forge.asked == []


def test_a_forge_with_its_own_authority(forge: Forge, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    with FaultProxy(forge.root, tls=authority.server()) as proxy:
        access = replace(forge.access(root=proxy.url), insecure=False)
        error = refusal(access)
        assert "the TLS connection is not trusted" in error.message
        assert "ca.crt" in error.hint
        assert (proxy.seen, forge.asked) == ([], [])
        assert propose(PROPOSAL, replace(access, ca=authority.pem)).created


def test_through_a_proxy(forge: Forge, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    with FaultProxy(forge.root, tls=authority.server()) as tls, running_proxy("Basic dTpw") as proxy:
        address = f"http://u:p@127.0.0.1:{proxy.port}"
        access = replace(forge.access(root=tls.url), insecure=False, ca=authority.pem, proxy=address)
        assert propose(PROPOSAL, access).created
    assert [line.split()[0] for line in proxy.seen] == ["CONNECT"]
    assert TOKEN not in "".join(proxy.seen)
