"""Commit edits to a Git repository and push them, so that nobody's commit is lost and none is made twice.

    prepare(target, edit, ...)          the commit, built here and not pushed; an artifact shows what it would do
    push(prepared, target, edit, ...)   exactly that commit, or the edit done again on top of what came in between

On the branch that is checked out, commits are only added. A push branch of its own is made anew from the tip of what
is checked out, and replaces what it held. Rule: https://fluxcd.io/flux/components/image/imageupdateautomations/#push

What is built waits in a cache of its own, so that no source ever takes a commit from it that was not pushed. When
that cache is gone, the commit is made again, with the same id.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from weir.edges.git.refusals import RejectedError
from weir.edges.git.url import parse_url
from weir.edges.git.writing import Base, Update
from weir.edges.store import Store
from weir.edit.summary import format_diff
from weir.flow import push_rules
from weir.flow.push_rules import Target
from weir.flow.resolve import sync
from weir.flow.write_work import Access, Edit, Edits, open_work
from weir.spec.artifact import Artifact
from weir.spec.errors import StopRequested, WeirError

__all__ = ["Access", "Base", "Edit", "Edits", "Prepared", "Pushed", "Target", "prepare", "push"]

MOST_ATTEMPTS: Final = 10
"""How often an edit is done again when somebody else was faster."""
_MOST_IN_VAIN: Final = 4
"""How often in a row, when nobody is seen to be faster: others may hold a lock for a moment, or the server may refuse
for ever."""
_SHORTEST_WAIT: Final = 0.02
_LONGEST_WAIT: Final = 0.5
_RANDOM: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A commit that was built and not pushed."""

    commit: str
    base: str
    """The commit it was built on."""
    raw: str
    """The commit itself as Git keeps it, signature and all: it names its files and does not hold them."""
    diff: str
    """The change of the files as unified diffs, without secret values."""
    artifact: Artifact
    """What the GitRepository would yield at this commit."""
    same_branch: bool
    """Whether the GitRepository follows a reference that the commit is pushed to."""
    published: bool
    """Whether the push branch holds this very change already: nothing is left to be pushed."""
    updates: tuple[Update, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values; `read_prepared` is the way back."""
        return {**asdict(self), "updates": [asdict(update) for update in self.updates]}


def read_prepared(value: Mapping[str, Any]) -> Prepared:
    """What `as_json` wrote."""
    updates = tuple(Update(**update) for update in value["updates"])
    return Prepared(**{**value, "artifact": Artifact(**value["artifact"]), "updates": updates})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What the push came to."""

    commit: str
    """The commit on the server that holds the change."""
    revision: str
    """Its revision in Flux's spelling."""
    rebased: bool
    """Whether it is another commit than was prepared: the branch had moved, and the edit was done again."""
    nothing: bool
    """Whether there was nothing to push: somebody had made the same change meanwhile."""


def prepare(
    target: Target,
    edit: Edit,
    *,
    store: Store,
    includes: Mapping[str, Artifact],
    access: Access,
    now: int,
) -> Prepared | None:
    """The commit that an edit leads to, built and not pushed; None when it changes nothing.

    `now` is the commit's time in seconds since the epoch; `includes` are the artifacts of other repositories by name.

    Raises:
        SpecError: no branch is named to push to.
        SourceError: the repository cannot be read, or the commit has no place there.
        VerificationError: the commit, or what it is built on, is not signed as the GitRepository asks.
        StopRequested: it was asked to stop.
    """
    with _naming(target.where):
        with open_work(target, access) as work:
            proposal = work.propose(edit, now)
            url = work.address
        if proposal.commit == proposal.base:
            return None
        artifact = _artifact(target, proposal.commit, url, store, includes, access)
    return Prepared(
        commit=proposal.commit,
        base=proposal.base,
        raw=proposal.raw.decode("utf-8", "replace"),
        diff=format_diff(proposal.before, proposal.after),
        artifact=artifact,
        same_branch=push_rules.follows(target),
        published=proposal.published,
        updates=proposal.updates,
    )


def push(prepared: Prepared, target: Target, edit: Edit, *, access: Access, now: int) -> Pushed:
    """Push what was prepared. When a reference moved meanwhile, do the edit again on what is there, ten times at most.

    `now` is the time of commits made again. An edit that changes nothing by then was made by somebody else.

    Raises:
        RejectedError: others were faster every time.
        ReadOnlyError: the credentials may not write.
        SpecError, SourceError, VerificationError, StopRequested: as `prepare`.
    """
    if prepared.published:
        return _pushed(target, prepared, prepared.commit, nothing=True)
    with _naming(target.where):
        with contextlib.suppress(RejectedError), open_work(target, access) as work:
            if work.restore(prepared.base, prepared.raw.encode(), prepared.commit, edit):
                work.publish(prepared.updates)
                return _pushed(target, prepared, prepared.commit)
        return _push_again(prepared, target, edit, access, now)


def _artifact(
    target: Target, commit: str, url: str, store: Store, includes: Mapping[str, Artifact], access: Access
) -> Artifact:
    """What the GitRepository would yield at a commit of the outbox; verified only if it is the one to yield it."""
    verify = target.spec.verify if push_rules.follows(target) else None
    found = sync(
        replace(target.spec, url=url, verify=verify),
        store=store,
        secrets=access.secrets,
        includes=includes,
        previous=None,
        allow_file_urls=access.allow_file_urls,
        cache_dir=access.outbox,
        ref_override=commit,
        stop=access.stop,
    )
    return Artifact(revision=push_rules.revision(target, commit), digest=found.artifact.digest)


def _shown(target: Target, access: Access) -> str:
    """The GitRepository's URL without what may be a token."""
    return parse_url(target.spec.url, allow_file=access.allow_file_urls).text


def _push_again(prepared: Prepared, target: Target, edit: Edit, access: Access, now: int) -> Pushed:
    """Do the edit on what is there now until a push gets through."""
    seen: tuple[object, ...] = ()
    in_vain = 0
    for attempt in range(MOST_ATTEMPTS):
        _wait(attempt + in_vain, access)
        with open_work(target, access) as work:
            proposal = work.propose(edit, now)
            if proposal.commit == proposal.base or proposal.published:
                return _pushed(target, prepared, proposal.commit, nothing=True)
            try:
                work.publish(proposal.updates)
                return _pushed(target, prepared, proposal.commit)
            except RejectedError:
                found = (proposal.base, *((update.ref, update.old) for update in proposal.updates))
                in_vain = in_vain + 1 if found == seen else 1
                if in_vain == _MOST_IN_VAIN or attempt + 1 == MOST_ATTEMPTS:
                    raise
                seen = found
    raise RejectedError(f"{_shown(target, access)}: others were faster every time", hint="run it again")


def _pushed(target: Target, prepared: Prepared, commit: str, *, nothing: bool = False) -> Pushed:
    return Pushed(
        commit=commit,
        revision=push_rules.revision(target, commit),
        rebased=commit != prepared.commit,
        nothing=nothing,
    )


def _wait(attempt: int, access: Access) -> None:
    """Let others finish: a random time, so that two who collided do not collide again."""
    seconds = _RANDOM.uniform(_SHORTEST_WAIT, min(_LONGEST_WAIT, _SHORTEST_WAIT * 2 ** (attempt + 1)))
    if access.stop is None:
        time.sleep(seconds)
    elif access.stop.wait(seconds):
        raise StopRequested("push: stopped on request")


@contextlib.contextmanager
def _naming(where: str) -> Iterator[None]:
    """Put who asked for it before the message of every error."""
    try:
        yield
    except WeirError as err:
        if not err.message.startswith(where):
            err.message = f"{where}: {err.message}"
        raise
