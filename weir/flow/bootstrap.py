"""The unit that applies the very path of `weir:source`, as `flux bootstrap` makes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from weir.flow.load import Loaded
from weir.spec.documents import Document
from weir.spec.errors import WeirError
from weir.spec.git_repository import parse_git_repository
from weir.spec.header import read_header
from weir.spec.identity import UnitId
from weir.spec.kustomization import KIND, KustomizationSpec, parse_kustomization
from weir.spec.stack import SourceConfig
from weir.spec.tree import folder_in_tree

_ROUNDS: Final = 3
"""Renders until such a unit, which may patch itself, stays as it is."""

Render = Callable[[KustomizationSpec], Sequence[Document]]
"""The Flux documents that a unit renders. Raises WeirError."""


def left_to_its_unit(loaded: Loaded, source: SourceConfig, render: Render) -> Loaded:
    """The documents of the path; when a unit applies this very path, only that unit and its source.

    The others come from the unit, as it renders them: with its patches and variables, at its source's revision, none
    that is new while it is suspended, and removed as it prunes.
    """
    unit = _unit_of(loaded.documents, source)
    if unit is None:
        return loaded
    own = {unit.id, unit.source}
    kept = {_id_of(document): document for document in loaded.documents if _id_of(document) in own}
    for document in _settled(unit, source, render):
        if (name := _id_of(document)) in kept:
            kept[name] = replace(document, file=kept[name].file)
    return replace(loaded, documents=tuple(kept.values()))


def _settled(unit: KustomizationSpec, source: SourceConfig, render: Render) -> Sequence[Document]:
    """What a unit that may change itself renders once it is as it makes itself; nothing when it changes nothing.

    What goes wrong here goes wrong with the unit, too, which then says so.
    """
    documents: Sequence[Document] = ()
    with suppress(WeirError):
        for _ in range(_ROUNDS if _changes(unit) else 0):
            documents = render(unit)
            again = _unit_of(documents, source)
            if again is None or again.raw["spec"] == unit.raw["spec"]:
                break
            unit = again
    return documents


def _unit_of(documents: Iterable[Document], source: SourceConfig) -> KustomizationSpec | None:
    """The Kustomization that applies the path of a source, from a repository that it declares beside itself."""
    folder = folder_in_tree(source.path)
    found = [spec for spec in map(_parse, documents) if spec is not None and spec.path == folder]
    own = {
        _id_of(document)
        for document in documents
        if document.data.get("kind") == "GitRepository" and _is_of(document, source.url)
    }
    return next((spec for spec in found if spec.source in own), None)


def _parse(document: Document) -> KustomizationSpec | None:
    """A Kustomization's spec; None for another kind, and for one that is wrong, which is said elsewhere."""
    try:
        return parse_kustomization(document) if document.data.get("kind") == KIND else None
    except WeirError:
        return None


def _is_of(document: Document, url: str) -> bool:
    try:
        return _repository(parse_git_repository(document).url) == _repository(url)
    except WeirError:
        return False


def _repository(url: str) -> tuple[str | None, str]:
    """Which repository a URL names, by whatever protocol."""
    parts = urlsplit(url)
    return parts.hostname, parts.path.strip("/").removesuffix(".git")


def _id_of(document: Document) -> UnitId | None:
    try:
        return read_header(document).id
    except WeirError:
        return None


def _changes(unit: KustomizationSpec) -> bool:
    """Whether a unit makes other documents of those that its path builds to."""
    return bool(
        unit.post_build
        or unit.patches
        or unit.components
        or unit.target_namespace
        or unit.name_prefix
        or unit.name_suffix
        or unit.images
        or unit.common_labels
        or unit.common_annotations
    )
