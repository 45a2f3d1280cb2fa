"""The documents a stack starts from: a folder of Flux objects, or a path in a Git repository."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from weir.flow.outcome import Problem
from weir.render.layout import Layout
from weir.render.schema import API_GROUP, NAMES
from weir.spec.documents import Document, read_documents
from weir.spec.errors import RenderError, SpecError, WeirError
from weir.spec.header import DEFAULT_NAMESPACE, is_flux_object
from weir.spec.stack import SourceConfig
from weir.spec.tree import FOLDER, Tree, folder_in_tree

_SUFFIXES: Final = (".yaml", ".yml")
_MAX_BYTES: Final = 10 * 1024 * 1024

Build = Callable[[Layout, str], Sequence[Document]]
"""What a folder of an artifact builds to. Raises WeirError."""
_Content = bytes | Sequence[Document] | WeirError
"""The text of a file, what a folder builds to, or why there is neither."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Flux documents in the order of their files, and what could not be read."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]


def load_folder(folder: Path) -> Loaded:
    """All Flux documents below a folder. One unreadable file or folder is one problem; the others still count.

    A link to a file is read. One to a folder, or to nothing, is a problem: its units are not known to be gone. So is
    a kustomization: nothing is built here, as commands write and remove units by the files that declare them.
    """
    if not folder.is_dir():
        found = "nothing there" if not folder.exists() else "a file"
        error = SpecError.at("weir:objects", str(folder), found=found, expected="a folder of Flux objects")
        return Loaded((), (Problem(str(folder), str(error)),))
    refused: list[OSError] = []
    walked = os.walk(folder, onerror=refused.append)
    paths: list[Path] = []
    links: list[Path] = []
    for place, folders, names in walked:
        paths += [Path(place, name) for name in names]
        links += [path for name in (*folders, *names) if (path := Path(place, name)).is_symlink()]
    texts: dict[str, _Content] = {
        path.relative_to(folder.parent).as_posix(): _read(path)
        for path in sorted(paths)
        if path.suffix.lower() in _SUFFIXES
    }
    for link in sorted(links):
        name = link.relative_to(folder.parent).as_posix()
        if name not in texts and (problem := _misled(link)):
            texts[name] = problem
    for err in refused:
        texts[str(err.filename)] = _unreadable(err, "folder")
    return _load(texts, built=False)


def load_tree(tree: Tree, path: str, build: Build) -> Loaded:
    """All Flux documents of a path of an artifact; other objects there belong to the units that apply them.

    As Flux does with the path that it was bootstrapped with, a folder with a kustomization counts as what it builds
    to, and other files as they are. One that cannot be built leaves nothing of the path known, as the unit that patches
    all others may be in it. Links as in `load_folder`; none is followed out of the artifact.
    """
    folder = folder_in_tree(path)
    if folder is None:
        error = SpecError.at("weir:source", "path", found=path, expected=FOLDER)
        return Loaded((), (Problem("weir:source", str(error)),))
    layout = Layout(tree)
    found: dict[str, _Content] = {}
    for place in sorted(_places(layout, folder)):
        if place in layout.folders:
            found[place] = _built(layout, place, build)
        elif link := tree.files[place].link:
            found |= _follow(layout, place, link)
        elif place.lower().endswith(_SUFFIXES):
            found[place] = tree.read(place)
    if not found:
        error = SpecError.at(
            "weir:source", "path", found=path, expected="a folder with YAML files in the repository"
        )
        return Loaded((), (Problem("weir:source", str(error)),))
    broken: dict[str, _Content] = {
        place: content
        for place, content in found.items()
        if place in layout.folders and isinstance(content, WeirError)
    }
    return _load(broken or found, built=True)


def _places(layout: Layout, folder: str) -> Iterator[str]:
    """The files below a folder, and in their place the folders that have a kustomization."""
    todo = [folder] if folder in layout.folders else []
    while todo:
        here = todo.pop()
        names = layout.folders[here]
        if not set(NAMES).isdisjoint(names):
            yield here
            continue
        for name in names:
            path = f"{here}/{name}" if here else name
            if path in layout.folders:
                todo.append(path)
            else:
                yield path


