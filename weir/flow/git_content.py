"""What of a Git repository becomes the artifact: sparse folders, ignore rules, submodules and includes, as one tree."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from weir.edges.git.cache import CacheRepository
from weir.edges.git.checkout import IGNORE_FILE, Checkout, Part
from weir.edges.store import Store
from weir.render.source_ignore import parse_source_ignore
from weir.spec.artifact import Artifact
from weir.spec.errors import SourceError
from weir.spec.git_repository import GitInclude, GitRepositorySpec
from weir.spec.tree import TreeFile

_FORMAT: Final = 2
"""Part of every question: raise it when equal input makes another tree than before."""


def question(spec: GitRepositorySpec, commit: str, branch: str, includes: Mapping[str, Artifact]) -> str:
    """A digest of all that decides the content of an artifact (Flux's `observed*` fields)."""
    included = [(item.from_path, item.to_path, includes[item.repository].digest) for item in spec.include]
    asked = (_FORMAT, commit, branch, spec.ignore, spec.sparse_checkout, spec.recurse_submodules, included)
    return hashlib.sha256(orjson.dumps(asked)).hexdigest()


def store_tree(
    spec: GitRepositorySpec,
    store: Store,
    includes: Mapping[str, Artifact],
    checkout: Checkout,
    parts: Sequence[Part],
    cache: CacheRepository | None = None,
) -> str:
    """The digest of the tree made of all parts and includes; `cache` is the first part's, when it is open.

    Order as in Flux: checkout (sparse), then includes, then ignore rules over everything.

    Raises:
        SourceError: a folder of `sparseCheckout` or `include.fromPath` is not there.
        ArtifactError, SpecError: as the store and the ignore rules raise them.
    """
    included = _included(spec, store, includes)
    texts = {path: text for part in parts for path, text in part.ignore_texts.items() if _sparse(spec, path)}
    for path, file in included.items():
        if path.rpartition("/")[2] == IGNORE_FILE and not file.link:
            texts[path] = store.read(file, path).decode("utf-8", "replace")
    rules = parse_source_ignore(texts, spec.ignore, spec.where)

    def wanted(path: str) -> bool:
        return path not in included and _sparse(spec, path) and not rules.excludes(path)

    _check_sparse(spec, parts)
    files = {path: file for path, file in included.items() if not rules.excludes(path)}
    for part in parts:
        files |= checkout.load(part, wanted, cache if part is parts[0] else None)
    return store.put(files)


def _sparse(spec: GitRepositorySpec, path: str) -> bool:
    folders = spec.sparse_checkout
    return not folders or any(
        not folder or path.startswith(f"{folder}/") or path == folder for folder in folders
    )


def _check_sparse(spec: GitRepositorySpec, parts: Sequence[Part]) -> None:
    paths = [part.prefix + entry.path for part in parts for entry in part.listing.files]
    for folder in spec.sparse_checkout:
        if folder and not any(path.startswith(f"{folder}/") or path == folder for path in paths):
            raise SourceError(
                f"spec.sparseCheckout: found no folder {folder}", hint="correct spec.sparseCheckout"
            )


def _included(spec: GitRepositorySpec, store: Store, includes: Mapping[str, Artifact]) -> dict[str, TreeFile]:
    files: dict[str, TreeFile] = {}
    for include in spec.include:
        tree = store.tree(includes[include.repository].digest)
        copied = {_moved(include, path): file for path, file in tree.files.items() if _inside(include, path)}
        if not copied:
            text = f"spec.include: GitRepository {include.repository} holds nothing at {include.from_path or '/'}"
            raise SourceError(text, hint="correct fromPath")
        files |= copied
    return files


def _inside(include: GitInclude, path: str) -> bool:
    return not include.from_path or path == include.from_path or path.startswith(f"{include.from_path}/")


def _moved(include: GitInclude, path: str) -> str:
    rest = path.removeprefix(include.from_path).lstrip("/")
    return f"{include.to_path}/{rest}" if rest else include.to_path
