"""Commits signed with an automation's key: git, gpg and ssh-keygen take them, and so does our own verification."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.support.git_server import GitServer, Repo
from tests.support.signing import PgpKey
from tests.support.writing import Writer, setting, target
from weir.edges.git.signing import read_signer
from weir.flow.write_back import Target
from weir.spec.errors import SourceError, VerificationError

FILE = "deploy/app.yaml"
with_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="GnuPG is not installed")
SSH_KINDS = [
    ("-t", "ed25519"), ("-t", "rsa", "-b", "2048"),
    ("-t", "ecdsa", "-b", "256"), ("-t", "ecdsa", "-b", "384"), ("-t", "ecdsa", "-b", "521"),
]  # fmt: skip


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with GitServer(tmp_path / "server") as server:
        yield server.repo("apps")


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "writer")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home of GnuPG's own; its path is short because a socket lies in it."""
    made = tmp_path / "gpg"
    made.mkdir(mode=0o700)
    yield made
    subprocess.run(["gpgconf", "--kill", "all"], env=environment(made), check=False, timeout=20)


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "GNUPGHOME": str(home), "HOME": str(home)}


def gpg(home: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    command = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", *arguments]
    done = subprocess.run(
        command, env=environment(home), input=stdin, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def verified(repo: Repo, home: Path, *settings: str) -> str:
    """What `git verify-commit` says to the tip of main."""
    done = subprocess.run(
        ["git", *(word for setting in settings for word in ("-c", setting)), "verify-commit", "-v", "main"],
        cwd=repo.path,
        env=environment(home),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stderr.decode()


def signing(repo: Repo, kind: Literal["gpg", "ssh"], data: dict[str, bytes]) -> Target:
    verify = {"mode": "HEAD", "secretRef": {"name": "keys"}}
    return target(repo.url, git={"verify": verify}, signer=read_signer(kind, data))


@with_gpg
@pytest.mark.parametrize("passphrase", ["", "s3cret words"], ids=["open", "passphrase"])
def test_a_key_that_gpg_made(writer: Writer, repo: Repo, home: Path, passphrase: str) -> None:
    phrase = ("--passphrase", passphrase)
    gpg(home, *phrase, "--quick-generate-key", "Bot <bot@weir.example>", "default", "default", "never")
    data = {
        "git.asc": gpg(home, *phrase, "--armor", "--export-secret-keys"),
        "passphrase": passphrase.encode(),
    }
    first = PgpKey()
    repo.commit({FILE: "v: 1\n"}, sign=first.sign)
    writer.place.secrets["keys"] = {"first.asc": first.public, "bot.asc": gpg(home, "--armor", "--export")}
    wanted = signing(repo, "gpg", data)
    writer.write(wanted, setting(FILE, "v: 2\n"))
    assert 'Good signature from "Bot <bot@weir.example>"' in verified(repo, home)
    assert writer.place.sync(wanted.spec).verified
    writer.place.secrets["keys"] = {"first.asc": first.public}
    with pytest.raises(VerificationError, match="none of the trusted keys"):
        writer.prepare(wanted, setting(FILE, "v: 3\n"))


@pytest.mark.parametrize("kind", SSH_KINDS, ids=lambda kind: "-".join(kind[1::2]))
@pytest.mark.parametrize("password", ["", "s3cret words"], ids=["open", "password"])
def test_a_key_that_ssh_keygen_made(
    writer: Writer, repo: Repo, tmp_path: Path, kind: tuple[str, ...], password: str
) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", *kind, "-N", password, "-f", str(key)], check=True, timeout=60)
    data = {"identity": key.read_bytes(), "password": password.encode()}
    first = PgpKey()
    repo.commit({FILE: "v: 1\n"}, sign=first.sign)
    public = key.with_suffix(".pub").read_bytes()
    writer.place.secrets["keys"] = {"first.asc": first.public, "bot.sshpub": public}
    wanted = signing(repo, "ssh", data)
    writer.write(wanted, setting(FILE, "v: 2\n"))
    allowed = tmp_path / "allowed"
    allowed.write_bytes(b'bot@weir.example namespaces="git" ' + public)
    said = verified(repo, tmp_path, "gpg.format=ssh", f"gpg.ssh.allowedSignersFile={allowed}")
    assert 'Good "git" signature for bot@weir.example' in said
    assert "with key SHA256:" in writer.place.sync(wanted.spec).verified


def test_a_signed_commit_that_is_made_again_is_the_same(writer: Writer, repo: Repo, tmp_path: Path) -> None:
    key = PgpKey()
    repo.commit({FILE: "v: 1\n"}, sign=key.sign)
    writer.place.secrets["keys"] = {"a.asc": key.public}
    wanted = signing(repo, "gpg", {"git.asc": str(key._key).encode()})
    edit = setting(FILE, "v: 2\n")
    prepared = writer.prepared(wanted, edit)
    other = Writer(tmp_path / "other", secrets={"keys": {"a.asc": key.public}})
    assert other.push(prepared, wanted, edit).commit == prepared.commit == repo.head()


PUBLIC = PgpKey().public


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        ("gpg", {}, "found no git.asc"),
        ("ssh", {"git.asc": b"x"}, "found no identity"),
        ("gpg", {"git.asc": b"hunter2"}, "git.asc is not an armoured private key"),
        ("gpg", {"git.asc": PUBLIC}, "git.asc cannot sign"),
        ("ssh", {"identity": b"hunter2"}, "identity cannot be read"),
    ],
)  # fmt: skip
def test_keys_that_are_none(kind: Literal["gpg", "ssh"], data: dict[str, bytes], text: str) -> None:
    with pytest.raises(SourceError, match=text) as caught:
        read_signer(kind, data)
    assert "hunter2" not in str(caught.value)


@with_gpg
def test_a_wrong_passphrase(tmp_path: Path, home: Path) -> None:
    phrase = ("--passphrase", "right one")
    gpg(home, *phrase, "--quick-generate-key", "Bot <bot@weir.example>", "default", "default", "never")
    secret = gpg(home, *phrase, "--armor", "--export-secret-keys")
    key = tmp_path / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "right one", "-f", str(key)], check=True, timeout=60
    )
    for wrong in (b"", b"wrong one"):
        with pytest.raises(SourceError, match="cannot sign with this passphrase") as caught:
            read_signer("gpg", {"git.asc": secret, "passphrase": wrong})
        assert "wrong one" not in str(caught.value)
        with pytest.raises(SourceError, match=r"identity (is encrypted|cannot be read)") as caught:
            read_signer("ssh", {"identity": key.read_bytes(), "password": wrong})
        assert "wrong one" not in str(caught.value)
