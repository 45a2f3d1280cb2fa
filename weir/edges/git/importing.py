"""From a commit to files in the store: only blobs that were never seen before are read.

Entries that could leave the tree are refused before any rule looks at them (CVE-2021-21300 and its kin); links stay
links and are never followed; submodules are left to `submodules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from weir.edges.git.cache import CacheRepository, DamagedCacheError, Entry
from weir.edges.store import Store
from weir.edges.store.manifest import is_git_folder
from weir.spec.errors import SourceError
from weir.spec.tree import TreeFile

LINK: Final = "120000"
GITLINK: Final = "160000"
_MODULES: Final = ".gitmodules"
_SMALL: Final = 1024 * 1024
_LONGEST_LINK: Final = 4096
_MOST_KNOWN: Final = 200_000

Wanted = Callable[[str], bool]
"""Whether the file at a path is part of the artifact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A commit's tree, checked."""

    files: tuple[Entry, ...]
    """Regular files and links."""
    submodules: tuple[Entry, ...]


def list_commit(cache: CacheRepository, commit: str) -> Listing:
    """What a commit holds. Raises SourceError for entries that Git clients refuse."""
    entries = cache.entries(commit)
    folders: dict[str, None] = {}
    for entry in entries:
        folder, _, name = entry.path.rpartition("/")
        _check_name(cache, name, entry)
        if folder not in folders:
            folders[folder] = None
            for part in folder.split("/") if folder else ():
                _check_name(cache, part, entry)
        if name.lower() == _MODULES and entry.mode == LINK:
            raise SourceError(
                f"{cache.session.url.text}: {entry.path} is a link", hint="make it a regular file"
            )
    return Listing(
        files=tuple(entry for entry in entries if entry.mode != GITLINK),
        submodules=tuple(entry for entry in entries if entry.mode == GITLINK),
    )


def _check_name(cache: CacheRepository, name: str, entry: Entry) -> None:
    if name in ("", ".", "..") or is_git_folder(name):
        found = f"a tree entry {entry.path[:120]!r} that leaves the tree or poses as Git's own"
        raise SourceError(f"{cache.session.url.text}: found {found}", hint="remove it from the repository")


def read_texts(cache: CacheRepository, entries: Iterable[Entry]) -> dict[str, str]:
    """Small text files by path (ignore rules, `.gitmodules`). Raises SourceError when one is over 1 MiB."""
    paths: dict[str, list[str]] = {}
    for entry in entries:
        if entry.mode != LINK:
            paths.setdefault(entry.oid, []).append(entry.path)
    texts: dict[str, str] = {}
    for oid, size, chunks in cache.blobs(paths) if paths else ():
        if size > _SMALL:
            text = f"{cache.session.url.text}: {paths[oid][0]} is over {_SMALL} bytes"
            raise SourceError(text, hint="make it smaller")
        texts.update(dict.fromkeys(paths[oid], b"".join(chunks).decode("utf-8", "replace")))
    return texts


def import_files(
    cache: CacheRepository, entries: Iterable[Entry], store: Store, *, thorough: bool = False
) -> dict[str, TreeFile]:
    """The entries as files of the store, by path.

    What was stored before is believed to be there (`put` finds out), unless `thorough`.

    Raises:
        SourceError: an object is missing or damaged in the cache.
        ArtifactError: a file over the store's limit, or a full disk.
    """
    files = tuple(entry for entry in entries if entry.mode != LINK)
    links = tuple(entry for entry in entries if entry.mode == LINK)
    known = cache.known()
    here = {entry.oid: known[entry.oid] for entry in files if entry.oid in known}
    if thorough:
        here = {oid: file for oid, file in here.items() if store.has_blob(file)}
    new = _read_new(cache, {entry.oid: entry.path for entry in files if entry.oid not in here}, store)
    if new:
        merged = {**known, **new} if len(known) < _MOST_KNOWN else {**here, **new}
        cache.remember(merged)
    found = {entry.path: here.get(entry.oid) or new[entry.oid] for entry in files}
    return found | _read_links(cache, links, store)


def _read_new(cache: CacheRepository, paths: Mapping[str, str], store: Store) -> dict[str, TreeFile]:
    if not paths:
        return {}
    new: dict[str, TreeFile] = {}
    with store.importing():
        for oid, size, chunks in cache.blobs(paths):
            new[oid] = store.put_blob(b"".join(chunks) if size <= _SMALL else chunks, paths[oid])
    _check_complete(cache, len(paths), len(new))
    return new


def _read_links(cache: CacheRepository, links: tuple[Entry, ...], store: Store) -> dict[str, TreeFile]:
    if not links:
        return {}
    targets: dict[str, str] = {}
    for oid, size, chunks in cache.blobs({entry.oid: None for entry in links}):
        if size <= _LONGEST_LINK:
            targets[oid] = b"".join(chunks).decode("utf-8", "surrogateescape")
    return {entry.path: store.put_link(targets.get(entry.oid, ""), entry.path) for entry in links}


def _check_complete(cache: CacheRepository, wanted: int, found: int) -> None:
    if found != wanted:
        raise DamagedCacheError(
            f"{cache.session.url.text}: read {found} of {wanted} objects", hint="try again"
        )
