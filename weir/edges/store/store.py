"""The store: `put` a tree, get a digest; ask for the digest, get the tree. Nothing in it is ever changed in place."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from weir.edges.folders import cache_root, private_folder
from weir.edges.store import manifest
from weir.edges.store.blobs import BlobFolder, storage_errors
from weir.edges.store.limits import StoreLimits
from weir.spec.errors import ArtifactError
from weir.spec.tree import TreeFile


class MissingBlobError(ArtifactError):
    """A tree was put together of files that the store does not have (any more)."""


@dataclass(frozen=True, slots=True)
class StoredTree:
    """A tree in the store (`weir.spec.tree.Tree`). Its manifest was checked; every blob is checked on read."""

    digest: str
    files: Mapping[str, TreeFile]
    blobs: BlobFolder

    def read(self, path: str) -> bytes:
        """The bytes of a regular file.

        Raises:
            ArtifactError: no such file, a link, or content that is missing or altered.
        """
        file = self.files.get(path)
        if file is None or file.link:
            found = "nothing" if file is None else f"a link to {file.link!r}"
            raise ArtifactError(f"artifact {self.digest[:19]}: {path}: found {found}, expected a file")
        return self.blobs.read(file.sha256, f"{path} of artifact {self.digest[:19]}")


class Store:
    """Blobs and trees under one private folder. All methods may be called from several threads and processes."""

    def __init__(self, root: Path, limits: StoreLimits | None = None) -> None:
        self.root = root
        self.limits = limits or StoreLimits()
        with storage_errors(f"open the store at {root}"):
            private_folder(root.parent)
            private_folder(root)
            if root.stat().st_uid != os.geteuid():
                raise ArtifactError(
                    f"store: {root} belongs to another user", hint="set WEIR_CACHE_DIR to your own folder"
                )
            temporary = private_folder(root / "tmp")
            self.blobs = BlobFolder(root / "blobs", temporary)
            self.trees = BlobFolder(root / "trees", temporary)

    @classmethod
    def default(cls) -> Store:
        """The store of this user: `$WEIR_CACHE_DIR/store`, else `~/.cache/weir/store`. Raises ArtifactError."""
        return cls(cache_root() / "store")

    def put(self, files: Mapping[str, bytes | TreeFile]) -> str:
        """Store a tree and return its digest. Values are bytes, or files from `put_blob`, `put_link` or another tree.

        Raises:
            ArtifactError: a refused path, a limit, a `TreeFile` whose blob is not here, or a full disk; nothing of
                the tree can then be opened.
        """
        with self.importing():
            manifest.check_paths(files, self.limits)
            known: dict[str, TreeFile] = {}
            total = 0
            for path, content in files.items():
                file = (
                    self._known(path, content) if isinstance(content, TreeFile) else self._new(path, content)
                )
                total += file.size
                if total > self.limits.total_bytes:
                    raise ArtifactError(f"artifact: over {self.limits.total_bytes} bytes at {path}")
                known[path] = file
            text = manifest.format_manifest(known, self.limits)
            return f"sha256:{self.trees.write(text)}"

    def put_blob(self, data: bytes | Iterable[bytes], name: str = "a file") -> TreeFile:
        """Store the bytes of one regular file, or a stream of them, for a later `put`. Raises ArtifactError."""
        if isinstance(data, bytes):
            return self._new(name, data)
        sha256, size = self.blobs.write_stream(data, self.limits.file_bytes, name)
        return TreeFile(sha256, size)

    def put_link(self, target: str, name: str = "a link") -> TreeFile:
        """A symbolic link as it will stand in a tree; it is never followed here. Raises ArtifactError."""
        manifest.check_link(name, target, self.limits)
        return TreeFile(hashlib.sha256(target.encode()).hexdigest(), len(target.encode()), target)

    def tree(self, digest: str) -> StoredTree:
        """The tree of a digest.

        Raises:
            ArtifactError: not here, or its manifest was altered (it is then removed, to be built again).
        """
        text = self.trees.read(manifest.hex_of(digest), f"artifact {digest[:19]}")
        return StoredTree(digest, MappingProxyType(manifest.parse_manifest(text)), self.blobs)

    def read(self, file: TreeFile, name: str) -> bytes:
        """The bytes of a file that is not a link, checked. Raises ArtifactError."""
        return self.blobs.read(file.sha256, name)

    def has_blob(self, file: TreeFile) -> bool:
        """Whether a file's content is here with the right size (links carry their own)."""
        return bool(file.link) or self.blobs.has(file.sha256, file.size)

    def holds(self, digest: str) -> bool:
        """Whether a whole tree is here: manifest checked, every blob present with the right size."""
        try:
            tree = self.tree(digest)
        except ArtifactError:
            return False
        if not all(self.has_blob(file) for file in tree.files.values()):
            return False
        self.trees.touch(manifest.hex_of(digest))
        return True

    @contextlib.contextmanager
    def importing(self, *, exclusive: bool = False) -> Iterator[None]:
        """Hold off garbage collection while content is put together; several imports run at once."""
        with storage_errors("lock the store"):
            handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            yield
        finally:
            os.close(handle)

    def _new(self, path: str, data: bytes) -> TreeFile:
        if len(data) > self.limits.file_bytes:
            raise ArtifactError(
                f"artifact: {path} is over {self.limits.file_bytes} bytes", hint="leave it out of the source"
            )
        return TreeFile(self.blobs.write(data), len(data))

    def _known(self, path: str, file: TreeFile) -> TreeFile:
        if file.link:
            manifest.check_link(path, file.link, self.limits)
        elif not self.blobs.has(file.sha256, file.size):
            raise MissingBlobError(f"store: {path} is missing", hint="the next run fetches it again")
        return file

    def collect_garbage(self, keep: Iterable[str], *, max_bytes: int, min_age: float, now: float) -> int:
        """Remove trees nobody keeps, oldest use first, until the store fits; then blobs of no tree. Bytes freed.

        `keep` are digests that stay whatever happens; nothing used within `min_age` seconds before `now` (seconds
        since the epoch) is touched, so a run that has just resolved a source never loses it.
        """
        with self.importing(exclusive=True):
            before = _used(self.blobs) + _used(self.trees)
            self._remove_trees(
                {manifest.hex_of(digest) for digest in keep}, before - max_bytes, now - min_age
            )
            self._remove_loose(now - min_age)
            return before - _used(self.blobs) - _used(self.trees)

    def _remove_trees(self, keep: set[str], excess: int, before: float) -> None:
        if excess <= 0:
            return
        owners: dict[str, int] = {}
        trees: dict[str, Mapping[str, TreeFile]] = {}
        ages = sorted((found.st_mtime, name) for name, found in self.trees.all())
        for _, name in ages:
            with contextlib.suppress(ArtifactError):
                trees[name] = self.tree(f"sha256:{name}").files
                for sha256 in {file.sha256 for file in trees[name].values()}:
                    owners[sha256] = owners.get(sha256, 0) + 1
        for used, name in ages:
            if excess <= 0 or used > before:
                return
            if name in keep or name not in trees:
                continue
            self.trees.remove(name)
            for sha256, file in {file.sha256: file for file in trees[name].values()}.items():
                owners[sha256] -= 1
                excess -= file.size if owners[sha256] == 0 else 0

    def _remove_loose(self, before: float) -> None:
        wanted: set[str] = set()
        for name, _ in self.trees.all():
            with contextlib.suppress(ArtifactError):
                wanted.update(file.sha256 for file in self.tree(f"sha256:{name}").files.values())
        for sha256, found in self.blobs.all():
            if sha256 not in wanted and found.st_mtime <= before:
                self.blobs.remove(sha256)
        for path in (self.root / "tmp").iterdir():
            with contextlib.suppress(OSError):
                if stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_mtime <= before:
                    path.unlink()


def _make_parents(path: Path) -> None:
    """Make missing parents private, and leave existing ones as they are."""
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir(mode=0o700, exist_ok=True)


def _used(folder: BlobFolder) -> int:
    return sum(found.st_size for _, found in folder.all())
