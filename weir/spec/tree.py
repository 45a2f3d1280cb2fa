"""The content of an artifact as the core sees it: names, digests and bytes, never a machine path."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

FOLDER: Final = "a folder inside the source, with '/' between names"
"""What `folder_in_tree` expects."""


def folder_in_tree(path: str) -> str | None:
    """A folder as trees spell it, without empty and `.` parts; None for one that leads out of the tree."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return None if ".." in parts or "\\" in path or "\x00" in path else "/".join(parts)


def confined(path: str) -> str | None:
    """A folder as `folder_in_tree`, but `..` at the root stays there, as Flux joins paths; None for one of no tree."""
    return folder_in_tree(posixpath.normpath(f"/{path}"))


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file of a tree."""

    sha256: str
    """Hex digest of the bytes."""
    size: int
    """Bytes."""
    link: str = ""
    """Target of a symbolic link as written; empty for a regular file."""


class Tree(Protocol):
    """A tree in the store. `read` checks the bytes against the digest and raises ArtifactError."""

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the tree's manifest."""
        ...

    @property
    def files(self) -> Mapping[str, TreeFile]:
        """All files by path (forward slashes, no leading `./`), sorted."""
        ...

    def read(self, path: str) -> bytes:
        """The bytes of a regular file."""
        ...
