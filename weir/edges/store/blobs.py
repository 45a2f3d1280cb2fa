"""Files named by the SHA-256 of their bytes, in 256 folders. Written whole or not at all, checked on every read.

Nothing here is synced to the disk: a blob lost or cut short by a power failure is found out by its size or digest,
removed, and written again from the source. A loose file per blob is quick enough (10,000 in under two seconds).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from weir.edges.folders import private_folder
from weir.spec.errors import ArtifactError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
_TOUCH_AFTER: Final = 600.0
_AGAIN: Final = "the next run fetches it again"
_counter = itertools.count()


@contextlib.contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn a full or read-only disk, and other failures of the file system, into an ArtifactError."""
    try:
        yield
    except OSError as err:
        full = err.errno in _FULL
        hint = (
            "free space there, or set WEIR_CACHE_DIR to another disk"
            if full
            else "see that the folder is yours"
        )
        raise ArtifactError(f"store: cannot {doing}: {err.strerror or err}", hint=hint) from err


class BlobFolder:
    """One kind of content-addressed file under a folder of its own."""

    def __init__(self, root: Path, temporary: Path) -> None:
        self.root = private_folder(root)
        self._temporary = temporary
        self._made: set[str] = set()

    def path(self, sha256: str) -> Path:
        """Where a blob belongs."""
        return self.root / sha256[:2] / sha256

    def has(self, sha256: str, size: int | None = None) -> bool:
        """Whether the blob is there, with the right size when it is given."""
        try:
            found = os.stat(f"{self.root}/{sha256[:2]}/{sha256}", follow_symlinks=False)  # noqa: PTH116 - 10,000 times
        except FileNotFoundError:
            return False
        return size is None or found.st_size == size

    def write(self, data: bytes) -> str:
        """Store bytes and return their hex digest. Raises ArtifactError."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not self._reuse(sha256, len(data)):
            with storage_errors("write an artifact"):
                self._place(self._write_temporary((data,)), sha256)
        return sha256

    def write_stream(self, chunks: Iterable[bytes], max_bytes: int, name: str) -> tuple[str, int]:
        """Store a stream and return (hex digest, size). Raises ArtifactError as soon as it is too large."""
        digest = hashlib.sha256()
        size = 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                size += len(chunk)
                if size > max_bytes:
                    raise ArtifactError(
                        f"artifact: {name} is over {max_bytes} bytes", hint="leave it out of the source"
                    )
                digest.update(chunk)
                yield chunk

        with storage_errors("write an artifact"):
            temporary = self._write_temporary(counted())
            self._place(temporary, digest.hexdigest())
        return digest.hexdigest(), size

    def read(self, sha256: str, what: str) -> bytes:
        """The bytes of a blob. A blob that was altered is removed, so that the next sync writes it again.

        Raises:
            ArtifactError: missing or altered.
        """
        path = self.path(sha256)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                data = file.read()
        except FileNotFoundError as err:
            raise ArtifactError(f"store: {what} is missing", hint=_AGAIN) from err
        except OSError as err:
            self.remove(sha256)
            raise ArtifactError(
                f"store: {what} cannot be read: {err.strerror}", hint="the next run fetches it again"
            ) from err
        if hashlib.sha256(data).hexdigest() != sha256:
            self.remove(sha256)
            raise ArtifactError(f"store: {what} was altered on disk", hint=_AGAIN)
        return data

    def remove(self, sha256: str) -> None:
        """Forget a blob; no error when it is gone already."""
        with contextlib.suppress(OSError):
            self.path(sha256).unlink()

    def all(self) -> Iterator[tuple[str, os.stat_result]]:
        """Every blob's hex digest with its stat, in no order."""
        for folder in self.root.iterdir() if self.root.is_dir() else ():
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    yield entry.name, entry.stat(follow_symlinks=False)

    def touch(self, sha256: str) -> None:
        """Mark as used just now, so that garbage collection leaves it alone for a while."""
        with contextlib.suppress(OSError):
            os.utime(self.path(sha256))

    def _reuse(self, sha256: str, size: int) -> bool:
        try:
            found = os.stat(f"{self.root}/{sha256[:2]}/{sha256}", follow_symlinks=False)  # noqa: PTH116 - 10,000 times
        except OSError:
            return False
        if found.st_size != size:
            return False
        if time.time() - found.st_mtime > _TOUCH_AFTER:
            self.touch(sha256)
        return True

    def _write_temporary(self, chunks: Iterable[bytes]) -> str:
        path = f"{self._temporary}/{os.getpid()}-{next(_counter)}-{os.urandom(4).hex()}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                for chunk in chunks:
                    view = memoryview(chunk)
                    while view:
                        view = view[os.write(handle, view) :]
            finally:
                os.close(handle)
        except BaseException:
            os.unlink(path)  # noqa: PTH108 - as above
            raise
        return path

    def _place(self, temporary: str, sha256: str) -> None:
        folder = f"{self.root}/{sha256[:2]}"
        try:
            if folder not in self._made:
                private_folder(Path(folder))
                self._made.add(folder)
            os.rename(temporary, f"{folder}/{sha256}")  # noqa: PTH104 - as above
        except FileNotFoundError:
            private_folder(self.root)
            private_folder(Path(folder))
            os.rename(temporary, f"{folder}/{sha256}")  # noqa: PTH104
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
            raise
