"""The Kubernetes objects of a YAML file and where in it they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from weir.edit.image_places import value_at
from weir.edit.nodes import Path, YamlText
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One object, or what stands in the place of one."""

    id: ObjectId
    """As far as the text says: a kustomization.yaml has no name, and a namespace may be missing."""
    document: int
    """From 0."""
    base: Path
    """The way from the document's root: empty, or `items` and a position for the item of a list."""
    data: dict[str, Any]


def placed_objects(text: YamlText) -> Iterator[Placed]:
    """All documents that are mappings; `List` kinds are unfolded into their items."""
    for document in range(len(text.values)):
        yield from _in_document(text, document)


def find_object(text: YamlText, wanted: ObjectId) -> Placed:
    """The one object of that identity. Raises SpecError when there is none, or more than one."""
    found = [placed for placed in placed_objects(text) if placed.id == wanted]
    if len(found) != 1:
        expected = "it once in this file"
        raise SpecError.at(text.file, str(wanted), found=f"it {len(found)} times", expected=expected)
    return found[0]


def object_at(text: YamlText, document: int, path: Path) -> Placed:
    """The object that a place belongs to."""
    data = _mapping(text.values[document])
    items = _items(data)
    if items is None:
        return _placed(document, (), data)
    item = _mapping(value_at({"items": items}, path[:2]))
    return _placed(document, path[:2] if item else (), item)


def _in_document(text: YamlText, document: int) -> Iterator[Placed]:
    data = _mapping(text.values[document])
    items = _items(data)
    if items is not None:
        for position, item in enumerate(items):
            if isinstance(item, dict):
                yield _placed(document, ("items", position), item)
    elif data:
        yield _placed(document, (), data)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(data: dict[str, Any]) -> list[Any] | None:
    """What a `List` kind holds, None for another object."""
    items = data.get("items")
    return items if str(data.get("kind") or "").endswith("List") and isinstance(items, list) else None


def _placed(document: int, base: Path, data: dict[str, Any]) -> Placed:
    meta = data.get("metadata")
    known = meta if isinstance(meta, dict) else {}
    names = {key: str(known.get(key) or "") for key in ("namespace", "name")}
    version, kind = str(data.get("apiVersion") or ""), str(data.get("kind") or "")
    identity = ObjectId.of({"apiVersion": version, "kind": kind, "metadata": names})
    return Placed(id=identity, document=document, base=base, data=data)
