"""The last good artifact of every source, remembered on this machine: what an outage falls back to."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import orjson

from weir.edges.folders import cache_root, private_folder
from weir.spec.artifact import Artifact
from weir.spec.git_repository import GitRepositorySpec


class Previous:
    """One small file per source of a stack. A source whose spec changed has no last artifact."""

    def __init__(self, stack: str) -> None:
        name = hashlib.sha256(stack.encode()).hexdigest()[:16]
        self._folder = private_folder(cache_root() / "sources" / name)

    def read(self, spec: GitRepositorySpec) -> Artifact | None:
        """The last good artifact, None when there is none for this spec."""
        try:
            found = orjson.loads(self._path(spec).read_bytes())
            if found["spec"] == _digest(spec):
                return Artifact(revision=found["revision"], digest=found["digest"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return None

    def write(self, spec: GitRepositorySpec, artifact: Artifact) -> None:
        """Remember an artifact as good."""
        handle, temporary = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(handle, "wb") as file:
            file.write(orjson.dumps({"spec": _digest(spec), **artifact.as_props()}))
        Path(temporary).rename(self._path(spec))

    def _path(self, spec: GitRepositorySpec) -> Path:
        return self._folder / f"{hashlib.sha256(spec.id.key.encode()).hexdigest()[:32]}.json"


def _digest(spec: GitRepositorySpec) -> str:
    parts = (
        spec.url,
        spec.ref,
        spec.ignore,
        spec.sparse_checkout,
        spec.include,
        spec.recurse_submodules,
        spec.verify,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def remembered_digests() -> set[str]:
    """Digests of the last good artifacts of all sources of all stacks on this machine."""
    found: set[str] = set()
    for path in (cache_root() / "sources").glob("*/*.json"):
        try:
            found.add(orjson.loads(path.read_bytes())["digest"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found
