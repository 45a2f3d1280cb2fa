"""What a poll without news costs: one request, no process; and git is asked whenever the answer is not certain."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.git_server import GitServer, Repo, basic
from tests.support.sources import Place, git_spec
from weir.edges import process
from weir.edges.git.credentials import Credentials
from weir.edges.git.peek import Peek, read_refs
from weir.edges.git.remote import list_refs
from weir.edges.git.session import open_session
from weir.edges.git.url import parse_url
from weir.flow.unmoved import Unmoved
from weir.spec.artifact import Artifact

LOGIN = {"username": b"robot", "password": b"secret-of-the-robot"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def repo(server: GitServer) -> Repo:
    made = server.repo("apps")
    made.commit({"a.yaml": "v: 1\n"}, "first")
    made.tag("v1.0.0", message="a release")
    made.tag("v0.9.0")
    return made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


@pytest.fixture
def unmoved(place: Place) -> Unmoved:
    return Unmoved(place.secret)


REFS = [
    {"branch": "main"},
    {"tag": "v1.0.0"},
    {"tag": "v0.9.0"},
    {"semver": ">=0.9.0"},
    {"name": "refs/heads/main"},
    {"name": "refs/pull/7/head"},
]


@pytest.mark.parametrize("ref", REFS, ids=str)
def test_what_did_not_move_costs_one_request_and_no_process(
    place: Place,
    repo: Repo,
    server: GitServer,
    unmoved: Unmoved,
    ref: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repo.git("update-ref", "refs/pull/7/head", repo.head())
    spec = git_spec(repo.url, ref=ref)
    artifact = place.sync(spec).artifact
    server.requests.clear()
    monkeypatch.delattr(process, "run")
    assert unmoved.stands(spec, artifact)
    assert [request.method for request in server.requests] == ["POST"]


@pytest.mark.parametrize("ref", [{"branch": "main"}, {"semver": ">=0.9.0"}], ids=str)
def test_what_moved_is_seen(place: Place, repo: Repo, unmoved: Unmoved, ref: dict[str, str]) -> None:
    spec = git_spec(repo.url, ref=ref)
    artifact = place.sync(spec).artifact
    assert unmoved.stands(spec, artifact)
    repo.commit({"a.yaml": "v: 2\n"}, "second")
    repo.tag("v1.1.0")
    assert not unmoved.stands(spec, artifact)
    assert unmoved.stands(spec, place.sync(spec).artifact)


def test_a_login_goes_along_and_a_wrong_one_leaves_it_to_git(
    place: Place, server: GitServer, repo: Repo
) -> None:
    server.authorization = basic("robot", "secret-of-the-robot")
    spec = git_spec(repo.url, secretRef={"name": "login"})
    place.secrets["login"] = LOGIN
    artifact = place.sync(spec).artifact
    assert Unmoved(place.secret).stands(spec, artifact)
    place.secrets["login"] = {**LOGIN, "password": b"another"}
    assert not Unmoved(place.secret).stands(spec, artifact)
    del place.secrets["login"]
    assert not Unmoved(place.secret).stands(spec, artifact)


@pytest.mark.parametrize(
    "fields",
    [
        {"ref": {"commit": "0" * 40}},
        {"suspend": True},
        {"verify": {"mode": "HEAD", "secretRef": {"name": "keys"}}},
    ],
    ids=["commit", "suspend", "verify"],
)
def test_what_needs_more_than_a_reference_is_never_certain(
    repo: Repo, server: GitServer, unmoved: Unmoved, fields: dict[str, Any]
) -> None:
    artifact = Artifact(revision=f"main@sha1:{repo.head()}", digest="sha256:" + "0" * 64)
    assert not unmoved.stands(git_spec(repo.url, **fields), artifact)
    assert server.requests == []


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500},
        {"status": 404},
        {"redirect": "http://127.0.0.1:9"},
        {"hang": threading.Event()},
    ],
    ids=["failing", "absent", "redirecting", "hanging"],
)
def test_an_odd_answer_leaves_it_to_git_for_a_while(
    place: Place, repo: Repo, server: GitServer, unmoved: Unmoved, trouble: dict[str, Any]
) -> None:
    artifact = place.sync(git_spec(repo.url)).artifact
    spec = git_spec(repo.url, timeout="2s" if "hang" in trouble else "10s")
    for field, value in trouble.items():
        setattr(server.trouble, field, value)
    assert not unmoved.stands(spec, artifact)
    server.trouble = type(server.trouble)()
    server.requests.clear()
    assert not unmoved.stands(spec, artifact), "it is not asked twice for what it cannot do"
    assert server.requests == []
    if "hang" in trouble:
        trouble["hang"].set()


def test_a_server_without_protocol_2_is_left_to_git(place: Place, repo: Repo, server: GitServer) -> None:
    spec = git_spec(repo.url)
    artifact = place.sync(spec).artifact
    server.extra["/apps.git/git-upload-pack"] = lambda *_: (200, b"0044no such thing")
    assert not Unmoved(place.secret).stands(spec, artifact)


def test_it_says_what_git_says(place: Place, repo: Repo) -> None:
    url = parse_url(repo.url)
    for prefix in ("", "refs/heads/", "refs/tags/"):
        with open_session(place.root, url, Credentials(), 20.0) as session:
            listed = list_refs(session, prefix).refs
        assert Peek().refs(url, Credentials(), prefix, 20.0) == listed
        assert listed


@pytest.mark.parametrize(
    "own", [{"ca": b"x"}, {"certificate": b"x"}, {"proxy": "http://127.0.0.1:9"}], ids=str
)
def test_ways_of_their_own_are_left_to_git(repo: Repo, server: GitServer, own: dict[str, Any]) -> None:
    credentials = replace(Credentials(), **own)
    assert Peek().refs(parse_url(repo.url), credentials, "", 20.0) is None
    assert server.requests == []


@given(st.binary(max_size=200))
def test_any_bytes_are_references_or_none(body: bytes) -> None:
    found = read_refs(body)
    assert found is None or all(len(oid) == 40 for name, oid in found.items() if not name.endswith("^{}"))


OID = "1" * 40


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"0000", {}),
        (b"", None),
        (b"003d" + f"{OID} refs/heads/main\n".encode() + b"0000", {"refs/heads/main": OID}),
        (b"003d" + f"{OID} refs/heads/main\n".encode(), None),
        (b"003d" + f"{OID} refs/heads/main\n".encode() + b"0000more", None),
        (b"000cERR no\n\n0000", None),
        (b"ffff", None),
        (b"0001" + b"0000", None),
    ],
)
def test_the_list_is_whole_or_it_is_none(body: bytes, found: dict[str, str] | None) -> None:
    assert read_refs(body) == found
