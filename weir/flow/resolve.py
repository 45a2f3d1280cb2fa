"""Resolve a source and bring its content into the store: the first two steps of the way data flows.

    spec.ref -> ls-remote -> commit -> (memo hit? done) -> shallow fetch -> new blobs -> tree in the store -> Artifact

Signatures are verified on every call against the keys of now, also when the revision has not moved. Nothing is
downloaded when revision and configuration are those of an artifact that is still whole.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from weir.edges.folders import cache_root
from weir.edges.git import history, objects
from weir.edges.git.cache import CacheRepository, DamagedCacheError, open_cache
from weir.edges.git.checkout import Checkout
from weir.edges.git.remote import Remote, list_refs, moved
from weir.edges.git.session import Session
from weir.edges.store import MissingBlobError, Store
from weir.flow import git_content, git_source
from weir.flow.git_source import Secrets
from weir.select import git_ref
from weir.spec.artifact import Artifact, short_revision
from weir.spec.errors import ArtifactError, SourceError, SpecError, VerificationError, WeirError
from weir.spec.git_repository import GitRef, GitRepositorySpec
from weir.spec.kinds import IMAGE_AUTOMATION

if TYPE_CHECKING:
    from weir.edges.git.signatures import Keys

_HISTORY_DEPTH: Final = 500
_HISTORY_TIMEOUT: Final = 10.0
_NAMED: Final = (SourceError, VerificationError, SpecError, ArtifactError)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What a source yields now."""

    artifact: Artifact
    changed: bool
    """Whether it differs from the previous artifact."""
    verified: str = ""
    """What was verified, and with which key; empty when the spec asks for no verification."""
    warnings: tuple[str, ...] = ()
    subject: str = ""
    """First line of the commit's message; empty when this machine never made the artifact."""
    automates: bool = False
    """Whether its files may declare an ImageUpdateAutomation, so that what they declare could write to Git."""


def sync(  # noqa: PLR0913 - each is one fact of the run
    spec: GitRepositorySpec,
    *,
    store: Store,
    secrets: Secrets,
    includes: Mapping[str, Artifact],
    previous: Artifact | None,
    allow_file_urls: bool,
    cache_dir: Path | None = None,
    ref_override: str = "",
    stop: threading.Event | None = None,
) -> SyncResult:
    """The artifact of a GitRepository. `includes` are the artifacts of other repositories by name.

    Rule: https://fluxcd.io/flux/components/source/gitrepositories/

    Raises:
        VerificationError: the signature does not hold for the keys of now; the previous artifact is not to be used.
        SourceError: it cannot be resolved or fetched; the caller keeps the previous artifact.
        ArtifactError: the store refuses the content, or the disk is full.
        SpecError: a semver range or an ignore pattern is none.
        StopRequested: `stop` was set.
    """
    if spec.suspend and not ref_override:
        if previous is None:
            raise SourceError(
                f"{spec.where}: suspended before it was ever fetched", hint="set spec.suspend: false"
            )
        return SyncResult(artifact=previous, changed=False, automates=True)
    ref = git_ref.parse_ref(ref_override) if ref_override else spec.ref
    root = cache_dir or cache_root() / "git"
    try:
        work = _Sync(spec, ref, store, secrets, includes, previous, allow_file_urls, root, stop)
        return work.run(guess_tag=bool(ref_override))
    except WeirError as err:
        if type(err) not in _NAMED and not isinstance(err, SourceError):
            raise
        kind = VerificationError if isinstance(err, VerificationError) else type(err)
        raise kind(f"{spec.where}: {err.message}", hint=err.hint) from err


