"""Questions about history, which a shallow cache cannot answer: asked in a scratch repository without files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from weir.edges.git import remote
from weir.edges.git.session import Session
from weir.edges.git.url import GitUrl

_SLOT: Final = "refs/weir/history"


def contains(session: Session, url: GitUrl, source: str, commit: str, *, depth: int | None = None) -> bool:
    """Whether a commit is in the history of a reference, as far back as `depth` commits when that is given.

    Raises:
        SourceError: the history cannot be fetched.
    """
    # never ask for the commit itself: git would fetch what is missing, and find it anywhere
    return commit.encode() in _listed(session, url, source, depth).split()


def lineage(session: Session, url: GitUrl, source: str) -> dict[str, tuple[str, ...]]:
    """Every commit in the history of a reference and its parents. Raises as `contains`."""
    lines = _listed(session, url, source, None, "--parents").decode("ascii").splitlines()
    return {commit: tuple(parents) for commit, *parents in (line.split() for line in lines)}


def _listed(session: Session, url: GitUrl, source: str, depth: int | None, *options: str) -> bytes:
    scratch = session.folder / f"history-{len(list(session.folder.iterdir()))}"
    session.checked("init", "--quiet", "--bare", "--template=", "--", str(scratch))
    bounds = () if depth is None else (f"--depth={depth}",)
    remote.fetch(session, scratch, url, source, _SLOT, "--filter=tree:0", *bounds)
    return session.checked(f"--git-dir={scratch}", "rev-list", *options, _SLOT)


def commit_dates(session: Session, git_dir: Path, commits: Iterable[str]) -> dict[str, int]:
    """Commit times, in seconds since the epoch, of commits that a repository holds.

    Read through GitPython, which costs a tenth of a second to import: only ties between tags need it.
    """
    import git

    with git.Repo(git_dir) as repository:
        repository.git.update_environment(**session.environment)
        return {commit: int(repository.commit(commit).committed_date) for commit in commits}
