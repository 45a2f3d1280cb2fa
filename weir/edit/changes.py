"""What an edit did to one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weir.edit.nodes import Leaf, YamlText, path_text
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One scalar that got a new value."""

    setter: str
    """What asked for it: `namespace:policy[:part]` as in the marker, or the name of the container."""
    file: str
    line: int
    """From 1."""
    field: str
    """`spec.template.spec.containers[0].image`."""
    object: ObjectId
    """The document it stands in; a kustomization.yaml has no name."""
    api_version: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A file after an edit."""

    data: bytes
    changes: tuple[Change, ...] = ()
    """In the order of the text; empty when the bytes are the same as before."""
    unknown: tuple[tuple[int, str], ...] = ()
    """Line and policy of the markers whose policy chose no image; their values stay."""
    problems: tuple[SpecError, ...] = ()
    """One for each marker that cannot be followed; its value stays."""


def object_of(text: YamlText, document: int) -> tuple[ObjectId, str]:
    """Identity and API version of a document, as far as it says."""
    value = text.values[document]
    data: dict[str, Any] = value if isinstance(value, dict) else {}
    meta = data.get("metadata")
    known = {**data, "metadata": meta if isinstance(meta, dict) else {}}
    return ObjectId.of({**known, "kind": str(data.get("kind") or "")}), str(data.get("apiVersion") or "")


def change_of(text: YamlText, leaf: Leaf, *, setter: str, new: str) -> Change:
    """The record of a scalar's new value."""
    identity, api_version = object_of(text, leaf.document)
    return Change(
        setter=setter,
        file=text.file,
        line=leaf.node.line,
        field=path_text(leaf.path),
        object=identity,
        api_version=api_version,
        old=leaf.node.value,
        new=new,
    )