def _built(layout: Layout, folder: str, build: Build) -> _Content:
    try:
        return build(layout, folder)
    except WeirError as err:
        return err


def bootstrap_document(source: SourceConfig, where: str) -> Document:
    """`weir:source` as the GitRepository that it stands for."""
    namespace, _, secret = source.secret.rpartition("/")
    ref = {"name": source.ref} if source.ref.startswith("refs/") else {"branch": source.ref}
    spec: dict[str, Any] = {"url": source.url, "interval": "1m", "ref": ref}
    if secret:
        spec["secretRef"] = {"name": secret}
    meta = {"name": "weir-stack", "namespace": namespace or DEFAULT_NAMESPACE}
    kind = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository"}
    return Document(where, 0, {**kind, "metadata": meta, "spec": spec})


def _follow(layout: Layout, name: str, target: str) -> dict[str, _Content]:
    """What a link of an artifact stands for: the text of a YAML file, a problem, or nothing that matters here."""
    try:
        place = layout.find("", name)
    except RenderError as err:
        return {name: RenderError(f"{name}: {err.message}", hint=err.hint)}
    if place is None or place.is_folder:
        return {name: _linked(name, target) if place else _astray(name, target)}
    return {name: layout.tree.read(place.path)} if name.lower().endswith(_SUFFIXES) else {}


def _misled(link: Path) -> SpecError | None:
    """Why a link on this machine is a problem; None for one to a file, or to something else that holds no units."""
    try:
        is_folder = stat.S_ISDIR(link.stat().st_mode)
        return _linked(str(link), str(link.readlink())) if is_folder else None
    except OSError as err:
        return _unreadable(err, "file or folder")


def _linked(link: str, target: str) -> SpecError:
    hint = "put the folder itself here, or make it a folder of links to files"
    return SpecError.at(link, "", found=f"a link to the folder {target}", expected="a folder", hint=hint)


def _astray(link: str, target: str) -> SpecError:
    hint = "mend the link, or remove it"
    found = f"a link to {target}, where nothing is"
    return SpecError.at(link, "", found=found, expected="a link to a file", hint=hint)


def _read(path: Path) -> bytes | WeirError:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return SpecError.at(str(path), "", found="a pipe or device", expected="a file")
        if found.st_size > _MAX_BYTES:
            return SpecError.at(str(path), "", found="over 10 MiB", expected="a smaller file")
        return path.read_bytes()
    except OSError as err:
        return _unreadable(err, "file")


def _unreadable(err: OSError, what: str) -> SpecError:
    return SpecError.at(str(err.filename), "", found=err.strerror, expected=f"a readable {what}")


def _load(found: dict[str, _Content], *, built: bool) -> Loaded:
    """The Flux documents of files and folders; `built`: other objects may be beside them, and kustomizations."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for place, content in found.items():
        try:
            for document in _documents(content, place):
                if is_flux_object(document.data):
                    documents.append(document)
                else:
                    _check_plain(document, built=built)
        except WeirError as err:
            problems.append(Problem(place, str(err)))
    return Loaded(tuple(documents), tuple(problems))


def _documents(content: _Content, place: str) -> Sequence[Document]:
    if isinstance(content, WeirError):
        raise content
    return read_documents(content, place) if isinstance(content, bytes) else content


def _check_plain(document: Document, *, built: bool) -> None:
    """Refuse an object that is no unit where only units may be, and everywhere a unit whose group is misspelt."""
    version, is_unit = document.data.get("apiVersion"), document.data.get("kind") == "Kustomization"
    is_kustomize = str(version).startswith(f"{API_GROUP}/")
    if built and (is_kustomize or not (is_unit and version)):
        return
    hint = "put plain objects into a Git path that a Kustomization applies"
    if is_kustomize:
        hint = "weir:objects is read file by file and never built; weir:source builds a path of a repository"
    raise SpecError.at(
        document.where,
        "apiVersion",
        found=version,
        expected="one of Flux's API groups",
        hint="" if is_unit and not is_kustomize else hint,
    )
