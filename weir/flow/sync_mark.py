"""The mark in Git of what a stack has applied: a tag that moves along, as Flux 1's sync tag did.

Rule: https://github.com/fluxcd/flux/blob/master/docs/references/daemon.md (`--git-sync-tag`)
"""

from __future__ import annotations

from typing import Final

from weir.edges.git.cache import open_cache
from weir.edges.git.refusals import RejectedError
from weir.edges.git.remote import list_refs, moved
from weir.edges.git.writing import Update, push
from weir.flow.git_source import open_source
from weir.flow.write_work import Access
from weir.select.git_ref import TAGS
from weir.spec.git_repository import GitRepositorySpec

PREFIX: Final = "weir-sync/"
"""Before the name of the stack."""
_MOST_ATTEMPTS: Final = 3


def move_tag(spec: GitRepositorySpec, tag: str, commit: str, *, access: Access) -> bool:
    """Have a lightweight tag at a commit of the repository, and tell whether it had to be made or moved.

    Raises:
        ReadOnlyError: the credentials may not write.
        RejectedError: others move it all the time.
        SourceError: the commit is not there, the server declines, or cannot be reached.
    """
    for attempt in range(_MOST_ATTEMPTS):
        try:
            return _move(spec, TAGS + tag, commit, access)
        except RejectedError:
            if attempt + 1 == _MOST_ATTEMPTS:
                raise
    return False


def _move(spec: GitRepositorySpec, ref: str, commit: str, access: Access) -> bool:
    opened = open_source(
        spec, access.secrets, access.sources, allow_file=access.allow_file_urls, stop=access.stop
    )
    with opened as session:
        remote = list_refs(session, TAGS)
        old = remote.refs.get(ref, "")
        if old == commit:
            return False
        with open_cache(access.sources / "repos", moved(session, remote.url)) as cache:
            if not cache.has(commit):
                cache.fetch(remote.url, commit)
            push(cache, [Update(ref=ref, commit=commit, old=old)])
    return True
