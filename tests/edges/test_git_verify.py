"""Signatures: who may say what is deployed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_server import GitServer, Repo
from tests.support.signing import PgpKey, SshKey
from tests.support.sources import Place, git_spec
from weir.spec.artifact import Artifact
from weir.spec.errors import VerificationError, WeirError
from weir.spec.git_repository import GitRepositorySpec

PGP = PgpKey()


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with GitServer(tmp_path / "server") as server:
        yield server.repo("apps")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place", secrets={"keys": {"author.asc": PGP.public}})


def spec(repo: Repo, mode: str = "HEAD", **ref: str) -> GitRepositorySpec:
    return git_spec(
        repo.url, ref=ref or {"branch": "main"}, verify={"mode": mode, "secretRef": {"name": "keys"}}
    )


def refused(place: Place, wanted: GitRepositorySpec, text: str) -> None:
    with pytest.raises(VerificationError, match=text):
        place.sync(wanted)
    assert list(place.store.trees.all()) == [], "nothing of an unverified source reaches the store"


def test_a_commit_signed_with_pgp(place: Place, repo: Repo) -> None:
    commit = repo.commit({"a": "1"}, sign=PGP.sign)
    result = place.sync(spec(repo))
    assert result.verified == f"verified signature of commit {commit[:8]} with key {PGP.fingerprint}"
    again = place.sync(spec(repo))
    assert (again.verified, again.changed) == (result.verified, False)


def test_a_commit_signed_with_ssh(place: Place, repo: Repo, tmp_path: Path) -> None:
    key = SshKey(tmp_path / "ssh")
    repo.commit({"a": "1"}, sign=key.signer())
    place.secrets["keys"] = {"ci.sshpub": b"# the robot\n" + key.public, "author.asc": PGP.public}
    assert "with key SHA256:" in place.sync(spec(repo)).verified


def test_unsigned(place: Place, repo: Repo) -> None:
    repo.commit({"a": "1"})
    refused(place, spec(repo), "commit .* is not signed")


def test_signed_by_somebody_else(place: Place, repo: Repo, tmp_path: Path) -> None:
    repo.commit({"a": "1"}, sign=PgpKey("Mallory <m@x>").sign)
    refused(place, spec(repo), "none of the trusted keys")
    key = SshKey(tmp_path / "ssh")
    repo.commit({"a": "1"}, sign=key.signer())
    refused(place, spec(repo), "none of the trusted keys")
    place.secrets["keys"] = {"other.sshpub": SshKey(tmp_path / "other").public}
    refused(place, spec(repo), "none of the trusted keys")


def test_an_ssh_signature_for_another_purpose(place: Place, repo: Repo, tmp_path: Path) -> None:
    key = SshKey(tmp_path / "ssh")
    place.secrets["keys"] = {"ci.sshpub": key.public}
    repo.commit({"a": "1"}, sign=key.signer("file"))
    refused(place, spec(repo), "none of the trusted keys")


def test_a_signature_moved_to_another_commit(place: Place, repo: Repo) -> None:
    signed = repo.commit({"a": "1"}, sign=PGP.sign)
    raw = repo.raw("commit", signed)
    forged = repo.write("commit", raw.replace(b"\n\nchange", b"\n\nother change"))
    repo.git("update-ref", "refs/heads/main", forged)
    refused(place, spec(repo), "does not fit")


def test_two_signatures(place: Place, repo: Repo) -> None:
    signed = repo.commit({"a": "1"}, sign=PGP.sign)
    twice = repo.sign_commit(signed, PgpKey("Mallory <m@x>").sign)
    repo.git("update-ref", "refs/heads/main", twice)
    refused(place, spec(repo), "more than one signature")


def test_a_second_tree_header(place: Place, repo: Repo) -> None:
    first = repo.commit({"a": "1"})
    tree = repo.git("rev-parse", f"{first}^{{tree}}")
    raw = repo.raw("commit", first).replace(b"\nauthor", f"\ntree {tree}\nauthor".encode(), 1)
    forged = repo.sign_commit(repo.write("commit", raw), PGP.sign)
    repo.git("update-ref", "refs/heads/main", forged)
    with pytest.raises(WeirError):
        place.sync(spec(repo))
    assert list(place.store.trees.all()) == []


def test_an_expired_and_a_revoked_key(place: Place, repo: Repo) -> None:
    repo.commit({"a": "1"}, sign=PGP.sign)
    place.secrets["keys"] = {"author.asc": PGP.expiring(1)}
    time.sleep(1.2)
    refused(place, spec(repo), "expired")
    place.secrets["keys"] = {"author.asc": PGP.revoked()}
    refused(place, spec(repo), "revoked|none of the trusted keys")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, "found no key"),
        ({"author.txt": PGP.public}, "found no key"),
        ({"author.asc": b"garbage"}, "cannot be read"),
        ({"ci.sshpub": b'command="x" ssh-ed25519 AAAA'}, "ci.sshpub is not"),
        ({"ci.sshpub": b"ssh-ed25519 not-base64!"}, "ci.sshpub is not"),
    ],
)  # fmt: skip
def test_keys_that_are_none(place: Place, repo: Repo, data: dict[str, bytes], text: str) -> None:
    repo.commit({"a": "1"}, sign=PGP.sign)
    place.secrets["keys"] = data
    refused(place, spec(repo), text)


def test_a_short_rsa_key_is_refused(place: Place, repo: Repo, tmp_path: Path) -> None:
    repo.commit({"a": "1"}, sign=PGP.sign)
    place.secrets["keys"] = {"weak.sshpub": SshKey(tmp_path / "weak", "-t", "rsa", "-b", "1024").public}
    refused(place, spec(repo), "at least 2048 bits")


def test_a_removed_or_rotated_key_ends_trust_without_a_new_commit(place: Place, repo: Repo) -> None:
    repo.commit({"a": "1"}, sign=PGP.sign)
    place.sync(spec(repo))
    place.secrets["keys"] = {"successor.asc": PgpKey("Next <n@x>").public}
    with pytest.raises(VerificationError, match="none of the trusted keys"):
        place.sync(spec(repo))
    place.secrets["keys"] = {"successor.asc": PgpKey("Next <n@x>").public, "author.asc": PGP.public}
    assert place.sync(spec(repo)).verified
    del place.secrets["keys"]
    with pytest.raises(WeirError, match="Secret/flux-system/keys"):
        place.sync(spec(repo))


def test_verification_that_is_added_later_fetches_what_it_needs(place: Place, repo: Repo) -> None:
    repo.commit({"a": "1"}, sign=PGP.sign)
    first = place.sync(git_spec(repo.url))
    for folder in (place.cache / "repos").iterdir():
        for path in sorted((folder / "git").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    second = place.sync(spec(repo))
    assert (second.artifact, bool(second.verified)) == (first.artifact, True)


class TestTags:
    """Modes Tag and TagAndHEAD."""

    def test_a_signed_tag_on_an_unsigned_commit(self, place: Place, repo: Repo) -> None:
        repo.commit({"a": "1"})
        repo.tag("v1.0.0", sign=PGP.sign)
        refused(place, spec(repo, "TagAndHEAD", tag="v1.0.0"), "commit .* is not signed")
        result = place.sync(spec(repo, "Tag", tag="v1.0.0"))
        assert result.verified == f"verified signature of tag v1.0.0 with key {PGP.fingerprint}"

    def test_both(self, place: Place, repo: Repo, tmp_path: Path) -> None:
        key = SshKey(tmp_path / "ssh")
        place.secrets["keys"] = {"a.asc": PGP.public, "b.sshpub": key.public}
        repo.commit({"a": "1"}, sign=PGP.sign)
        repo.tag("v1.0.0", sign=key.signer())
        result = place.sync(spec(repo, "TagAndHEAD", semver=">=1.0.0"))
        assert "tag v1.0.0 with key SHA256:" in result.verified
        assert f"with key {PGP.fingerprint}" in result.verified

    def test_a_lightweight_and_an_unsigned_tag(self, place: Place, repo: Repo) -> None:
        repo.commit({"a": "1"}, sign=PGP.sign)
        repo.tag("v1.0.0")
        refused(place, spec(repo, "Tag", tag="v1.0.0"), "no annotated tag")
        repo.tag("v1.0.1", message="annotated")
        refused(place, spec(repo, "Tag", tag="v1.0.1"), "tag v1.0.1 is not signed")

    def test_an_old_signed_tag_under_a_new_name(self, place: Place, repo: Repo) -> None:
        repo.commit({"a": "vulnerable"})
        repo.tag("v9.9.9", sign=PGP.sign, inner_name="v1.0.0")
        refused(place, spec(repo, "Tag", semver="*"), "its signed object is for tag v1.0.0")

    def test_a_tag_moved_to_an_unsigned_one(self, place: Place, repo: Repo) -> None:
        repo.commit({"a": "1"})
        repo.tag("stable", sign=PGP.sign)
        good: Artifact = place.sync(spec(repo, "Tag", tag="stable")).artifact
        moved = repo.commit({"a": "evil"})
        repo.tag("stable", moved, message="moved")
        with pytest.raises(VerificationError, match="tag stable is not signed"):
            place.sync(spec(repo, "Tag", tag="stable"))
        assert place.previous == good

    def test_text_after_the_signature(self, place: Place, repo: Repo) -> None:
        repo.commit({"a": "1"})
        made = repo.tag("v1.0.0", sign=PGP.sign)
        forged = repo.write("tag", repo.raw("tag", made) + b"and more\n")
        repo.git("update-ref", "refs/tags/v1.0.0", forged)
        refused(place, spec(repo, "Tag", tag="v1.0.0"), "text after the signature")
