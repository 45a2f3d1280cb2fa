"""Which commit a ref means."""

from __future__ import annotations

import pytest

from weir.select import git_ref
from weir.spec.errors import SourceError, SpecError
from weir.spec.git_repository import GitRef

A, B, C, D, T = ("abcdet"[i] * 40 for i in (0, 1, 2, 3, 4))
REFS = {
    "refs/heads/main": A,
    "refs/heads/feature/x": B,
    "refs/tags/v1.0.0": T,
    "refs/tags/v1.0.0^{}": C,
    "refs/tags/v1.2.0": B,
    "refs/tags/2.0.0-rc.1": D,
    "refs/tags/nightly": D,
    "refs/pull/420/head": D,
}


def only(ref: GitRef) -> git_ref.Target:
    (target,) = git_ref.candidates(ref, REFS)
    return target


@pytest.mark.parametrize(
    ("ref", "want"),
    [
        (GitRef(branch="main"), f"main@sha1:{A}"),
        (GitRef(branch="feature/x"), f"feature/x@sha1:{B}"),
        (GitRef(tag="v1.0.0"), f"v1.0.0@sha1:{C}"),
        (GitRef(tag="v1.2.0", branch="main"), f"v1.2.0@sha1:{B}"),
        (GitRef(semver="1.x", tag="nightly", branch="main"), f"v1.2.0@sha1:{B}"),
        (GitRef(semver=">=1.0.0-0"), f"2.0.0-rc.1@sha1:{D}"),
        (GitRef(name="refs/pull/420/head", semver="1.x", tag="v1.0.0"), f"refs/pull/420/head@sha1:{D}"),
        (GitRef(name="refs/heads/main"), f"refs/heads/main@sha1:{A}"),
        (GitRef(name="refs/tags/v1.0.0"), f"refs/tags/v1.0.0@sha1:{C}"),
        (GitRef(commit=D), f"sha1:{D}"),
        (GitRef(commit=D, branch="main"), f"main@sha1:{D}"),
        (GitRef(commit=D, name="refs/heads/main", semver="1.x", tag="v1.0.0"), f"sha1:{D}"),
        (GitRef(commit="e" * 64), f"sha256:{'e' * 64}"),
    ],
)
def test_precedence_and_revision(ref: GitRef, want: str) -> None:
    assert git_ref.revision(ref, only(ref)) == want


def test_an_annotated_tag_keeps_its_object() -> None:
    assert only(GitRef(tag="v1.0.0")).tag_object == T
    assert only(GitRef(tag="v1.2.0")).tag_object == ""


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        (
            GitRef(branch="Main"),
            r"no reference refs/heads/Main; correct spec.ref; there are: refs/heads/main",
        ),
        (GitRef(tag="v9"), "no reference refs/tags/v9"),
        (GitRef(name="refs/pull/1/head"), "no reference refs/pull/1/head"),
        (GitRef(semver="3.x"), "no tag in the semver range '3.x' among 4"),
    ],
)
def test_what_is_missing_is_named(ref: GitRef, text: str) -> None:
    with pytest.raises(SourceError, match=text):
        git_ref.candidates(ref, REFS)


def test_an_empty_repository_says_so() -> None:
    with pytest.raises(SourceError, match="push one"):
        git_ref.candidates(GitRef(branch="main"), {})


def test_a_bad_range_is_the_documents_fault() -> None:
    with pytest.raises(SpecError):
        git_ref.candidates(GitRef(semver="newest"), REFS)


def test_ties_go_to_the_youngest_commit_then_to_the_last_name() -> None:
    refs = {"refs/tags/1.0.0+a": A, "refs/tags/1.0.0+b": B, "refs/tags/0.9.0": C}
    tied = git_ref.candidates(GitRef(semver="1.x"), refs)
    assert [target.name for target in tied] == ["refs/tags/1.0.0+a", "refs/tags/1.0.0+b"]
    assert git_ref.newest_of(tied, {A: 200, B: 100}).commit == A
    assert git_ref.newest_of(tied, {A: 100, B: 200}).commit == B
    assert git_ref.newest_of(tied, {}).commit == B


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a" * 40, GitRef(commit="a" * 40)),
        ("refs/pull/7/head", GitRef(name="refs/pull/7/head")),
        ("feature/x", GitRef(branch="feature/x")),
    ],
)
def test_refs_typed_by_people(text: str, want: GitRef) -> None:
    assert git_ref.parse_ref(text) == want


@pytest.mark.parametrize(
    ("ref", "want"),
    [
        (GitRef(branch="main"), "refs/heads/"),
        (GitRef(tag="v1"), "refs/tags/"),
        (GitRef(semver="1.x"), "refs/tags/"),
        (GitRef(name="refs/heads/main", tag="x"), "refs/heads/"),
        (GitRef(name="refs/pull/1/head"), ""),
    ],
)
def test_only_the_needed_references_are_listed(ref: GitRef, want: str) -> None:
    assert git_ref.listing(ref) == want


def test_the_commit_inside_a_revision() -> None:
    assert git_ref.commit_of(f"main@sha1:{A}") == A
    assert git_ref.commit_of(f"sha1:{A}") == A
    assert git_ref.commit_of("1.2.3") == ""
