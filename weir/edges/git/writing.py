"""Build a commit without a work tree, and push it: new blobs, the trees above them, the commit, nothing else.

Trees are changed byte by byte, so that whatever else they hold stays as it is, however odd. What is pushed replaces
exactly what the caller has seen on the server: nothing that somebody else pushed meanwhile is ever lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from weir.edges.git import objects
from weir.edges.git.cache import CacheRepository, DamagedCacheError, Entry, open_cache
from weir.edges.git.grafting import Graft, graft_tree
from weir.edges.git.importing import LINK, list_commit
from weir.edges.git.refusals import explain_push
from weir.edges.git.session import Session
from weir.spec.errors import SourceError
from weir.spec.image_automation import Author

Signer = Callable[[bytes], bytes]
"""The bytes of a commit in, an armoured signature out."""

_AHEAD: Final = 256
_NO_ATOMIC: Final = "does not support --atomic"
_SHA1_DIGITS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommit:
    """A commit to be made on top of another one."""

    base: str
    files: Mapping[str, bytes]
    """New content of files that the base has, by path."""
    message: str
    author: Author
    """Committer too."""
    at: int
    """Seconds since the epoch, as author's and committer's time."""
    sign: Signer | None = None
    graft: Graft | None = None
    """A folder that is taken from another commit; then there are no files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One reference to move on the server."""

    ref: str
    """Its full name."""
    commit: str
    old: str | None
    """What it must be there until then, empty for nothing; None for a name that servers do not list."""


class Base:
    """The files of a commit, read as they are asked for. Not for several threads at once."""

    def __init__(self, root: Path, session: Session, commit: str) -> None:
        self.commit = commit
        self._root = root
        self._session = session
        with open_cache(root, session.renewed()) as cache:
            found = list_commit(cache, commit).files
        self._entries = {entry.path: entry for entry in found if entry.mode != LINK}
        self._order = {path: number for number, path in enumerate(self._entries)}
        self._ahead: dict[str, bytes] = {}

    def files(self, prefix: str = "") -> tuple[str, ...]:
        """The paths of regular files, sorted as Git sorts them: all, or those at or below a path."""
        below = f"{prefix}/"
        return tuple(path for path in self._entries if not prefix or path == prefix or path.startswith(below))

    def read(self, path: str) -> bytes:
        """The content of a regular file. The next ones with the same ending are read along.

        Raises:
            SourceError: there is no such file.
        """
        if path not in self._entries:
            raise _no_file(self._session, path)
        if path not in self._ahead:
            self._ahead = self._load(path)
        return self._ahead[path]

    def _load(self, path: str) -> dict[str, bytes]:
        ending = Path(path).suffix
        following = list(self._entries)[self._order[path] :]
        paths = [other for other in following if Path(other).suffix == ending][:_AHEAD]
        wanted: dict[str, list[str]] = {}
        for other in paths:
            wanted.setdefault(self._entries[other].oid, []).append(other)
        found: dict[str, bytes] = {}
        with open_cache(self._root, self._session.renewed()) as cache:
            for oid, _, chunks in cache.blobs(wanted):
                found.update(dict.fromkeys(wanted[oid], b"".join(chunks)))
        return found


def commit_files(cache: CacheRepository, new: NewCommit) -> str:
    """Make a commit in the cache and return its id: the base's own id when no file differs.

    Raises:
        SourceError: a path that is no regular file of the base, or a folder that is not in the other commit.
    """
    tree = graft_tree(cache, new.base, new.graft) if new.graft else _write_tree(cache, new.base, new.files)
    if not tree:
        return new.base
    return write_commit(cache, _format_commit(new, tree))


def write_commit(cache: CacheRepository, raw: bytes) -> str:
    """Put a commit into the cache as it is and return its id. Raises SourceError when it is malformed."""
    return _write(cache, "commit", [raw])[0]


def rebuild(cache: CacheRepository, base: str, files: Mapping[str, bytes], raw: bytes) -> bool:
    """Put a commit made before back into the cache: whether these files on this base lead to its tree.

    Raises:
        SourceError: as `commit_files`.
    """
    tree = _write_tree(cache, base, files)
    if not tree or (b"tree", tree.encode()) not in objects.headers(raw):
        return False
    write_commit(cache, raw)
    return True


def keep(cache: CacheRepository, name: str, commit: str) -> None:
    """Protect a commit from the cache's tidying, until another one is kept under the same name. Raises SourceError."""
    slot = f"refs/weir/kept-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    cache.session.checked(f"--git-dir={cache.git_dir}", "update-ref", slot, commit)


def push(cache: CacheRepository, updates: Sequence[Update], options: Sequence[str] = ()) -> None:
    """Move references on the server: all of them or none, where the server can do that. `options` are push options.

    Each must still be what the caller saw. That is a lease also where commits are only added: a plain push would
    bring a branch back that somebody deleted. Rule: https://git-scm.com/docs/git-push#Documentation/git-push.txt

    Raises:
        RejectedError: a reference is something else by now.
        ReadOnlyError: these credentials may not write.
        SourceError: the server declines, or cannot be reached.
    """
    atomic = ("--atomic",) if len(updates) > 1 else ()
    session = cache.session
    arguments = (
        *(f"--force-with-lease={update.ref}:{update.old}" for update in updates if update.old is not None),
        *(f"--push-option={option}" for option in options),
        "--",
        session.url.address,
        *(f"{update.commit}:{update.ref}" for update in updates),
    )
    command = (f"--git-dir={cache.git_dir}", "push", "--porcelain", "--no-verify", "--no-signed")
    done = session.git(*command, *atomic, *arguments)
    if done.returncode and atomic and _NO_ATOMIC in done.stderr:
        done = session.git(*command, *arguments)
    if done.returncode:
        said = session.masked(done.stdout.decode("utf-8", "replace"))
        raise explain_push(session.url, said, session.masked(done.stderr), done.returncode)


