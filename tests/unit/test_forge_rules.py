"""Where repositories and APIs of forges are, and what is cut from a proposal."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.edges.forge.access import ForgeAccess, check_api, read_access
from weir.edges.forge.names import default_api, owner_and_name, path_for, repository_of
from weir.edges.forge.proposal import LONGEST_TITLE, Proposal, cut_body, fitted
from weir.spec.errors import SourceError
from weir.spec.image_automation import ForgeKind

PROPOSAL = Proposal(repository="team/app", head="updates", base="main", title="New images", body="text")

REPOSITORIES = [
    ("https://github.com/team/app", "github.com", "team/app"),
    ("https://github.com/team/app.git", "github.com", "team/app"),
    ("https://GitHub.com/Team/App.git/", "github.com", "Team/App"),
    ("https://www.github.com/team/app", "github.com", "team/app"),
    ("ssh://git@github.com/team/app.git", "github.com", "team/app"),
    ("ssh://git@ssh.github.com:443/team/app.git", "github.com", "team/app"),
    ("ssh://git@altssh.gitlab.com:443/group/sub/app.git", "gitlab.com", "group/sub/app"),
    ("https://gitlab.com/group/sub/deeper/app.git", "gitlab.com", "group/sub/deeper/app"),
    ("ssh://git@git.example:2222/team/app", "git.example", "team/app"),
    ("https://git.example:8443/team/app", "git.example:8443", "team/app"),
    ("http://git.example:3000/team/app.git", "git.example:3000", "team/app"),
    ("https://gitlab.com/1234", "gitlab.com", "1234"),
    ("https://git.example/team/%61pp", "git.example", "team/app"),
]


@pytest.mark.parametrize(("url", "host", "path"), REPOSITORIES)
def test_host_and_path_of_a_repository(url: str, host: str, path: str) -> None:
    assert repository_of(url) == (host, path)


NO_REPOSITORIES = [
    "https://github.com/app",
    "https://github.com/team//app",
    "https://github.com/team/../app",
    "https://github.com/team/%2e%2e/app",
    "https://github.com/team/app?x=1",
    "https://github.com/team/app%3fx",
    "https://github.com/team/a%20b",
    "git@github.com:team/app.git",
    "https://user:pass@github.com/team/app",
]


@pytest.mark.parametrize("url", NO_REPOSITORIES)
def test_no_repository_of_a_forge(url: str) -> None:
    with pytest.raises(SourceError, match=r"correct spec\.url|move it to the Secret") as err:
        repository_of(url)
    assert "pass@" not in str(err.value)


APIS: list[tuple[ForgeKind, str, str]] = [
    ("github", "github.com", "https://api.github.com"),
    ("github", "octo.ghe.com", "https://api.octo.ghe.com"),
    ("github", "git.example", "https://git.example/api/v3"),
    ("gitlab", "gitlab.com", "https://gitlab.com/api/v4"),
    ("gitlab", "git.example:8443", "https://git.example:8443/api/v4"),
    ("gitea", "codeberg.org", "https://codeberg.org/api/v1"),
]


@pytest.mark.parametrize(("kind", "host", "api"), APIS)
def test_the_api_that_a_host_has(kind: ForgeKind, host: str, api: str) -> None:
    assert default_api(kind, host) == api


PATHS = [
    ("https://git.example/api/v4", "https://git.example/team/app", "team/app"),
    ("https://git.example/forge/api/v1", "https://git.example/forge/team/app", "team/app"),
    ("https://git.example/forge/api/v1", "ssh://git@git.example/forge/app", "forge/app"),
    ("https://git.example/forge/api/v1", "https://other.example/forge/team/app", "forge/team/app"),
    ("https://git.example/forge/api/v1", "https://git.example/forge/app", "forge/app"),
    ("https://api.github.com", "https://github.com/team/app", "team/app"),
]


@pytest.mark.parametrize(("api", "url", "path"), PATHS)
def test_a_forge_below_a_folder(api: str, url: str, path: str) -> None:
    assert path_for(api, url) == path


@pytest.mark.parametrize("path", ["group/sub/app", "app", ""])
def test_two_of_the_kinds_have_no_subgroups(path: str) -> None:
    with pytest.raises(SourceError, match=r"expected an owner and a name; correct spec\.url"):
        owner_and_name(path)


WRONG = [
    ({"head": "main"}, "both 'main', expected two branches"),
    ({"head": "a b"}, "head: found 'a b'"),
    ({"base": ""}, "base: found ''"),
    ({"base": "a\nb"}, "base: found"),
    ({"labels": ("a,b",)}, "label 'a,b'"),
    ({"labels": ("",)}, "label ''"),
    ({"title": " \n "}, "no title"),
]


@pytest.mark.parametrize(("changed", "message"), WRONG)
def test_a_proposal_that_no_forge_takes(changed: dict[str, str], message: str) -> None:
    with pytest.raises(SourceError, match=re.escape(message)):
        fitted(replace(PROPOSAL, **changed), "gitea")  # type: ignore[arg-type]


def test_a_title_is_one_line_of_bounded_length() -> None:
    assert fitted(replace(PROPOSAL, title=" a\n b "), "gitea").title == "a b"
    assert fitted(replace(PROPOSAL, title="é" * 300), "gitea").title == "é" * (LONGEST_TITLE - 3) + "..."


def test_labels_are_named_once() -> None:
    assert fitted(replace(PROPOSAL, labels=("b", "a", "b")), "gitea").labels == ("b", "a")


LIMITS: list[tuple[ForgeKind, int | None]] = [("github", 65_536), ("gitlab", 1_048_576), ("gitea", None)]


@pytest.mark.parametrize(("kind", "limit"), LIMITS)
def test_the_longest_body_of_each_kind(kind: ForgeKind, limit: int | None) -> None:
    line = "é" * 99 + "\n"
    body = line * 20_000
    cut = fitted(replace(PROPOSAL, body=body), kind).body
    if limit is None:
        assert cut == body
    else:
        assert limit - 500 < len(cut) <= limit
        kept = cut.count(line)
        assert cut.endswith(f"\n*The rest is left out, {20_000 - kept:} lines: no more than {limit:,} characters "
                            "are allowed here.*\n")  # fmt: skip


def test_an_open_code_block_is_closed_before_the_note() -> None:
    body = "Changes:\n````diff\n```\n" + "+ image: app:1.0.1\n" * 100 + "````\nend\n"
    cut = cut_body(body, 600)
    before, _, note = cut.rpartition("\n\n*")
    assert note.startswith("The rest is left out")
    assert before.endswith("+ image: app:1.0.1\n````")
    assert cut_body(body, len(body)) == body


LINES = st.sampled_from(
    ["text\n", "```\n", "````\n", "```diff\n", "~~~\n", "+ a: b\n", "\n", "é\r\n", "x" * 50 + "\n"]
)


@given(st.lists(LINES, max_size=80).map("".join), st.integers(min_value=200, max_value=2000))
def test_a_cut_body_holds_whole_first_lines_and_closed_code_blocks(body: str, limit: int) -> None:
    cut = cut_body(body, limit)
    assert len(cut) <= limit
    if cut != body:
        assert len(body) > limit
        kept, _, _ = cut.rpartition("\n*The rest")
        closing = re.fullmatch(r"(?s)(.*?)((?:`{3,}|~{3,})\n)?", kept)
        assert closing
        assert body.startswith((kept, closing[1]))
        assert open_fence(kept) == ""


def open_fence(text: str) -> str:
    """Told apart from the code under test: by what a line is in the only alphabet used here."""
    fence = ""
    for line in text.splitlines():
        if not fence and line.startswith(("```", "~~~")):
            fence = line.rstrip("dif")
        elif fence and set(line) == {fence[0]} and len(line) >= len(fence):
            fence = ""
    return fence


def test_the_token_of_a_secret_is_read_and_not_shown() -> None:
    access = read_access("gitlab", "https://git.example/api/v4/", {"token": b"s3cr3t-t0ken\n"})
    assert (access.api, access.token) == ("https://git.example/api/v4", "s3cr3t-t0ken")
    assert "s3cr3t" not in repr(access)


SECRETS = [
    {},
    {"token": b""},
    {"token": b"\n"},
    {"token": b"two words"},
    {"token": b"a\nb"},
    {"token": b"\xff\xfe"},
]


@pytest.mark.parametrize("data", SECRETS)
def test_a_secret_without_a_usable_token(data: dict[str, bytes]) -> None:
    with pytest.raises(SourceError, match="found no token in key token"):
        read_access("gitlab", "https://git.example/api/v4", data)


def test_a_secret_with_broken_pem() -> None:
    with pytest.raises(SourceError, match=r"weir\.dev/pull-request-secret: found no usable PEM"):
        read_access("gitlab", "https://git.example/api/v4", {"token": b"t", "ca.crt": b"none"})


BAD_APIS = [
    "http://git.example/api/v1",
    "https://user@git.example/api/v1",
    "https://git.example/api/v1?token=x",
    "https://git.example/api/v1#x",
    "https:///api/v1",
    "https://git.example:port/api",
    "git.example/api/v1",
    "https://git.example/a b",
    "file:///etc/passwd",
    "",
]


@pytest.mark.parametrize("api", BAD_APIS)
def test_a_url_that_gets_no_token(api: str) -> None:
    with pytest.raises(SourceError, match=r"weir\.dev/pull-request-api: found no usable URL"):
        check_api(ForgeAccess(kind="gitea", api=api, token="t"))
