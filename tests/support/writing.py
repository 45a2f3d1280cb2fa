"""Writing back under test: a target on a repository, and an edit that counts up in a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.sources import Place, git_spec
from weir.edges.git.writing import Base
from weir.flow.write_back import Access, Edit, Edits, Prepared, Pushed, Target, prepare, push
from weir.spec.image_automation import Author, Push

NOW = 1_790_000_000
BOT = Author(name="Bot", email="bot@weir.example")


def target(url: str, **fields: Any) -> Target:
    """A target that pushes to branch main of a repository unless `push` says otherwise."""
    spec = fields.pop("spec", None) or git_spec(url, **fields.pop("git", {}))
    return Target(where="auto.yaml: ImageUpdateAutomation/flux-system/apps", spec=spec, author=BOT, **fields)


def pushing(url: str, branch: str = "", **fields: Any) -> Target:
    """A target that pushes to a branch of its own."""
    return target(url, push=Push(branch=branch, **fields))


def setting(path: str, text: str, message: str = "Update images") -> Edit:
    """An edit that gives a file its content, and nothing when it has it already."""

    def edit(base: Base) -> Edits | None:
        return (
            Edits(files={path: text.encode()}, message=message) if base.read(path) != text.encode() else None
        )

    return edit


@dataclass
class Writer:
    """Somebody who writes back, with a store and a cache of its own."""

    root: Path
    secrets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    now: int = NOW

    def __post_init__(self) -> None:
        self.place = Place(self.root, secrets=dict(self.secrets))
        self.access = Access(secrets=self.place.secret, cache_dir=self.place.cache)

    def prepare(self, wanted: Target, edit: Edit) -> Prepared | None:
        """Build the commit."""
        return prepare(wanted, edit, store=self.place.store, includes={}, access=self.access, now=self.now)

    def prepared(self, wanted: Target, edit: Edit) -> Prepared:
        """Build a commit that there is to be."""
        found = self.prepare(wanted, edit)
        assert found is not None
        return found

    def push(self, prepared: Prepared, wanted: Target, edit: Edit) -> Pushed:
        """Push it."""
        return push(prepared, wanted, edit, access=self.access, now=self.now)

    def write(self, wanted: Target, edit: Edit) -> Pushed | None:
        """Both."""
        prepared = self.prepare(wanted, edit)
        return self.push(prepared, wanted, edit) if prepared else None
