"""Source: one GitRepository of a stack."""

from __future__ import annotations

from typing import TypedDict
from urllib.parse import urlsplit, urlunsplit

import pulumi

from components.dynamic.git_repository import GitRepository
from weir.spec.git_repository import GitRepositorySpec


class SourceArgs(TypedDict):
    """What a Source needs."""

    spec: GitRepositorySpec
    """Plain: it names the resource."""


class Source(pulumi.ComponentResource):
    """A Git source, resolved on every run."""

    revision: pulumi.Output[str]
    digest: pulumi.Output[str]

    def __init__(self, name: str, args: SourceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("weir:index:Source", name, None, opts)
        spec = args["spec"]
        child = pulumi.ResourceOptions(parent=self)
        repository = GitRepository(
            name, str(spec.id), without_credentials(spec.url), "true" if spec.suspend else "", child
        )
        self.revision = repository.revision
        self.digest = repository.digest
        self.register_outputs({"revision": self.revision, "digest": self.digest})


def without_credentials(url: str) -> str:
    """The URL without user, password, query and fragment: those may hold tokens, and this goes into the state."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
