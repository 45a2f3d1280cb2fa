"""Paths inside an artifact, resolved as a file system would resolve them, but never outside the artifact."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from weir.spec.errors import RenderError
from weir.spec.tree import Tree

MAX_LINKS: Final = 40
"""Symbolic links followed for one path, as Linux does."""


@dataclass(frozen=True, slots=True)
class Place:
    """Something that exists in the artifact, by its real path."""

    path: str
    """No symbolic link in it; empty for the artifact's root."""
    is_folder: bool


class Layout:
    """The names of one tree."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._found: dict[tuple[str, str], Place | None] = {}
        self.folders: dict[str, list[str]] = {"": []}
        """Names in each folder, sorted."""
        for path in sorted(tree.files):
            self._add(path)

    def _add(self, path: str) -> None:
        while path:
            folder, _, name = path.rpartition("/")
            known = folder in self.folders
            names = self.folders.setdefault(folder, [])
            if not names or names[-1] != name:
                names.append(name)
            if known:
                return
            path = folder

    def find(self, folder: str, path: str) -> Place | None:
        """What a path written in a file of `folder` leads to; None when there is nothing.

        Raises:
            RenderError: the path is absolute, or it or a symbolic link leaves the artifact, or the links go round.
        """
        if (folder, path) not in self._found:
            self._found[folder, path] = self._find(folder, path)
        return self._found[folder, path]

    def _find(self, folder: str, path: str) -> Place | None:
        if path.startswith("/"):
            raise RenderError(
                f"found the absolute path {path!r}, expected one inside the artifact", hint=_HINT
            )
        # kustomize cleans a path as text before it follows links
        clean = posixpath.normpath(posixpath.join(folder, path))
        if clean == ".." or clean.startswith("../"):
            raise RenderError(f"found {path!r}, which leaves the artifact", hint=_HINT)
        return self._follow([part for part in clean.split("/") if part not in ("", ".")], path)

    def _follow(self, parts: list[str], written: str) -> Place | None:
        todo, done, links = parts[::-1], [""], 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if len(done) == 1:
                    raise RenderError(
                        f"found {written!r}, where a symbolic link leaves the artifact", hint=_HINT
                    )
                done.pop()
                continue
            here = f"{done[-1]}/{part}" if done[-1] else part
            file = self.tree.files.get(here)
            if file is not None and file.link:
                links += 1
                self._check_link(file.link, written, links)
                todo.extend(file.link.split("/")[::-1])
            elif file is not None:
                return None if any(rest not in ("", ".") for rest in todo) else Place(here, is_folder=False)
            elif here in self.folders:
                done.append(here)
            else:
                return None
        return Place(done[-1], is_folder=True)

    @staticmethod
    def _check_link(target: str, written: str, links: int) -> None:
        if target.startswith("/"):
            raise RenderError(f"found {written!r}, where a symbolic link leaves the artifact", hint=_HINT)
        if links > MAX_LINKS:
            raise RenderError(f"found {written!r}, where symbolic links go round", hint="remove the links")


_HINT: Final = "keep everything it needs inside the source"


@lru_cache(maxsize=100_000)
def relative(folder: str, path: str) -> str:
    """A real path as a file in `folder` would name it; starts with `./` or `../`, so it can only be a local path."""
    found = posixpath.relpath(path or ".", folder or ".")
    return found if found.startswith("../") or found == ".." else f"./{found}"
