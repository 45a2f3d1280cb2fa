"""Submodules, fetched by our own code: same rules for URLs, same limits, credentials only for the same host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from weir.edges.git.cache import CacheRepository
from weir.edges.git.credentials import Credentials
from weir.edges.git.importing import Listing, read_texts
from weir.edges.git.session import Session
from weir.edges.git.url import GitUrl, parse_url
from weir.spec.errors import SourceError

MAX_DEPTH = 10
"""Submodules inside submodules, as git's own default for recursion in Flux."""
MAX_COUNT = 64
"""Submodules of one source in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submodule:
    """A commit of another repository at a path of this one."""

    path: str
    commit: str
    url: GitUrl


def read_submodules(cache: CacheRepository, listing: Listing, *, allow_file: bool) -> list[Submodule]:
    """The submodules of a commit, their URLs checked.

    Raises:
        SourceError: a submodule without a URL, or with one that is not allowed.
    """
    entries = [entry for entry in listing.files if entry.path == ".gitmodules"]
    if not listing.submodules:
        return []
    session = cache.session
    urls = _urls(session, read_texts(cache, entries).get(".gitmodules", ""))
    found: list[Submodule] = []
    for entry in listing.submodules:
        if entry.path not in urls:
            raise SourceError(
                f"{session.url.text}: submodule {entry.path} has no URL in .gitmodules", hint="add it there"
            )
        try:
            file = allow_file and session.url.scheme == "file"
            url = parse_url(session.url.joined(urls[entry.path]), allow_file=file)
        except SourceError as err:
            raise SourceError(
                f"{session.url.text}: submodule {entry.path}: {err.message}", hint="correct .gitmodules"
            ) from err
        found.append(Submodule(path=entry.path, commit=entry.oid, url=url))
    return found


def _urls(session: Session, text: str) -> Mapping[str, str]:
    """URL by path; git itself reads the file, without following includes."""
    done = session.git("config", "--file=-", "--no-includes", "--null", "--list", stdin=text.encode())
    if done.returncode:
        raise SourceError(f"{session.url.text}: .gitmodules is not readable", hint="correct .gitmodules")
    values: dict[str, dict[str, str]] = {}
    for row in done.stdout.decode("utf-8", "replace").split("\0"):
        key, _, value = row.partition("\n")
        section, _, rest = key.partition(".")
        name, _, field = rest.rpartition(".")
        if section == "submodule" and name:
            values.setdefault(name, {})[field] = value
    return {item["path"]: item["url"] for item in values.values() if "path" in item and "url" in item}


def credentials_for(session: Session, url: GitUrl) -> Credentials:
    """The session's own credentials on the same host, none elsewhere. Raises SourceError for ssh elsewhere."""
    if session.url.same_host(url):
        return session.credentials
    if url.scheme == "ssh":
        text = f"{session.url.text}: submodule at {url.text} is on another host, which does not get this host's key"
        raise SourceError(text, hint="use an https URL, or a second GitRepository with spec.include")
    proxy = session.credentials.proxy if url.http else ""
    return Credentials(proxy=proxy, private=session.credentials.private)
