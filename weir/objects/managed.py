"""metadata.managedFields and its fieldsV1 tries, read and joined.

A node maps `f:<field>`, `k:<JSON of key fields>` (element of a keyed list), `v:<JSON>` (element of a set) or
`i:<index>` to child nodes; `.` marks that the node itself is owned too. No children: owned as one value, so an atomic
list or map ends here. Form: structured-merge-diff's fieldpath, served by the API server as FieldsV1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from weir.objects.values import Json, Obj

MANAGER: Final = "weir"
"""The field manager of everything Weir applies."""

Trie = Obj


def entries(live: Obj) -> list[Obj]:
    """The managedFields entries; an empty list when there are none."""
    meta = live.get("metadata")
    found = meta.get("managedFields") if isinstance(meta, dict) else None
    return found if isinstance(found, list) else []


def applied(live: Obj, manager: str = MANAGER) -> Obj | None:
    """The entry that the manager's server-side applies of the main resource left, if any."""
    for entry in entries(live):
        if (
            entry.get("manager") == manager
            and entry.get("operation") == "Apply"
            and not entry.get("subresource")
        ):
            return entry
    return None


def trie(entry: Mapping[str, Any]) -> Trie:
    """The entry's fieldsV1; empty when absent or in a form we do not know."""
    found = entry.get("fieldsV1")
    return found if isinstance(found, dict) and entry.get("fieldsType", "FieldsV1") == "FieldsV1" else {}


def owned_paths(live: Obj, manager: str = MANAGER) -> frozenset[tuple[str, ...]]:
    """The paths that the manager owns through server-side apply, as tuples of fieldsV1 steps."""
    entry = applied(live, manager)
    return frozenset(leaves(trie(entry))) if entry is not None else frozenset()


def leaves(node: Trie, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All owned paths of a trie. A node marked `.` is owned itself as well as its children."""
    for step, child in node.items():
        if step == ".":
            yield path
        elif not child:
            yield (*path, step)
        else:
            yield from leaves(child, (*path, step))


def union(left: Trie, right: Trie) -> Trie:
    """The paths of both. A node without children owns itself, which `.` must keep saying beside children."""
    if not left and not right:
        return {}
    joined: Trie = {} if left and right else {".": {}}
    for step in sorted({*left, *right}):
        if step in left and step in right:
            joined[step] = union(left[step], right[step])
        else:
            joined[step] = left[step] if step in left else right[step]
    return joined


@lru_cache(maxsize=65536)
def key_fields(step: str) -> tuple[tuple[str, Any], ...]:
    """The key fields and values in a `k:` step, `k:{"name":"web"}` -> (("name", "web"),); empty when unreadable."""
    try:
        found = json.loads(step[2:])
    except ValueError:
        return ()
    if not isinstance(found, dict) or any(isinstance(value, dict | list) for value in found.values()):
        return ()
    return tuple(found.items())


@lru_cache(maxsize=65536)
def set_value(step: str) -> Json:
    """The scalar in a `v:` step; None when unreadable."""
    try:
        return json.loads(step[2:])
    except ValueError:
        return None


def child(value: Json, step: str) -> tuple[bool, Any]:
    """Whether a value has the element that a step names, and that element."""
    kind, rest = step[:2], step[2:]
    if kind == "f:":
        return (True, value[rest]) if isinstance(value, dict) and rest in value else (False, None)
    if not isinstance(value, list):
        return False, None
    if kind == "k:":
        fields = key_fields(step)
        for item in value:
            if (
                fields
                and isinstance(item, dict)
                and all(key in item and item[key] == want for key, want in fields)
            ):
                return True, item
        return False, None
    if kind == "v:":
        wanted = set_value(step)
        return (True, wanted) if wanted in value else (False, None)
    return (True, value[int(rest)]) if rest.isdigit() and int(rest) < len(value) else (False, None)


def present(node: Trie, value: Json) -> Trie:
    """The part of a trie whose paths exist in a value."""
    kept: Trie = {}
    for step, below in node.items():
        if step == ".":
            kept[step] = {}
            continue
        found, item = child(value, step)
        if not found:
            continue
        rest = present(below, item) if below else {}
        if rest or not below:
            kept[step] = rest
    return kept
