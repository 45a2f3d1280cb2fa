"""A folder of this machine as an artifact, for `weir diff --path`: the work tree of a checkout, before any commit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NoReturn

from weir.edges.store import Store
from weir.spec.artifact import Artifact
from weir.spec.errors import ArtifactError
from weir.spec.tree import TreeFile

_LEFT_OUT: Final = frozenset({".git", ".venv", "node_modules"})


def import_folder(store: Store, folder: Path) -> Artifact:
    """The folder's files in the store; links stay links.

    Raises:
        ArtifactError: a file or folder in it cannot be read, or is over a limit of the store.
    """
    try:
        files = _read(store, folder)
    except OSError as err:
        raise ArtifactError(f"{err.filename}: {err.strerror}", hint="make it readable") from err
    digest = store.put(files)
    return Artifact(revision=f"local@{digest}", digest=digest)


def _read(store: Store, folder: Path) -> dict[str, bytes | TreeFile]:
    files: dict[str, bytes | TreeFile] = {}
    for root, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in sorted(folders) if name not in _LEFT_OUT]
        for name in [*names, *(name for name in folders if Path(root, name).is_symlink())]:
            path = Path(root, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                files[relative] = store.put_link(str(path.readlink()), relative)
            elif path.is_file():
                files[relative] = path.read_bytes()
    return files


def _refuse(err: OSError) -> NoReturn:
    raise err
