"""Objects, a schema for them, and a model of what the API server keeps after an apply.

The model follows structured-merge-diff: leaves are owned by path, elements of keyed lists by key, values of sets by
value, atomic lists and maps as one. Live objects get fields and elements of others, as real ones do.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Obj = dict[str, Any]
Path = tuple[Any, ...]
VERSION = "example.com/v1"

scalars = st.one_of(
    st.text("ab1", min_size=0, max_size=3),
    st.integers(-2, 2),
    st.booleans(),
    st.sampled_from(["1", "1000m", "true", "a/b"]),
)
keys = st.sampled_from(["image", "size", "mode", "x.y/z", "limits", "value", "protocol"])
atoms = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=2),
    max_leaves=4,
)


@dataclass(frozen=True)
class Node:
    """A desired value and how the schema merges it: leaf, atomic, map, keyed or set."""

    merge: str
    value: Any
    children: tuple[tuple[str, Node], ...] = ()


def leaf() -> st.SearchStrategy[Node]:
    return scalars.map(lambda value: Node("leaf", value)) | st.lists(atoms, min_size=1, max_size=3).map(
        lambda value: Node("atomic", value)
    )


def sets() -> st.SearchStrategy[Node]:
    return st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=3, unique=True).map(
        lambda value: Node("set", value)
    )


def maps(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.dictionaries(keys, inner, min_size=1, max_size=3).map(
        lambda found: Node("map", None, tuple(found.items()))
    )


def keyed(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    element = st.dictionaries(keys, inner, max_size=2).map(
        lambda found: Node("map", None, tuple(found.items()))
    )
    names = st.sampled_from(["web", "side", "init"])
    return st.dictionaries(names, element, min_size=1, max_size=3).map(
        lambda found: Node("keyed", None, tuple(found.items()))
    )


nodes = st.recursive(leaf(), lambda inner: maps(inner) | keyed(inner) | sets(), max_leaves=8)
specs = maps(nodes)


def written(node: Node) -> Any:
    """The value as Git holds it."""
    if node.merge == "map":
        return {key: written(child) for key, child in node.children}
    if node.merge == "keyed":
        return [{"name": name, **written(child)} for name, child in node.children]
    return copy.deepcopy(node.value)


def owned(node: Node) -> Obj:
    """The fieldsV1 that an apply of the value leaves."""
    if node.merge == "map":
        return {f"f:{key}": owned(child) for key, child in node.children}
    if node.merge == "keyed":
        return {
            f"k:{json.dumps({'name': name}, separators=(',', ':'))}": {".": {}, "f:name": {}, **owned(child)}
            for name, child in node.children
        }
    if node.merge == "set":
        return {f"v:{json.dumps(value)}": {} for value in node.value}
    return {}


def kept(node: Node) -> Any:
    """The live value: what was written, and what defaults and others added where the schema lets them."""
    if node.merge == "map":
        return {**{key: kept(child) for key, child in node.children}, "defaulted": "Always"}
    if node.merge == "keyed":
        own = [{"name": name, **kept(child)} for name, child in node.children]
        return [{"name": "injected"}, *own]
    if node.merge == "set":
        return ["foreign", *node.value]
    return copy.deepcopy(node.value)


def pair(node: Node) -> tuple[Obj, Obj]:
    """A desired object, and the live one right after its apply."""
    labels = {"app": "web"}
    desired = {
        "apiVersion": VERSION,
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "prod", "labels": dict(labels)},
        "spec": written(node),
    }
    live: Obj = copy.deepcopy(desired)
    live["spec"] = kept(node)
    live["status"] = {"phase": "Done"}
    fields = {"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": owned(node)}
    live["metadata"] |= {
        "uid": "1",
        "resourceVersion": "5",
        "managedFields": [
            {
                "manager": "weir",
                "operation": "Apply",
                "apiVersion": VERSION,
                "fieldsType": "FieldsV1",
                "fieldsV1": fields,
            },
            {"manager": "operator", "operation": "Update", "apiVersion": VERSION, "fieldsV1": {"f:spec": {}}},
        ],
    }
    return desired, live


def places(node: Node, path: Path = ("spec",)) -> Iterator[tuple[str, Path]]:
    """Every owned place in the written value, with its kind; list elements by position."""
    if node.merge == "map":
        for key, child in node.children:
            yield from places(child, (*path, key))
    elif node.merge == "keyed":
        for index, (_, child) in enumerate(node.children):
            yield "element", (*path, index)
            for key, inner in child.children:
                yield from places(inner, (*path, index, key))
    else:
        yield node.merge, path


def live_path(obj: Obj, live: Obj, path: Path) -> Path:
    """The same place in the live object, where keyed lists hold foreign elements too."""
    found: list[Any] = []
    written_at: Any = obj
    live_at: Any = live
    for step in path:
        written_at, place = written_at[step], step
        if isinstance(step, int):
            name = written_at["name"]
            place = next(index for index, item in enumerate(live_at) if item["name"] == name)
        live_at = live_at[place]
        found.append(place)
    return tuple(found)


def forget(trie: Obj, path: tuple[str, ...]) -> None:
    """Take a path out of a trie, and the nodes that only led to it."""
    below = at(trie, path[:-1])
    del below[path[-1]]
    if not below and len(path) > 1:
        forget(trie, path[:-1])


def at(value: Any, path: Path) -> Any:
    """The value at a path."""
    for step in path:
        value = value[step]
    return value


tries: st.SearchStrategy[Obj] = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(
        st.sampled_from(["f:a", "f:b", "f:c", ".", 'k:{"name":"x"}', 'v:"y"']), inner, min_size=1, max_size=3
    ).map(lambda found: {step: {} if step == "." else below for step, below in found.items()}),
    max_leaves=6,
)
