"""Which namespaces kustomizations give to the files of a repository that name none themselves.

Rule: https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/namespace/
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from weir.spec.documents import read_yaml
from weir.spec.errors import SpecError

KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""Names of kustomize's own files."""
_LISTS: Final = ("resources", "bases", "components")


@dataclass(frozen=True, slots=True)
class _Kustomization:
    namespace: str
    entries: tuple[str, ...]
    """Files and folders as paths in the repository; remote ones lead nowhere."""


def given_namespaces(paths: Collection[str], read: Callable[[str], bytes]) -> Mapping[str, frozenset[str]]:
    """The namespaces of each file that a kustomization with a namespace leads to; `paths` are all files there are.

    A file that several overlays use has several. A kustomization that cannot be read gives none.
    """
    known = frozenset(paths)
    folders = {
        posixpath.dirname(path): _read(path, read)
        for path in sorted(paths)
        if posixpath.basename(path) in KUSTOMIZATIONS
    }
    found: defaultdict[str, set[str]] = defaultdict(set)
    for folder, kustomization in folders.items():
        if kustomization.namespace:
            for path in _files(folder, folders, known):
                found[path].add(kustomization.namespace)
    return {path: frozenset(names) for path, names in found.items()}


def _files(folder: str, folders: Mapping[str, _Kustomization], known: Collection[str]) -> Iterator[str]:
    """The files that a folder's kustomization leads to."""
    seen, waiting = {folder}, [folder]
    while waiting:
        for entry in folders[waiting.pop()].entries:
            if entry in known:
                yield entry
            elif entry in folders and entry not in seen:
                seen.add(entry)
                waiting.append(entry)


def _read(path: str, read: Callable[[str], bytes]) -> _Kustomization:
    try:
        documents = read_yaml(read(path), path)
    except SpecError:
        documents = []
    data = documents[0] if documents and isinstance(documents[0], dict) else {}
    lists = [data[key] for key in _LISTS if isinstance(data.get(key), list)]
    texts = [entry for entries in lists for entry in entries if isinstance(entry, str)]
    folder, namespace = posixpath.dirname(path), data.get("namespace")
    joined = (posixpath.normpath(posixpath.join(folder, text)) for text in texts)
    return _Kustomization(
        namespace if isinstance(namespace, str) else "",
        tuple("" if entry == "." else entry for entry in joined),
    )