@dataclass(slots=True)
class _Sync:
    """One sync. The fields below the arguments are found out on the way."""

    spec: GitRepositorySpec
    ref: GitRef
    store: Store
    secrets: Secrets
    includes: Mapping[str, Artifact]
    previous: Artifact | None
    allow_file: bool
    root: Path
    stop: threading.Event | None
    warnings: list[str] = field(default_factory=list)
    subject: str = ""
    automates: bool = False

    def run(self, *, guess_tag: bool) -> SyncResult:
        keys = git_source.trusted_keys(self.spec, self.secrets)
        self._check_includes()
        with contextlib.ExitStack() as stack:
            opened = git_source.open_source(
                self.spec, self.secrets, self.root, allow_file=self.allow_file, stop=self.stop
            )
            session = stack.enter_context(opened)
            if session.credentials.authorization and session.url.scheme == "http":
                self.warnings.append(f"{session.url.text}: credentials travel unencrypted over http")
            found, targets = self._resolve(session, guess_tag=guess_tag)
            session = moved(session, found.url)
            target, digest, verified = self._bring_whole(session, targets, stack, keys)
            artifact = Artifact(revision=git_ref.revision(self.ref, target), digest=digest)
            self._warn_about_moves(session, target, artifact)
        changed = artifact != self.previous
        warnings = tuple(self.warnings)
        return SyncResult(
            artifact=artifact,
            changed=changed,
            verified=verified,
            warnings=warnings,
            subject=self.subject,
            automates=self.automates,
        )

    def _check_includes(self) -> None:
        for include in self.spec.include:
            if include.repository not in self.includes:
                text = f"spec.include: GitRepository {include.repository} has no artifact"
                raise SourceError(text, hint="see why that source is not ready")

    def _resolve(self, session: Session, *, guess_tag: bool) -> tuple[Remote, tuple[git_ref.Target, ...]]:
        """Where the repository is, and which commits fit; no question is asked for a commit that is named."""
        if self.ref.commit:
            return Remote(url=session.url, refs={}), git_ref.candidates(self.ref, {})
        remote = list_refs(session, git_ref.listing(self.ref))
        try:
            return remote, git_ref.candidates(self.ref, remote.refs)
        except SourceError as err:
            if guess_tag and self.ref.branch:
                tag = GitRef(tag=self.ref.branch)
                tags = list_refs(session, git_ref.listing(tag))
                with contextlib.suppress(SourceError):
                    found = git_ref.candidates(tag, tags.refs)
                    self.ref = tag
                    return tags, found
            raise SourceError(f"{session.url.text}: {err.message}", hint=err.hint) from err

    def _bring_whole(
        self,
        session: Session,
        targets: tuple[git_ref.Target, ...],
        stack: contextlib.ExitStack,
        keys: Keys | None,
    ) -> tuple[git_ref.Target, str, str]:
        """As `_bring`; a cache or a store that lost something is filled again, once."""
        checkout = Checkout(stack, self.root, self.store, allow_file=self.allow_file)
        try:
            return self._bring(session, targets, checkout, keys)
        except DamagedCacheError:
            for each in (session, *checkout.sessions):
                with open_cache(self.root / "repos", each) as cache:
                    cache.discard()
        except MissingBlobError:
            pass
        again = Checkout(stack, self.root, self.store, allow_file=self.allow_file, thorough=True)
        return self._bring(session, targets, again, keys)

    def _bring(
        self,
        session: Session,
        targets: tuple[git_ref.Target, ...],
        checkout: Checkout,
        keys: Keys | None,
    ) -> tuple[git_ref.Target, str, str]:
        """The commit, the digest of its tree in the store, and what was verified."""
        with open_cache(self.root / "repos", session) as cache:
            target = git_source.pick(cache, targets)
            digest = self._remembered(cache, target)
            if not digest or (keys and not git_source.has(cache, target)):
                target = git_source.bring(cache, self.ref, target)
                digest = self._remembered(cache, target)
            self.automates = cache.mentions(target.commit, IMAGE_AUTOMATION)
            verified = self._verify(cache, target, keys) if keys else ""
            if digest:
                self.subject = cache.memo(_subject_of(target.commit))
                return target, digest, verified
            self.subject = objects.subject(cache.read("commit", target.commit))
            cache.memoize(_subject_of(target.commit), self.subject)
            part, wanted = checkout.root(cache, target.commit, recurse=self.spec.recurse_submodules)
            if not wanted:
                digest = git_content.store_tree(self.spec, self.store, self.includes, checkout, [part], cache)
        if wanted:
            parts = [part, *checkout.submodules(part, wanted)]
            digest = git_content.store_tree(self.spec, self.store, self.includes, checkout, parts)
        with open_cache(self.root / "repos", session) as cache:
            cache.memoize(self._question(target), digest)
            cache.tidy()
        return target, digest, verified

    def _verify(self, cache: CacheRepository, target: git_ref.Target, keys: Keys) -> str:
        from weir.edges.git.verification import verify_target

        return verify_target(cache, target, self.spec.verify.mode if self.spec.verify else "", keys)

    def _question(self, target: git_ref.Target) -> str:
        branch = self.ref.branch if self.ref.commit else ""
        return git_content.question(self.spec, target.commit, branch, self.includes)

    def _remembered(self, cache: CacheRepository, target: git_ref.Target) -> str:
        """The digest of an artifact made of the same commit and configuration that is still whole in the store."""
        digest = cache.memo(self._question(target))
        return digest if digest and self.store.holds(digest) else ""

    def _warn_about_moves(self, session: Session, target: git_ref.Target, artifact: Artifact) -> None:
        """Say when a tag moved, or when a branch lost the commit that was deployed."""
        previous = self.previous
        if previous is None or self.ref.commit or previous.revision == artifact.revision:
            return
        name, _, old = previous.revision.rpartition("@")
        if not old or name != artifact.revision.rpartition("@")[0]:
            return
        moves = f"moved from {short_revision(old)} to {short_revision(artifact.revision.rpartition('@')[2])}"
        if target.name.startswith(git_ref.TAGS):
            self.warnings.append(f"tag {name} {moves}")
        elif not self._continues(session, target, git_ref.commit_of(old)):
            self.warnings.append(f"{name} {moves}: its history was rewritten (not a fast-forward)")

    def _continues(self, session: Session, target: git_ref.Target, old: str) -> bool:
        """Whether the new commit has the old one in its history. When that cannot be found out, it is assumed."""
        with contextlib.suppress(SourceError, VerificationError):
            with open_cache(self.root / "repos", session) as cache:
                if not cache.has(target.commit) or old in objects.parents(
                    cache.read("commit", target.commit)
                ):
                    return True
            brief = replace(session, deadline=min(session.deadline, time.monotonic() + _HISTORY_TIMEOUT))
            return history.contains(brief, session.url, target.name, old, depth=_HISTORY_DEPTH)
        return True


def _subject_of(commit: str) -> str:
    """The question whose answer is a commit's subject: who resolves it next tells of it too."""
    return f"subject-{commit}"
