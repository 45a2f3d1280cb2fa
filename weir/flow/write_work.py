"""One attempt at a commit: look at the server, do the edit on what is there now, build the commit, push it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from weir.edges.folders import cache_root
from weir.edges.git import failures, history, objects, writing
from weir.edges.git.cache import CacheRepository, DamagedCacheError, open_cache
from weir.edges.git.grafting import Graft, graft_changes
from weir.edges.git.refusals import RejectedError
from weir.edges.git.remote import list_refs, moved
from weir.edges.git.session import Session
from weir.edges.git.verification import verify_target
from weir.edges.git.writing import Base, NewCommit, Update
from weir.flow import git_source, push_rules
from weir.flow.git_source import Secrets
from weir.flow.push_rules import Destination, Target
from weir.select import git_ref
from weir.spec.errors import SourceError
from weir.spec.git_repository import HEADS

_LISTED: Final = (HEADS, git_ref.TAGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What an edit wants committed."""

    files: Mapping[str, bytes]
    """New content of files that are there, by path."""
    message: str
    graft: Graft | None = None
    """A folder to take from another commit, instead of files."""


Edit = Callable[[Base], Edits | None]
"""The edits of the files of a commit, None for none. May be called several times, on other commits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What it takes to reach repositories."""

    secrets: Secrets
    allow_file_urls: bool = False
    cache_dir: Path | None = None
    """None for this user's own."""
    stop: threading.Event | None = None

    @property
    def sources(self) -> Path:
        """Where the caches of sources are."""
        return self.cache_dir or cache_root() / "git"

    @property
    def outbox(self) -> Path:
        """Where commits wait that were not pushed yet, apart from the caches of sources."""
        return self.sources / "outbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A commit on top of what is checked out now."""

    base: str
    commit: str
    """The base itself when the edit changes nothing."""
    raw: bytes
    """The bytes of the commit."""
    updates: tuple[Update, ...]
    published: bool = False
    """Whether the server has it already, or its equal: the same tree on the same base."""
    before: Mapping[str, bytes]
    after: Mapping[str, bytes]
    """The files that differ, by path."""


@contextlib.contextmanager
def open_work(target: Target, access: Access) -> Iterator[Work]:
    """An attempt. Raises SourceError, SpecError when the server or the target is not what it has to be."""
    sought = push_rules.destinations(target)
    opened = git_source.open_source(
        target.spec, access.secrets, access.outbox, allow_file=access.allow_file_urls, stop=access.stop
    )
    names = [destination.ref for destination in sought]
    heads = git_ref.listing(target.ref) == HEADS and all(name.startswith(HEADS) for name in names)
    with opened as session:
        remote = list_refs(session, HEADS if heads else "")
        yield Work(target, sought, moved(session, remote.url), remote.refs, access)


