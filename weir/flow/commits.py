"""What a commit says about itself, as far as this machine has fetched it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from weir.edges.git import objects
from weir.edges.git.cache import open_cache
from weir.flow.git_source import open_source
from weir.flow.write_work import Access
from weir.spec.errors import WeirError
from weir.spec.git_repository import GitRepositorySpec

_AUTHOR: Final = re.compile(r"(?P<name>[^<]*?) *<[^>]*> (?P<at>[0-9]{1,12}) [+-][0-9]{4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitLine:
    """One commit as people know it."""

    subject: str
    author: str
    at: float
    """Epoch seconds."""


def known_commit(spec: GitRepositorySpec, commit: str, access: Access) -> CommitLine | None:
    """A commit of a repository that was fetched before; None when it is not here. The server is not asked."""
    try:
        with (
            open_source(spec, access.secrets, access.sources, allow_file=access.allow_file_urls) as session,
            open_cache(access.sources / "repos", session) as cache,
        ):
            return read_commit(cache.read("commit", commit)) if cache.has(commit) else None
    except WeirError:
        return None


def read_commit(raw: bytes) -> CommitLine:
    """The line of a commit object. Raises VerificationError for what is none."""
    written = dict(objects.headers(raw)).get(b"author", b"").decode("utf-8", "replace")
    found = _AUTHOR.fullmatch(written)
    return CommitLine(
        subject=objects.subject(raw),
        author=found["name"] if found else "",
        at=float(found["at"]) if found else 0.0,
    )
