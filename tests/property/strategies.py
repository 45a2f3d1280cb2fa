"""Trees in memory and specs in short, for tests that render; generated YAML and variables for those that search."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

from weir.spec.documents import Document
from weir.spec.errors import ArtifactError
from weir.spec.kustomization import KustomizationSpec, parse_kustomization
from weir.spec.tree import TreeFile


class Link(str):
    """The target of a symbolic link, in place of a file's content."""

    __slots__ = ()


class MemoryTree:
    """A tree whose files are given: texts, bytes and links."""

    def __init__(self, content: Mapping[str, str | bytes | Link]) -> None:
        self._bytes: dict[str, bytes] = {}
        files: dict[str, TreeFile] = {}
        for path in sorted(content):
            value = content[path]
            data = value.encode() if isinstance(value, str) else value
            self._bytes[path] = data
            link = str(value) if isinstance(value, Link) else ""
            files[path] = TreeFile(sha256=hashlib.sha256(data).hexdigest(), size=len(data), link=link)
        self.files: Mapping[str, TreeFile] = MappingProxyType(files)
        self.reads: list[str] = []

    @property
    def digest(self) -> str:
        """Of names and bytes."""
        digest = hashlib.sha256()
        for path, file in self.files.items():
            digest.update(f"{path}\0{file.sha256}\0{file.link}\n".encode())
        return f"sha256:{digest.hexdigest()}"

    def read(self, path: str) -> bytes:
        """The bytes of a regular file."""
        if path not in self.files or self.files[path].link:
            raise ArtifactError(f"{path}: found no regular file")
        self.reads.append(path)
        return self._bytes[path]

    def write_to(self, folder: Path) -> None:
        """The same files on disk, links included."""
        for path, file in self.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.link:
                target.symlink_to(file.link)
            else:
                target.write_bytes(self._bytes[path])


def kustomization(path: str = "", /, **spec: Any) -> KustomizationSpec:
    """A Kustomization `apps` in `flux-system` with these fields of spec."""
    source = {"kind": "GitRepository", "name": "repo"}
    data = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "flux-system"},
        "spec": {"interval": "10m", "prune": True, "sourceRef": source, "path": path, **spec},
    }
    return parse_kustomization(Document("stack.yaml", 0, data))


def config_map(name: str, /, **data: str) -> str:
    """YAML of a ConfigMap."""
    lines = "".join(f"  {key}: {value}\n" for key, value in (data or {"a": "b"}).items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n{lines}"


NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
VARIABLES = st.from_regex(r"[_a-zA-Z][_a-zA-Z0-9]{0,8}", fullmatch=True)
PLAIN_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn")), max_size=30)
"""Texts as people write them into manifests: no control characters."""

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PLAIN_TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN_TEXTS, inner, max_size=4),
    max_leaves=12,
)
"""Whatever a field of an object may hold."""

OBJECTS = st.builds(
    lambda name, namespace, spec: {
        "apiVersion": "example.org/v1",
        "kind": "Thing",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    },
    NAMES,
    NAMES,
    VALUES,
)
