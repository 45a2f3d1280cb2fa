"""Annotations of one object added, replaced and removed in YAML text; every other byte stays.

A new annotation becomes the first of its mapping. Removing the last one removes `annotations` too, so that adding and
removing gives the text that was there before.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Final

from weir.edit.changes import Change, Edited
from weir.edit.entries import Entry, entry_of, with_entry, without_entry
from weir.edit.image_places import value_at
from weir.edit.nodes import YamlText, path_text, read_text
from weir.edit.placed import Placed, find_object
from weir.edit.policy import annotations_of, spellings
from weir.edit.splice import Edit, splice
from weir.spec.documents import load_yaml
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId

_ANNOTATIONS: Final = ("metadata", "annotations")
_STEP: Final = 2
"""Characters of indentation where nothing shows the file's own."""


def set_policy(data: bytes, file: str, wanted: ObjectId, values: Mapping[str, str | None]) -> Edited:
    """A file in which a workload says something else about its images: `{"automated": "true", "locked": None}`.

    None removes every spelling of a thing. A value goes to the spelling that counts, or to a new `fluxcd.io/` one.

    Raises:
        SpecError: as `set_annotations`.
    """
    present = annotations_of(find_object(read_text(data, file), wanted).data)
    keys: dict[str, str | None] = {}
    for name, value in values.items():
        known = [key for key in spellings(name) if key in present]
        if value is None:
            keys |= dict.fromkeys(known)
        else:
            keys[(known or spellings(name))[0]] = value
    return set_annotations(data, file, wanted, keys)


def set_annotations(data: bytes, file: str, wanted: ObjectId, values: Mapping[str, str | None]) -> Edited:
    """A file in which one object has these annotations; None removes one.

    Raises:
        SpecError: no such object, or its text is written in a way that cannot be edited in place; names file and line.
    """
    changes: list[Change] = []
    for key, value in values.items():
        text = read_text(data, file)
        placed = find_object(text, wanted)
        present = annotations_of(placed.data)
        if value == present.get(key) and (value is not None or key not in present):
            continue
        data, line = _set(text, placed, key, value)
        changes.append(
            Change(
                setter=key,
                file=file,
                line=line,
                field=path_text((*placed.base, *_ANNOTATIONS, key)),
                object=wanted,
                api_version=str(placed.data.get("apiVersion") or ""),
                old=_shown(present.get(key)),
                new=value or "",
            )
        )
    return Edited(data=data, changes=tuple(changes))


def _set(text: YamlText, placed: Placed, key: str, value: str | None) -> tuple[bytes, int]:
    """The file with one annotation set or removed, and the line where it stands or stood."""
    root = text.find(placed.document, placed.base)
    meta = entry_of(text, root, _ANNOTATIONS[0])
    annotations = entry_of(text, meta.value, _ANNOTATIONS[1]) if meta else None
    present = entry_of(text, annotations.value, key) if annotations else None
    expected = f"{key} in the object's own annotations"
    missing = SpecError.at(text.file, str(placed.id), found="it elsewhere", expected=expected)
    if meta is None:
        raise missing
    if value is None:
        if annotations is None or present is None:
            raise missing
        last = len(annotations.value.entries) == 1
        parent, gone = (meta, annotations) if last else (annotations, present)
        return _proven(text, without_entry(text, parent, gone), placed, key, None), present.key.line
    if present:
        edit = Edit(present.value, (*placed.base, *_ANNOTATIONS, key), value)
        return splice(text, [edit]), present.key.line
    after, line = _added(text, meta, annotations, key, value)
    return _proven(text, after, placed, key, value), line


def _added(text: YamlText, meta: Entry, annotations: Entry | None, key: str, value: str) -> tuple[str, int]:
    first = meta.key
    step = max(1, meta.value.entries[0][0].column - first.column) if meta.value.entries else _STEP
    parent, path = (meta, (_ANNOTATIONS[1], key)) if annotations is None else (annotations, (key,))
    line = parent.value.line if parent.value.flow else parent.key.line + len(path)
    return with_entry(text, parent, path, value, step), line


def _proven(text: YamlText, after: str, placed: Placed, key: str, value: str | None) -> bytes:
    """The new text as bytes, once it has been read again. Raises SpecError."""
    values = copy.deepcopy(text.values)
    meta = value_at(values[placed.document], (*placed.base, _ANNOTATIONS[0]))
    annotations = dict(meta.get(_ANNOTATIONS[1]) or {})
    annotations.pop(key, None)
    if value is not None:
        annotations[key] = value
    meta |= {_ANNOTATIONS[1]: annotations}
    if not annotations:
        del meta[_ANNOTATIONS[1]]
    if load_yaml(after, text.file).values != values:
        raise SpecError.at(
            text.file,
            f"{placed.id}: {key}",
            found="a text that would mean something else after the edit",
            expected="only this annotation to differ",
            hint="edit this place by hand, and report the file",
        )
    return text.encoded(after)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
