"""A tree as text: one line per file, sorted, so that equal content has equal bytes and an equal digest.

The line is `path TAB sha256 TAB size TAB link`, ended by a newline; `link` is empty for a regular file. Control
characters are refused in paths and links, so nothing needs quoting.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from weir.edges.store.limits import StoreLimits
from weir.spec.errors import ArtifactError
from weir.spec.tree import TreeFile

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_IGNORED_BY_SOME_SYSTEMS: Final = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_SHOWN: Final = 120
_ORDINARY: Final = re.compile(r"[A-Za-z0-9_][\w.-]*(?:/[A-Za-z0-9_][\w.-]*)*", re.ASCII)
"""Paths that no rule below can refuse: most of all paths, told apart in one step."""
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def digest_of(manifest: bytes) -> str:
    """`sha256:<hex>` of a manifest."""
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def hex_of(digest: str) -> str:
    """The hex part of a digest. Raises ArtifactError when it is not `sha256:<64 hex digits>`."""
    if not _DIGEST.fullmatch(digest):
        raise ArtifactError(
            f"artifact: found digest {digest[:80]!r}, expected sha256:<64 hexadecimal digits>"
        )
    return digest.removeprefix("sha256:")


def format_manifest(files: Mapping[str, TreeFile], limits: StoreLimits) -> bytes:
    """The manifest of a tree whose paths passed `check_paths`. Raises ArtifactError when it is too large."""
    total = sum(file.size for file in files.values())
    if total > limits.total_bytes:
        raise ArtifactError(
            f"artifact: found {total} bytes, expected at most {limits.total_bytes}", hint=_SMALLER
        )
    lines = [f"{path}\t{file.sha256}\t{file.size}\t{file.link}\n" for path, file in sorted(files.items())]
    return "".join(lines).encode()


def parse_manifest(manifest: bytes) -> dict[str, TreeFile]:
    """The files of a manifest whose digest was checked. Raises ArtifactError when it is not one."""
    try:
        rows = [line.split("\t") for line in manifest.decode().split("\n")[:-1]]
        return {path: TreeFile(sha256, int(size), link) for path, sha256, size, link in rows}
    except ValueError as err:
        raise ArtifactError(
            "artifact: found a manifest in another form", hint="remove the store's folder"
        ) from err


def check_paths(paths: Iterable[str], limits: StoreLimits) -> None:
    """Refuse paths that leave the tree, hide in it, or stand in each other's way. Raises ArtifactError."""
    files = set(paths)
    if len(files) > limits.files:
        raise ArtifactError(
            f"artifact: found {len(files)} files, expected at most {limits.files}", hint=_SMALLER
        )
    folders: set[str] = set()
    for path in files:
        check_path(path, limits)
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    for both in files & folders:
        raise ArtifactError(f"artifact: {both!r} is both a file and a folder")


_SMALLER: Final = "leave files out with spec.ignore or spec.sparseCheckout"


def check_path(path: str, limits: StoreLimits) -> None:
    """Refuse one path. Raises ArtifactError."""
    if len(path) <= limits.name_bytes and path.count("/") < limits.depth and _ORDINARY.fullmatch(path):
        return
    reason = _path_refusal(path, limits) or next(
        filter(None, (_name_refusal(part, limits) for part in path.split("/"))), ""
    )
    if reason:
        shown = repr(path[:_SHOWN]) + ("..." if len(path) > _SHOWN else "")
        raise ArtifactError(
            f"artifact: path {shown} {reason}", hint="rename it, or leave it out with spec.ignore"
        )


def _path_refusal(path: str, limits: StoreLimits) -> str:
    if not path or path.startswith("/"):
        return "is not relative"
    if _CONTROL.search(path):
        return "holds control characters"
    if _SURROGATE.search(path):
        return "is not UTF-8"
    if len(path.encode()) > limits.path_bytes or path.count("/") >= limits.depth:
        return f"is longer than {limits.path_bytes} bytes or deeper than {limits.depth} folders"
    return ""


def _name_refusal(name: str, limits: StoreLimits) -> str:
    if name in ("", ".", "..") or ".." in name.split("\\"):
        return "leaves the tree"
    if len(name.encode()) > limits.name_bytes:
        return f"holds a name over {limits.name_bytes} bytes"
    return "names Git's own folder" if is_git_folder(name) else ""


def is_git_folder(name: str) -> bool:
    """Whether some file system would take a name for `.git` (case, trailing dots, invisible characters, `git~1`)."""
    if "git" not in name.lower() and name.isascii():
        return False
    plain = _IGNORED_BY_SOME_SYSTEMS.sub("", name).lower().partition(":")[0].rstrip(". ")
    return plain in (".git", "git~1")


def check_link(path: str, target: str, limits: StoreLimits) -> None:
    """Refuse a link target that a manifest cannot hold. Where it points is the reader's business."""
    plain = target and not _CONTROL.search(target) and not _SURROGATE.search(target)
    if not plain or len(target.encode()) > limits.path_bytes:
        raise ArtifactError(f"artifact: link {path!r} has a target that is empty, too long or not plain text")
