"""The way to a GitRepository: a session with its credentials, and from a reference to a commit in the cache."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from weir.edges.folders import private_folder
from weir.edges.git import history
from weir.edges.git.cache import CacheRepository
from weir.edges.git.credentials import APP_ID, Credentials, basic, read_credentials
from weir.edges.git.session import Session, open_session
from weir.edges.git.url import GitUrl, parse_url
from weir.select import git_ref
from weir.spec.errors import SourceError
from weir.spec.git_repository import GitRef, GitRepositorySpec

if TYPE_CHECKING:
    from weir.edges.git.signatures import Keys

Secrets = Callable[[str, str], Mapping[str, bytes]]
"""The data of a Secret by namespace and name. Raises WeirError when there is none."""

_MOST_TIES: Final = 20


@contextlib.contextmanager
def open_source(
    spec: GitRepositorySpec,
    secrets: Secrets,
    root: Path,
    *,
    allow_file: bool,
    stop: threading.Event | None = None,
) -> Iterator[Session]:
    """A session with the repository of a spec, whose private folder lives below `root`.

    Raises:
        SourceError: the URL or the Secret is not what it has to be.
        ArtifactError: the folder cannot be written.
    """
    url = parse_url(spec.url, allow_file=allow_file)
    credentials = read_access(spec, url, secrets)
    private_folder(root)
    with open_session(root / "calls", url, credentials, spec.timeout, stop) as session:
        yield session


def trusted_keys(spec: GitRepositorySpec, secrets: Secrets) -> Keys | None:
    """The keys of `spec.verify`, None when it asks for no verification. Raises VerificationError."""
    if spec.verify is None:
        return None
    from weir.edges.git.signatures import read_keys

    return read_keys(secrets(spec.id.namespace, spec.verify.secret))


def pick(cache: CacheRepository, tied: tuple[git_ref.Target, ...]) -> git_ref.Target:
    """The one target, or the youngest of several tags of equal precedence. Raises SourceError."""
    if len(tied) == 1:
        return tied[0]
    tied = tied[-_MOST_TIES:]
    for target in tied:
        if not cache.has(target.commit):
            cache.fetch(cache.session.url, target.name)
    dates = history.commit_dates(cache.session, cache.git_dir, (target.commit for target in tied))
    return git_ref.newest_of(tied, dates)


def bring(cache: CacheRepository, ref: GitRef, target: git_ref.Target) -> git_ref.Target:
    """Have the commit in the cache. A reference that moves meanwhile is followed: its new commit comes back.

    Raises:
        SourceError: it cannot be fetched, or a commit is not on the branch that is named with it.
    """
    url = cache.session.url
    if ref.commit:
        if not cache.has(target.commit):
            cache.fetch(url, target.commit)
        if target.name and not history.contains(cache.session, url, target.name, target.commit):
            text = f"{url.text}: commit {target.commit} is not on branch {ref.branch}"
            raise SourceError(text, hint="correct spec.ref.commit or spec.ref.branch")
        return target
    if has(cache, target):
        return target
    fetched = cache.fetch(url, target.name)
    commit = cache.resolve(f"{fetched}^{{commit}}")
    return replace(target, commit=commit, tag_object="" if fetched == commit else fetched)


def has(cache: CacheRepository, target: git_ref.Target) -> bool:
    """Whether a commit, and the tag that leads to it, are in the cache."""
    return cache.has(target.commit) and (not target.tag_object or cache.has(target.tag_object))


def read_access(spec: GitRepositorySpec, url: GitUrl, secrets: Secrets) -> Credentials:
    """What the Secrets of a spec say about reaching its URL. Raises SourceError."""
    if spec.provider in ("aws", "azure"):
        text = f"spec.provider: {spec.provider} is not supported: it needs a cloud's own credentials"
        raise SourceError(text, hint="use provider generic with spec.secretRef")
    namespace = spec.id.namespace
    data = secrets(namespace, spec.secret) if spec.secret else None
    proxy = secrets(namespace, spec.proxy_secret) if spec.proxy_secret else None
    app = bool(data and data.get(APP_ID))
    if app != (spec.provider == "github"):
        text = "spec.provider github and a Secret with githubAppID go together; found only one of them"
        raise SourceError(text, hint="correct spec.provider or spec.secretRef")
    credentials = read_credentials(url, data, proxy)
    if not (app and data):
        return credentials
    from weir.edges.git.github_app import installation_token

    token = installation_token(data, credentials.proxy, spec.timeout)
    return read_credentials(url, data, proxy, basic("x-access-token", token))