def _format_commit(new: NewCommit, tree: str) -> bytes:
    """The bytes of a commit, signed when there is a signer. Rule: gitformat-signature(5)."""
    name = new.author.name or new.author.email
    who = f"{name} <{new.author.email}> {new.at} +0000"
    head = f"tree {tree}\nparent {new.base}\nauthor {who}\ncommitter {who}\n".encode()
    body = b"\n" + new.message.replace("\0", "").strip("\n").encode("utf-8", "replace") + b"\n"
    if new.sign is None:
        return head + body
    field = b"gpgsig" if len(new.base) == _SHA1_DIGITS else b"gpgsig-sha256"
    signature = new.sign(head + body).rstrip(b"\n").replace(b"\n", b"\n ")
    return head + field + b" " + signature + b"\n" + body


def _write_tree(cache: CacheRepository, base: str, files: Mapping[str, bytes]) -> str:
    """The tree of a commit with other content in some files, empty when there is no difference."""
    rows = {entry.path: entry for entry in _rows(cache, base)}
    new: dict[str, str] = {}
    for path, content in files.items():
        entry = rows.get(path)
        if entry is None or not entry.mode.startswith("100"):
            raise _no_file(cache.session, path)
        oid = _name(entry.oid, b"blob", content)
        if oid != entry.oid:
            new[path] = oid
    if not new:
        return ""
    folders = sorted({folder for path in new for folder in _above(path)}, key=lambda path: -path.count("/"))
    root = cache.resolve(f"{base}^{{tree}}")
    trees = _read_trees(cache, {folder: rows[folder].oid if folder else root for folder in folders})
    for folder in (*(folder for folder in folders if folder), ""):
        inside = {
            path: oid for path, oid in new.items() if path.rpartition("/")[0] == folder and path != folder
        }
        trees[folder] = _with_entries(trees[folder], inside, len(root) // 2)
        new[folder] = _name(root, b"tree", trees[folder])
    _write(cache, "blob", list(files.values()))
    _write(cache, "tree", list(trees.values()))
    return new[""]


def _rows(cache: CacheRepository, commit: str) -> Iterator[Entry]:
    """Files and folders of a commit."""
    output = cache.session.checked(
        f"--git-dir={cache.git_dir}", "ls-tree", "-r", "-t", "-z", "--full-tree", commit
    )
    for row in output.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        head, _, path = row.partition("\t")
        mode, _, oid = head.split(" ")
        yield Entry(mode, oid, path)


def _above(path: str) -> Iterator[str]:
    """The folders of a path, the root as the last: `a/b` and `a` and nothing for `a/b/c`."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _read_trees(cache: CacheRepository, oids: Mapping[str, str]) -> dict[str, bytes]:
    """Raw trees by the folder they are asked for. Raises SourceError."""
    request = "".join(f"{oid}\n" for oid in oids.values()).encode()
    output = cache.session.checked(f"--git-dir={cache.git_dir}", "cat-file", "--batch", stdin=request)
    found: dict[str, bytes] = {}
    for folder, oid in oids.items():
        header, _, rest = output.partition(b"\n")
        words = header.split()
        if words[:2] != [oid.encode(), b"tree"]:
            raise DamagedCacheError(f"{cache.session.url.text}: tree {oid} is missing", hint="try again")
        size = int(words[2])
        found[folder], output = rest[:size], rest[size + 1 :]
    return found


def _with_entries(raw: bytes, oids: Mapping[str, str], width: int) -> bytes:
    """A raw tree (`mode name NUL id` without ends of lines) with other ids for some of its names, sorted as it was."""
    wanted = {
        path.rpartition("/")[2].encode("utf-8", "surrogateescape"): bytes.fromhex(oid)
        for path, oid in oids.items()
    }
    made = bytearray()
    while raw:
        head, _, rest = raw.partition(b"\0")
        made += head + b"\0" + wanted.get(head.partition(b" ")[2], rest[:width])
        raw = rest[width:]
    return bytes(made)


def _name(like: str, kind: bytes, content: bytes) -> str:
    """The id of an object, by the hash that another id was made with."""
    algorithm = "sha1" if len(like) == _SHA1_DIGITS else "sha256"
    return hashlib.new(algorithm, b"%s %d\0" % (kind, len(content)) + content).hexdigest()


def _write(cache: CacheRepository, kind: str, contents: Sequence[bytes]) -> list[str]:
    """Put objects into the cache and return their ids. Raises SourceError."""
    folder = cache.session.folder
    paths = [folder / f"new-{number}" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.touch(mode=0o600)
        path.write_bytes(content)
    command = ("hash-object", "-w", "-t", kind, "--no-filters", "--stdin-paths")
    request = "".join(f"{path}\n" for path in paths).encode()
    return cache.session.checked(f"--git-dir={cache.git_dir}", *command, stdin=request).decode().split()


def _no_file(session: Session, path: str) -> SourceError:
    text = f"{session.url.text}: {path[:120]!r} is no regular file there"
    return SourceError(text, hint="name a file of the repository that is no link")