class Work:
    """One attempt, in a session that is open."""

    def __init__(
        self,
        target: Target,
        sought: Sequence[Destination],
        session: Session,
        refs: Mapping[str, str],
        access: Access,
    ) -> None:
        self._target = target
        self._sought = sought
        self._session = session
        self._refs = refs
        self._access = access
        self._root = access.outbox / "repos"

    @property
    def url(self) -> str:
        """Where the repository is, after redirects, as it may be shown."""
        return self._session.url.text

    @property
    def address(self) -> str:
        """The same, to read from."""
        return self._session.url.address

    def propose(self, edit: Edit, now: int) -> Proposal:
        """Do the edit on what is there now. `now` is the commit's time in seconds since the epoch.

        Raises:
            SourceError: the commit cannot be made, or has no place on what a reference holds.
            VerificationError: what is checked out is not signed as the GitRepository asks.
        """
        try:
            return self._propose(edit, now)
        except DamagedCacheError:
            with self._open() as cache:
                cache.discard()
            return self._propose(edit, now)

    def restore(self, base: str, raw: bytes, commit: str, edit: Edit) -> bool:
        """Whether a commit that was proposed before is in the cache, or could be made again with the same id."""
        with self._open() as cache:
            if cache.has(commit):
                return True
            try:
                if not cache.has(base):
                    cache.fetch(self._session.url, base)
            except failures.MissingObjectError:
                return False
        edits = edit(Base(self._root, self._session, base))
        with self._open() as cache:
            return edits is not None and writing.rebuild(cache, base, edits.files, raw)

    def publish(self, updates: Sequence[Update]) -> None:
        """Push. Raises RejectedError when something is not there any more as it was; SourceError for all else."""
        for update in updates:
            if update.old is not None and self._refs.get(update.ref, "") != update.old:
                text = f"{self.url}: {update.ref} moved meanwhile"
                raise RejectedError(text, hint="run it again")
        options = [f"{key}={value}" if value else key for key, value in self._target.push.options.items()]
        with self._open() as cache:
            writing.push(cache, updates, options)

    def _open(self) -> contextlib.AbstractContextManager[CacheRepository]:
        return open_cache(self._root, self._session.renewed())

    def _propose(self, edit: Edit, now: int) -> Proposal:
        target = self._target
        candidates = git_ref.candidates(target.ref, self._refs)
        with self._open() as cache:
            found = git_source.bring(cache, target.ref, git_source.pick(cache, candidates))
            self._verify(cache, found)
        base = Base(self._root, self._session, found.commit)
        edits = edit(base) or Edits(files={}, message="")
        before, after = self._contents(base, edits)
        new = NewCommit(
            base=base.commit,
            files=after,
            message=edits.message,
            author=target.author,
            at=now,
            sign=target.signer,
            graft=edits.graft,
        )
        with self._open() as cache:
            commit = writing.commit_files(cache, new)
            raw = cache.read("commit", commit)
            proposal = Proposal(
                base=base.commit, commit=commit, raw=raw, updates=(), before=before, after=after
            )
            name = "" if target.ref.commit else found.name
            return self._placed(cache, proposal, name) if commit != base.commit else proposal

    def _contents(self, base: Base, edits: Edits) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        """The files that edits change, before and after."""
        if edits.graft:
            with self._open() as cache:
                if not cache.has(edits.graft.commit):
                    cache.fetch(self._session.url, edits.graft.commit)
                return graft_changes(cache, base.commit, edits.graft)
        before = {path: base.read(path) for path in sorted(edits.files)}
        after = {path: edits.files[path] for path, content in before.items() if content != edits.files[path]}
        return {path: before[path] for path in after}, after

    def _verify(self, cache: CacheRepository, found: git_ref.Target) -> None:
        """Sign nothing that the source would refuse."""
        spec = self._target.spec
        keys = git_source.trusted_keys(spec, self._access.secrets)
        followed = push_rules.followed(spec.ref)
        same = self._target.ref == spec.ref or (
            followed and followed == push_rules.followed(self._target.ref)
        )
        if keys is not None and spec.verify is not None and same:
            verify_target(cache, found, spec.verify.mode, keys)

    def _placed(self, cache: CacheRepository, proposal: Proposal, name: str) -> Proposal:
        """The proposal with what it replaces where; the server's own commit in its place when that is equal.

        `name` is the reference whose tip the base is.
        """
        updates: list[Update] = []
        for destination in self._sought:
            listed = destination.ref.startswith(_LISTED)
            old = self._refs.get(destination.ref, "") if listed else None
            if destination.ref == name:
                old = proposal.base
            updates.append(Update(ref=destination.ref, commit=proposal.commit, old=old))
        equal = self._equal(cache, proposal, updates)
        if equal:
            raw = cache.read("commit", equal)
            return replace(proposal, commit=equal, raw=raw, updates=tuple(updates), published=True)
        for destination, update in zip(self._sought, updates, strict=True):
            if not destination.force:
                self._check_added(update, proposal.base, name)
        writing.keep(
            cache, " ".join([self._target.where, *(update.ref for update in updates)]), proposal.commit
        )
        return replace(proposal, updates=tuple(updates))

    def _equal(self, cache: CacheRepository, proposal: Proposal, updates: Sequence[Update]) -> str:
        """The commit that all destinations hold already, if it has this tree and this base; else nothing."""
        held = {update.old for update in updates}
        old = held.pop() if len(held) == 1 else ""
        if not old or old == proposal.base:
            return ""
        if not cache.has(old) and cache.fetch(self._session.url, updates[0].ref) != old:
            return ""
        raw = cache.read("commit", old)
        tree = [value for key, value in objects.headers(proposal.raw) if key == b"tree"]
        same = tree == [value for key, value in objects.headers(raw) if key == b"tree"]
        return old if same and objects.parents(raw) == (proposal.base,) else ""

    def _check_added(self, update: Update, base: str, name: str) -> None:
        """Refuse to take commits away: what the reference holds must be in the history of the base."""
        if not update.old or update.old == base:
            return
        if not history.contains(self._session.renewed(), self._session.url, name or base, update.old):
            text = f"{self.url}: {update.ref} holds commits that are not in what is checked out"
            hint = (
                "check that branch out (git.checkout.ref.branch), or push to one of its own (git.push.branch)"
            )
            raise SourceError(text, hint=hint)
