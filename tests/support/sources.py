"""A GitRepository under test: parsed from its document, synced with a private store and cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weir.edges.store import Store
from weir.flow.resolve import SyncResult, sync
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.errors import ClusterError
from weir.spec.git_repository import GitRepositorySpec, parse_git_repository


def git_spec(url: str, name: str = "apps", **fields: Any) -> GitRepositorySpec:
    """The spec of a GitRepository on branch main unless `ref` says otherwise."""
    spec = {"url": url, "interval": "1m", "timeout": "20s", "ref": {"branch": "main"}, **fields}
    data = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": spec,
    }
    return parse_git_repository(Document("apps.yaml", 0, data))


@dataclass
class Place:
    """A store, a cache and Secrets of their own."""

    root: Path
    secrets: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    previous: Artifact | None = None
    includes: dict[str, Artifact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store(self.root / "store")
        self.cache = self.root / "git"

    def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """As a cluster would answer."""
        assert namespace == "flux-system"
        if name not in self.secrets:
            raise ClusterError(f"Secret/{namespace}/{name}: found none")
        return self.secrets[name]

    def sync(self, spec: GitRepositorySpec, **options: Any) -> SyncResult:
        """Sync, and remember the artifact as the previous one."""
        arguments = {
            "previous": self.previous,
            "includes": self.includes,
            "allow_file_urls": False,
            **options,
        }
        result = sync(spec, store=self.store, secrets=self.secret, cache_dir=self.cache, **arguments)
        self.previous = result.artifact
        return result

    def files(self, result: SyncResult) -> dict[str, str]:
        """Text of every file of the artifact; links as `-> target`."""
        tree = self.store.tree(result.artifact.digest)
        return {
            path: f"-> {file.link}" if file.link else tree.read(path).decode("utf-8", "replace")
            for path, file in tree.files.items()
        }
