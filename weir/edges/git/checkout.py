"""The content of a commit with its submodules: listed first, so that ignore rules are known before a file is read."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from weir.edges.git.cache import CacheRepository, open_cache
from weir.edges.git.importing import Listing, Wanted, import_files, list_commit, read_texts
from weir.edges.git.session import Session, open_session
from weir.edges.git.submodules import MAX_COUNT, MAX_DEPTH, Submodule, credentials_for, read_submodules
from weir.edges.store import Store
from weir.spec.errors import SourceError
from weir.spec.tree import TreeFile

IGNORE_FILE: Final = ".sourceignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One repository's share of a tree."""

    prefix: str
    """The folder it fills, ending with a slash, or empty for the root."""
    session: Session
    listing: Listing
    ignore_texts: dict[str, str]
    """`.sourceignore` files by their path in the whole tree."""


class Checkout:
    """Collects the parts of a tree and brings their files into the store. One lock is held at a time."""

    def __init__(
        self,
        stack: contextlib.ExitStack,
        cache_dir: Path,
        store: Store,
        *,
        allow_file: bool,
        thorough: bool = False,
    ) -> None:
        self._stack = stack
        self._cache_dir = cache_dir
        self._store = store
        self._allow_file = allow_file
        self._thorough = thorough
        self._count = 0
        self.sessions: list[Session] = []
        """Those of submodules."""

    def root(self, cache: CacheRepository, commit: str, *, recurse: bool) -> tuple[Part, list[Submodule]]:
        """The part of an opened cache's commit, and the submodules it wants. Raises SourceError."""
        return self._part(cache, commit, "", recurse=recurse)

    def submodules(self, part: Part, wanted: list[Submodule], depth: int = 1) -> list[Part]:
        """The parts of submodules and of theirs.

        Raises:
            SourceError: too many or too deep, a URL that is not allowed, or a repository that cannot be fetched.
        """
        parts: list[Part] = []
        for submodule in wanted:
            self._count += 1
            if depth > MAX_DEPTH or self._count > MAX_COUNT:
                text = f"{part.session.url.text}: found over {MAX_COUNT} submodules or {MAX_DEPTH} levels of them"
                raise SourceError(text, hint="include repositories with spec.include instead")
            session = self._session(part.session, submodule)
            self.sessions.append(session)
            with open_cache(self._cache_dir / "repos", session) as cache:
                if not cache.has(submodule.commit):
                    cache.fetch(submodule.url, submodule.commit)
                prefix = f"{part.prefix}{submodule.path}/"
                inner, more = self._part(cache, submodule.commit, prefix, recurse=True)
            parts += [inner, *self.submodules(inner, more, depth + 1)]
        return parts

    def load(self, part: Part, wanted: Wanted, cache: CacheRepository | None = None) -> dict[str, TreeFile]:
        """The wanted files of a part, in the store, by their path in the whole tree.

        Raises:
            SourceError, ArtifactError: as `import_files`.
        """
        entries = tuple(entry for entry in part.listing.files if wanted(part.prefix + entry.path))
        if cache is None:
            with open_cache(self._cache_dir / "repos", part.session) as opened:
                files = import_files(opened, entries, self._store, thorough=self._thorough)
        else:
            files = import_files(cache, entries, self._store, thorough=self._thorough)
        return {part.prefix + path: file for path, file in files.items()}

    def _part(
        self, cache: CacheRepository, commit: str, prefix: str, *, recurse: bool
    ) -> tuple[Part, list[Submodule]]:
        listing = list_commit(cache, commit)
        rules = [entry for entry in listing.files if entry.path.rpartition("/")[2] == IGNORE_FILE]
        texts = {prefix + path: text for path, text in read_texts(cache, rules).items()}
        part = Part(prefix=prefix, session=cache.session, listing=listing, ignore_texts=texts)
        return part, read_submodules(cache, listing, allow_file=self._allow_file) if recurse else []

    def _session(self, parent: Session, submodule: Submodule) -> Session:
        """The parent's session on the same host; elsewhere one without its credentials."""
        if parent.url.same_host(submodule.url):
            return replace(parent, url=submodule.url)
        credentials = credentials_for(parent, submodule.url)
        calls = self._cache_dir / "calls"
        opened = open_session(calls, submodule.url, credentials, parent.remaining(), parent.stop)
        return self._stack.enter_context(opened)
