"""A real bare repository that tests and the demo write commits into, without a work tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Signer = Callable[[bytes], str]
"""Object bytes in, an armored signature out (PGP or SSH)."""


@dataclass(frozen=True)
class Link:
    """A symbolic link as file content."""

    target: str


@dataclass(frozen=True)
class Submodule:
    """A commit of another repository as file content (a gitlink)."""

    commit: str


Content = str | bytes | Link | Submodule | None
"""Text, bytes, a link, a submodule, or None to delete the path."""

_WHO = "Weir Test <test@weir.example>"
_EPOCH = 1_700_000_000


def _environment() -> dict[str, str]:
    """Git without anybody's own configuration."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "LC_ALL": "C",
    }


class Repo:
    """One bare repository. Commit times start at a fixed second and grow by one, so hashes repeat."""

    def __init__(self, path: Path, url: str = "") -> None:
        self.path = path
        self.url = url
        self._clock = _EPOCH
        if not (path / "HEAD").exists():
            path.mkdir(parents=True, exist_ok=True)
            self.git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", ".")
            self.git("config", "http.receivepack", "true")
            self.git("config", "uploadpack.allowFilter", "true")
            self.git("config", "gc.auto", "0")

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run git in the repository; its output without the last newline."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=_environment(),
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")

    def head(self, branch: str = "main") -> str:
        """The commit of a branch, empty when there is none."""
        return self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    def commit(
        self,
        files: Mapping[str, Content],
        message: str = "change",
        branch: str = "main",
        *,
        sign: Signer | None = None,
        parent: str | None = None,
        ref: str = "",
        at: int | None = None,
    ) -> str:
        """Commit changes on top of a branch (made when missing) and return the new hash.

        `parent` is another commit to build on, empty for an unrelated root; `ref` is a full reference to move
        instead of the branch; `at` is the commit time in seconds.
        """
        target = ref or f"refs/heads/{branch}"
        base = self.head(branch) if parent is None else parent
        self._clock = self._clock + 1 if at is None else at
        stream = bytearray(f"commit refs/weir/new\ncommitter {_WHO} {self._clock} +0000\n".encode())
        stream += b"data %d\n%s\n" % (len(message.encode()), message.encode())
        stream += f"from {base}\n".encode() if base else b""
        for path, content in files.items():
            stream += _change(path, content)
        self.git("fast-import", "--quiet", "--force", stdin=bytes(stream + b"done\n"))
        made = self.git("rev-parse", "refs/weir/new")
        if sign is not None:
            made = self.sign_commit(made, sign)
        self.git("update-ref", target, made)
        self.git("update-ref", "-d", "refs/weir/new")
        return made

    def sign_commit(self, commit: str, sign: Signer) -> str:
        """A copy of a commit that carries a signature; no reference moves."""
        raw = self.raw("commit", commit)
        head, blank, body = raw.partition(b"\n\n")
        signature = sign(raw).rstrip("\n").replace("\n", "\n ").encode()
        return self.write("commit", head + b"\ngpgsig " + signature + blank + body)

    def tag(
        self,
        name: str,
        target: str = "",
        *,
        message: str = "",
        sign: Signer | None = None,
        inner_name: str = "",
    ) -> str:
        """Set a tag: lightweight without a message, else annotated; returns the object the reference points at.

        `inner_name` is the name written inside the tag object when it shall differ from the reference.
        """
        made = target or self.head()
        if message or sign:
            self._clock += 1
            head = f"object {made}\ntype commit\ntag {inner_name or name}\ntagger {_WHO} {self._clock} +0000"
            raw = f"{head}\n\n{message or name}\n".encode()
            made = self.write("tag", raw + (sign(raw).encode() if sign else b""))
        self.git("update-ref", f"refs/tags/{name}", made)
        return made

    def raw(self, kind: str, name: str) -> bytes:
        """The bytes of an object."""
        done = subprocess.run(
            ["git", "cat-file", kind, name],
            cwd=self.path,
            env=_environment(),
            capture_output=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    def write(self, kind: str, raw: bytes) -> str:
        """Store an object as it is, however malformed, and return its name."""
        return self.git("hash-object", "-t", kind, "-w", "--literally", "--stdin", stdin=raw)

    def files(self, branch: str = "main") -> dict[str, str]:
        """Text of every file of a branch, for asserting on what somebody pushed."""
        names = self.git("ls-tree", "-r", "-z", "--name-only", f"refs/heads/{branch}").split("\0")
        return {name: self.raw("blob", f"refs/heads/{branch}:{name}").decode() for name in names if name}


def _change(path: str, content: Content) -> bytes:
    """One line of a fast-import commit; paths are quoted as C strings."""
    quoted = (
        b'"'
        + path.encode("utf-8", "surrogateescape")
        .replace(b"\\", b"\\\\")
        .replace(b'"', b'\\"')
        .replace(b"\n", b"\\n")
        + b'"'
    )
    if content is None:
        return b"D %s\n" % quoted
    if isinstance(content, Submodule):
        return b"M 160000 %s %s\n" % (content.commit.encode(), quoted)
    mode = b"120000" if isinstance(content, Link) else b"100644"
    text = content.target if isinstance(content, Link) else content
    raw = text.encode() if isinstance(text, str) else text
    return b"M %s inline %s\ndata %d\n%s\n" % (mode, quoted, len(raw), raw)
