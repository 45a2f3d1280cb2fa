"""What an edit did to one file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from weir.edit.nodes import Leaf, YamlText, path_text
from weir.edit.placed import object_at
from weir.edit.splice import Edit, source_of, splice
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value that was replaced, added (`old` is empty) or removed (`new` is empty)."""

    setter: str
    """What asked for it: `namespace:policy[:part]` as in the marker, the container, or the annotation."""
    file: str
    line: int
    """From 1."""
    field: str
    """`spec.template.spec.containers[0].image`."""
    object: ObjectId
    """What it stands in; a kustomization.yaml has no name."""
    api_version: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A file after an edit."""

    data: bytes
    changes: tuple[Change, ...] = ()
    """In the order of the text; empty when the bytes are the same as before."""
    followed: frozenset[int] = frozenset()
    """Lines whose marker was followed, also where the value was right already."""
    unknown: tuple[tuple[int, str], ...] = ()
    """Line and policy of the markers whose policy chose no image; their values stay."""
    problems: tuple[SpecError, ...] = ()
    """One for each marker that cannot be followed; its value stays."""


@dataclass(frozen=True, slots=True)
class NewValue:
    """A value for a scalar, and the record of it."""

    edit: Edit
    change: Change


def new_value(text: YamlText, leaf: Leaf, *, setter: str, new: str) -> NewValue:
    """A value for a scalar. Raises SpecError when the scalar cannot be edited, as `source_of`."""
    source_of(text, leaf.node, leaf.path)
    placed = object_at(text, leaf.document, leaf.path)
    change = Change(
        setter=setter,
        file=text.file,
        line=leaf.node.line,
        field=path_text(leaf.path),
        object=placed.id,
        api_version=str(placed.data.get("apiVersion") or ""),
        old=leaf.node.value,
        new=new,
    )
    return NewValue(Edit(leaf.node, leaf.path, new), change)


def with_values(text: YamlText, values: Iterable[NewValue]) -> Edited:
    """The file with new values. A scalar that is given several gets the last. Raises SpecError, as `splice`."""
    last = {value.edit.node.start: value for value in values}
    found = [last[start] for start in sorted(last)]
    after = splice(text, [value.edit for value in found]) if found else text.encoded(text.text)
    return Edited(data=after, changes=tuple(value.change for value in found))
