"""A bare repository per URL and credentials, and what we know about its objects. Only a cache: it may vanish any time.

One process at a time works in it. Beside the repository lie `known` (blob id -> file in the store, so that an
unchanged file is never read again) and `memo` (what was asked -> digest of the tree that came out).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from weir.edges import process
from weir.edges.folders import private_folder
from weir.edges.git import failures, remote
from weir.edges.git.session import Session
from weir.edges.git.url import GitUrl
from weir.edges.tools import write_atomically
from weir.spec.errors import SourceError
from weir.spec.tree import TreeFile

_MOST_PACKS: Final = 40
_YAML: Final = ("*.yaml", "*.yml")
_MOST_SEARCHED: Final = 500
"""Changed files that are searched one by one."""
_LOOSE_FOLDERS: Final = 200
_MOST_MEMOS: Final = 2000
"""Answers that are kept; every new commit adds some."""
_CHUNK: Final = 1024 * 1024
_LOCK_POLL: Final = 0.02


class DamagedCacheError(SourceError):
    """An object that should be in the cache is missing or broken: fetching again from nothing helps."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree: mode such as `100644`, object id, path."""

    mode: str
    oid: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRepository:
    """An opened and locked cache repository."""

    folder: Path
    session: Session

    @property
    def git_dir(self) -> Path:
        """The bare repository."""
        return self.folder / "git"

    def _git(self, *arguments: str) -> process.Completed:
        return self.session.git(f"--git-dir={self.git_dir}", *arguments)

    def has(self, oid: str) -> bool:
        """Whether an object is here."""
        return self._git("cat-file", "-e", oid).returncode == 0

    def read(self, kind: str, oid: str) -> bytes:
        """The raw bytes of a commit, tag or blob, checked against its id. Raises SourceError."""
        done = self._git("cat-file", kind, oid)
        if done.returncode:
            raise DamagedCacheError(f"{self.session.url.text}: {kind} {oid} cannot be read", hint="try again")
        algorithm = "sha1" if len(oid) == hashlib.sha1(usedforsecurity=False).digest_size * 2 else "sha256"
        if (
            hashlib.new(algorithm, b"%s %d\0" % (kind.encode(), len(done.stdout)) + done.stdout).hexdigest()
            != oid
        ):
            raise SourceError(
                f"{self.session.url.text}: {kind} {oid} is corrupt in the cache", hint="try again"
            )
        return done.stdout

    def fetch(self, url: GitUrl, source: str) -> str:
        """Fetch a reference or commit without its history, and return the id it has now.

        A damaged download is tried once more from an empty repository, in case the damage is ours. A server that
        hands out no commit by its id is asked for its branches.

        Raises:
            SourceError: it is not there, or cannot be had.
        """
        slot = f"refs/weir/{hashlib.sha256(source.encode()).hexdigest()[:16]}"
        try:
            remote.fetch(self.session, self.git_dir, url, source, slot, "--depth=1")
        except failures.DamagedDownloadError:
            self.discard()
            remote.fetch(self.session, self.git_dir, url, source, slot, "--depth=1")
        except failures.MissingObjectError:
            if source.startswith("refs/"):
                raise
            remote.fetch(self.session, self.git_dir, url, "refs/heads/*", "refs/weir/heads/*")
            if not self.has(source):
                raise
            return source
        return self.resolve(slot)

    def resolve(self, name: str) -> str:
        """The object id of a name in this repository. Raises SourceError."""
        arguments = (f"--git-dir={self.git_dir}", "rev-parse", "--verify", "--end-of-options", name)
        return self.session.checked(*arguments).decode().strip()

    def entries(self, commit: str) -> list[Entry]:
        """All files, links and submodules of a commit. Raises SourceError."""
        output = self.session.checked(
            f"--git-dir={self.git_dir}", "ls-tree", "-r", "-z", "--full-tree", commit
        )
        rows = output.decode("utf-8", "surrogateescape").split("\0")[:-1]
        pairs = (row.partition("\t") for row in rows)
        return [Entry(head.split(" ")[0], head.split(" ")[2], path) for head, _, path in pairs]

    def blobs(self, oids: Iterable[str]) -> Iterator[tuple[str, int, Iterator[bytes]]]:
        """Contents of blobs, each as (id, bytes in all, chunks); chunks not taken are skipped. Raises SourceError."""
        request = "".join(f"{oid}\n" for oid in oids).encode()
        session = self.session
        argv = session.argv((f"--git-dir={self.git_dir}", "cat-file", "--batch"))
        timeout = session.remaining()
        try:
            with process.start(
                argv, env=session.environment, timeout=timeout, stdin=request, stop=session.stop
            ) as running:
                while header := running.stdout.readline():
                    oid, kind, *size = header.decode("ascii", "replace").split()
                    if kind != "blob" or not size:
                        raise DamagedCacheError(
                            f"{session.url.text}: object {oid} is missing", hint="try again"
                        )
                    chunks = _exactly(running.stdout.read, int(size[0]))
                    yield oid, int(size[0]), chunks
                    for _ in chunks:
                        pass
                    running.stdout.read(1)
            if running.returncode:
                raise DamagedCacheError(f"{session.url.text}: objects cannot be read", hint="try again")
        except process.ProcessTimeoutError as err:
            text = f"{session.url.text}: not read within {session.timeout:g} s"
            raise SourceError(text, hint=failures.TIMEOUT_HINT) from err

    def mentions(self, commit: str, word: str) -> bool:
        """Whether a YAML file of a commit holds a word; remembered. True also when that cannot be found out.

        Where the commit asked for before has none, only what differs from it is searched.
        """
        key, latest = f"{commit}-{word}", f"latest-{word}"
        if not self.memo(key):
            before, _, answer = self.memo(latest).partition(" ")
            changed = self._changed(before, commit) if answer == "no" else list(_YAML)
            arguments = ("--quiet", "--fixed-strings", "-e", word, commit, "--", *changed)
            found = bool(changed) and self._git("grep", *arguments).returncode != 1
            self.memoize(key, "yes" if found else "no")
            self.memoize(latest, f"{commit} {'yes' if found else 'no'}")
        return self.memo(key) != "no"

    def _changed(self, before: str, after: str) -> list[str]:
        """Pathspecs of the YAML files in which a commit differs from another; of all when they are many or unknown."""
        options = ("--name-only", "-z", "--no-renames", "--diff-filter=d")
        done = self._git("diff-tree", "-r", *options, before, after, "--", *_YAML)
        names = done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
        if done.returncode or len(names) > _MOST_SEARCHED:
            return list(_YAML)
        return [f":(literal){name}" for name in names]

    def known(self) -> dict[str, TreeFile]:
        """Files of the store by blob id, as last remembered. Links are left out: their id does not say they are one."""
        try:
            rows = orjson.loads((self.folder / "known").read_bytes())
            return {oid: TreeFile(sha256, size) for oid, (sha256, size) in rows.items()}
        except (OSError, ValueError):
            return {}

    def remember(self, files: Mapping[str, TreeFile]) -> None:
        """Replace what is known."""
        rows = {oid: (file.sha256, file.size) for oid, file in files.items()}
        write_atomically(self.folder / "known", orjson.dumps(rows).decode())

    def memo(self, key: str) -> str:
        """The digest remembered for a question, empty when there is none."""
        with contextlib.suppress(OSError):
            return (self.folder / "memo" / key).read_text()
        return ""

    def memoize(self, key: str, digest: str) -> None:
        """Remember the digest of an answer."""
        write_atomically(self.folder / "memo" / key, digest)

    def discard(self) -> None:
        """Throw the repository away and start an empty one: the way out of any damage."""
        shutil.rmtree(self.git_dir, ignore_errors=True)
        (self.folder / "known").unlink(missing_ok=True)
        self.prepare()

    def prepare(self) -> None:
        """Make the repository when missing, and remove locks that a killed git left (we hold our own)."""
        if not (self.git_dir / "HEAD").is_file():
            shutil.rmtree(self.git_dir, ignore_errors=True)
            self.session.checked("init", "--quiet", "--bare", "--template=", "--", str(self.git_dir))
            private_folder(self.git_dir)
        for pattern in ("*.lock", "refs/weir/*.lock", "objects/pack/tmp_*"):
            for path in self.git_dir.glob(pattern):
                path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Pack what many small fetches left behind, and forget old answers. Never an error: it is only a cache."""
        self._forget()
        objects = self.git_dir / "objects"
        packs = len(list((objects / "pack").glob("*.pack")))
        loose = sum(1 for path in objects.iterdir() if len(path.name) == 2)  # noqa: PLR2004 - loose folders are 00..ff
        if packs > _MOST_PACKS or loose > _LOOSE_FOLDERS:
            with contextlib.suppress(SourceError):
                self._git("gc", "--quiet", "--prune=now")

    def _forget(self) -> None:
        """Remove the older half of the answers when there are too many: what is asked again is found out again."""
        with contextlib.suppress(OSError):
            memos = list((self.folder / "memo").iterdir())
            if len(memos) > _MOST_MEMOS:
                memos.sort(key=lambda path: path.stat().st_mtime_ns)
                for path in memos[: len(memos) - _MOST_MEMOS // 2]:
                    path.unlink()


def _exactly(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """The next `size` bytes in chunks. Raises SourceError when they end early."""
    while size:
        chunk = read(min(size, _CHUNK))
        if not chunk:
            raise DamagedCacheError("git cat-file ended early", hint="try again")
        size -= len(chunk)
        yield chunk


def cache_key(url: GitUrl, fingerprint: str) -> str:
    """The folder name of a repository as seen with certain credentials."""
    return hashlib.sha256(f"{url.address}\n{fingerprint}".encode()).hexdigest()[:32]


@contextlib.contextmanager
def open_cache(root: Path, session: Session) -> Iterator[CacheRepository]:
    """The cache repository of a session's URL and credentials, locked until the block ends.

    Raises:
        SourceError: another process holds it until the deadline.
    """
    folder = private_folder(root / cache_key(session.url, session.credentials.fingerprint))
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while not _try_lock(lock):
            session.remaining()
            if session.stop is not None and session.stop.is_set():
                raise SourceError(f"{session.url.text}: stopped on request")
            time.sleep(_LOCK_POLL)
        os.utime(lock)
        cache = CacheRepository(folder=folder, session=session)
        cache.prepare()
        yield cache
    finally:
        os.close(lock)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def prune_caches(root: Path, *, older_than: float) -> int:
    """Remove cache repositories not used since `older_than` (seconds since the epoch) and return how many."""
    removed = 0
    for folder in root.iterdir() if root.is_dir() else ():
        with contextlib.suppress(OSError):
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_mtime < older_than and _try_lock(lock):
                    shutil.rmtree(folder)
                    removed += 1
            finally:
                os.close(lock)
    return removed
