"""What an apply makes of an object where the server's dry-run cannot tell. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from weir.objects import managed, takeover

Obj = dict[str, Any]
Path = tuple[str, ...]


def after_takeover(live: Obj, merged: Obj) -> Obj:
    """The dry-run's answer without the fields that go because a former manager's claims become Weir's.

    `merged` is the server's answer while those claims still stand. Once they are Weir's, the apply removes what was
    theirs, is nobody else's, and Git does not hold.
    """
    theirs, kept, whole = _claims(live, merged)
    result = copy.deepcopy(merged)
    above = {path[:length] for path in kept for length in range(1, len(path) + 1)}
    going = [
        path for path in theirs - above if not any(path[:length] in whole for length in range(1, len(path)))
    ]
    for path in sorted(going, key=len):
        _remove(result, path, above)
    _drop_leftovers(result["metadata"])
    return result


def _claims(live: Obj, merged: Obj) -> tuple[set[Path], set[Path], set[Path]]:
    """The paths that will have been ours, those that we apply or others keep, and which of these are one value."""
    mine = managed.applied(merged)
    foreign = set(takeover.foreign_managers(live))
    theirs = set(managed.owned_paths(live))
    kept: set[Path] = set()
    whole: set[Path] = set()
    for entry in managed.entries(merged):
        trie = managed.trie(entry)
        if entry is not mine and entry.get("manager") in foreign and not entry.get("subresource"):
            theirs.update(managed.leaves(trie))
        else:
            kept.update(managed.leaves(trie))
            whole.update(_whole(trie))
    return theirs, kept, whole


def _whole(trie: managed.Trie, path: Path = ()) -> Iterator[Path]:
    """The paths owned as one value, with everything below."""
    for step, below in trie.items():
        if below:
            yield from _whole(below, (*path, step))
        elif step != ".":
            yield (*path, step)


def _drop_leftovers(meta: Obj) -> None:
    for part, keys in (("annotations", takeover.ANNOTATIONS), ("labels", takeover.LABELS)):
        texts = meta.get(part) or {}
        for key in keys:
            texts.pop(key, None)
        if part in meta and not texts:
            del meta[part]


def _remove(obj: Obj, path: Path, above: set[Path]) -> None:
    """Take out what a path names, and what is empty without it and wanted by nobody."""
    value: Any = obj
    for step in path[:-1]:
        found, value = managed.child(value, step)
        if not found:
            return
    found, item = managed.child(value, path[-1])
    if not found:
        return
    if isinstance(value, dict):
        del value[path[-1][2:]]
    elif isinstance(value, list):
        value.remove(item)
    if not value and len(path) > 1 and path[:-1] not in above:
        _remove(obj, path[:-1], above)


def overlay(live: Obj, desired: Obj) -> Obj:
    """The live object with the desired one laid over it: maps by key, lists by `name` where all elements have one.

    A guess without the server: fields that Git dropped stay, and defaults are not known.
    """
    result = _overlay(live, desired)
    return dict(result)


def _overlay(live: Any, desired: Any) -> Any:
    if isinstance(live, dict) and isinstance(desired, dict):
        return {
            key: _overlay(live.get(key), desired[key]) if key in desired else live[key]
            for key in _keys(live, desired)
        }
    if isinstance(live, list) and isinstance(desired, list):
        known = _by_name(live)
        if known is not None and _by_name(desired) is not None:
            return [_overlay(known.get(item["name"]), item) for item in desired]
        if len(live) == len(desired):
            return [_overlay(old, new) for old, new in zip(live, desired, strict=True)]
    return desired


def _keys(live: Obj, desired: Obj) -> Iterator[str]:
    yield from live
    yield from (key for key in desired if key not in live)


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    found = {
        item["name"]: item for item in items if isinstance(item, dict) and isinstance(item.get("name"), str)
    }
    return found if len(found) == len(items) else None
