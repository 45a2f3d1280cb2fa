"""The content of an artifact as the core sees it: names, digests and bytes, never a machine path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


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
