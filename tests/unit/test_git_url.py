"""URLs of Git repositories: what git gets, and what people see."""

from __future__ import annotations

import pytest

from weir.edges.git.url import parse_url

TOKEN = "glpat-0123456789abcdef"
URL = f"https://git.example/git.cgi?repository=team/apps.git&private_token={TOKEN}"


def test_git_gets_the_query_and_nobody_sees_it() -> None:
    url = parse_url(URL)
    assert url.address == URL
    assert url.text == "https://git.example/git.cgi"
    assert "?" not in f"{url!r}"
    assert TOKEN not in f"{url!r}"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"fatal: repository '{URL}/' not found", "fatal: repository 'https://git.example/git.cgi?***/' not found"),
        (f"remote: {TOKEN} has ended", "remote: *** has ended"),
        ("remote: team/apps.git is read-only", "remote: team/apps.git is read-only"),
    ],
    ids=["URL", "token", "name"],
)  # fmt: skip
def test_what_a_server_says_of_the_query_is_masked(said: str, shown: str) -> None:
    assert parse_url(URL).masked(said) == shown


def test_a_short_query_is_masked_in_the_url_alone() -> None:
    assert parse_url("https://git.example/apps?a=1").masked("apps?a=1: a=1") == "apps?***: a=1"


def test_a_relative_url_starts_at_the_path_and_leaves_the_query() -> None:
    url = parse_url(f"https://git.example/team/apps.git?private_token={TOKEN}")
    assert url.joined("../lib.git") == "https://git.example/team/lib.git"
    assert url.joined("https://git.example/x.git?a=1") == "https://git.example/x.git?a=1"


@pytest.mark.parametrize("place", ["/?repository=apps", "/apps?"], ids=str)
def test_a_query_may_name_the_repository(place: str) -> None:
    assert parse_url(f"https://git.example{place}").address == f"https://git.example{place.removesuffix('?')}"
