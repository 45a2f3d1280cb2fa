"""A folder of one commit put in the place where another commit has it, with everything in it, as Git keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weir.edges.git.cache import CacheRepository, Entry
from weir.edges.git.importing import list_commit
from weir.spec.errors import SourceError


@dataclass(frozen=True, slots=True)
class Graft:
    """A folder that becomes what it is in another commit."""

    path: str
    """Empty for the whole tree."""
    commit: str


def graft_tree(cache: CacheRepository, base: str, graft: Graft) -> str:
    """The root tree of a commit with the folder put in; empty when it is the same already.

    Raises:
        SourceError: the other commit has no such folder.
    """
    try:
        wanted = cache.resolve(f"{graft.commit}:{graft.path}")
        cache.resolve(f"{wanted}^{{tree}}")
    except SourceError as err:
        text = f"{cache.session.url.text}: commit {graft.commit} has no folder {graft.path}"
        raise SourceError(text, hint="name a later revision") from err
    root = cache.resolve(f"{base}^{{tree}}")
    tree = _with_folder(cache, root, graft.path, wanted)
    return "" if tree == root else tree


def graft_changes(
    cache: CacheRepository, base: str, graft: Graft
) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
    """The contents of the files that a graft changes, before and after; what it removes is empty after it.

    Raises:
        SourceError: a commit is not there, or not one that Git clients take.
    """
    old, new = (dict(_inside(cache, commit, graft.path)) for commit in (base, graft.commit))
    differing = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    wanted = {entry.oid for side in (old, new) for path in differing if (entry := side.get(path))}
    contents = {oid: b"".join(chunks) for oid, _, chunks in cache.blobs(wanted)} if wanted else {}
    before = {path: contents[old[path].oid] for path in differing if path in old}
    return before, {path: contents[new[path].oid] if path in new else b"" for path in differing}


def _inside(cache: CacheRepository, commit: str, folder: str) -> Iterator[tuple[str, Entry]]:
    for entry in list_commit(cache, commit).files:
        if not folder or entry.path.startswith(f"{folder}/"):
            yield entry.path, entry


def _with_folder(cache: CacheRepository, root: str, path: str, tree: str) -> str:
    """A root tree with another tree at a path; folders on the way are made."""
    if not path:
        return tree
    folder, _, name = path.rpartition("/")
    session, git = cache.session, f"--git-dir={cache.git_dir}"
    parent = f"{root}:{folder}" if folder else root
    found = session.git(git, "ls-tree", "-z", parent)
    rows = found.stdout.split(b"\0")[:-1] if found.returncode == 0 else []
    own = name.encode("utf-8", "surrogateescape")
    rows = [row for row in rows if row.partition(b"\t")[2] != own]
    rows.append(b"040000 tree %s\t%s" % (tree.encode(), own))
    made = session.checked(git, "mktree", "-z", "--missing", stdin=b"".join(row + b"\0" for row in rows))
    return _with_folder(cache, root, folder, made.decode().strip())
