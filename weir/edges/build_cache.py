"""Results of builds, kept between runs: the same files built by the same kustomize give the same objects.

Objects of kind Secret and whatever carries a `sops` block are never kept. Entries are checked against their own
digest when read; several processes may use one cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import orjson

from weir.edges.folders import cache_root, private_folder
from weir.edges.kept import Kept
from weir.render.closure import Closure
from weir.spec.documents import Document
from weir.spec.tree import Tree

MAX_BYTES: Final = 512 * 1024**2
"""Of all entries together."""
MAX_ENTRY: Final = 32 * 1024**2
"""Bytes of one entry; larger results are not kept."""
MAX_ENTRIES: Final = 2000

_FORM: Final = "1"
"""Part of every key; changes when what is stored or how it is made changes."""


def build_key(closure: Closure, tree: Tree, builder: str) -> str:
    """A name for what a build gives: the digest of everything it reads and of the program that builds."""
    parts = {
        "form": _FORM,
        "builder": builder,
        "folder": closure.folder,
        "written": {path: hashlib.sha256(content).hexdigest() for path, content in closure.written.items()},
        "files": {path: tree.files[path].sha256 for path in closure.files},
    }
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True)
class BuildCache:
    """Built documents by key, in a private folder."""

    folder: Path
    max_bytes: int = MAX_BYTES
    max_entries: int = MAX_ENTRIES
    _late: list[tuple[str, Sequence[Document]]] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def default(cls) -> Self:
        """The cache of this user."""
        return cls(private_folder(cache_root() / "builds"))

    def get(self, key: str) -> tuple[Document, ...] | None:
        """The documents of a key, None when they are not there or not as they were stored."""
        payload = self._kept().get(key)
        if payload is None:
            return None
        return tuple(Document(file, index, data) for file, index, data in orjson.loads(payload))

    def put(self, key: str, documents: Sequence[Document]) -> bool:
        """Keep documents under a key; False when they may not or cannot be kept. A full disk is not an error."""
        if any(_is_secret(document) for document in documents):
            return False
        payload = orjson.dumps([(item.file, item.index, item.data) for item in documents])
        return self._kept().put(key, payload)

    def put_late(self, key: str, documents: Sequence[Document]) -> None:
        """Keep documents at the next `flush`: writing a large entry takes time that somebody waits for now."""
        self._late.append((key, documents))

    def flush(self) -> None:
        """Write what was put late."""
        while self._late:
            self.put(*self._late.pop())

    def _kept(self) -> Kept:
        return Kept(self.folder, self.max_bytes, self.max_entries, MAX_ENTRY, trim_every=1)


def _is_secret(document: Document) -> bool:
    return document.data.get("kind") == "Secret" or "sops" in document.data
