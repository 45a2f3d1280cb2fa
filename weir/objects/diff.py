"""Which fields of a live object an apply would change, as data, with secrets masked before they leave.

Compared are the live object and the server's answer to a dry-run apply, so defaults and conversions do not show.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from weir.objects.values import Json, Obj
from weir.spec.changes import FieldChange

CUT: Final = 120
"""Characters of a value that are shown."""
MASK: Final = "***"
_IGNORED_META: Final = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"}
)
_IGNORED: Final = frozenset({"apiVersion", "kind", "metadata", "status"})
_COUNTER: Final = "deprecated.daemonset.template.generation"
"""An annotation that the server itself counts up."""
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ABSENT: Final = object()
_LEAD: Final = 20

Pair = tuple[str, Any, Any]


def field_changes(live: Obj, merged: Obj) -> tuple[FieldChange, ...]:
    """The fields that differ between the live object and what an apply would make of it, in path order.

    Elements of a list whose elements all have a unique `name` are addressed by it (`containers[web].image`), others
    by index. Values of a Secret are `***`, and so is its last-applied annotation. Long values are cut around the first
    difference. The server's own bookkeeping and `status` do not count.
    """
    secret = merged.get("kind") == "Secret" or live.get("kind") == "Secret"
    return tuple(
        _change(path, old, new, secret=secret) for path, old, new in sorted(_pairs(live, merged), key=_path)
    )


def _path(pair: Pair) -> str:
    return pair[0]


def _pairs(live: Obj, merged: Obj) -> Iterator[Pair]:
    old_meta, new_meta = (
        {key: value for key, value in (obj.get("metadata") or {}).items() if key not in _IGNORED_META}
        for obj in (live, merged)
    )
    for meta in (old_meta, new_meta):
        if _COUNTER in (meta.get("annotations") or {}):
            meta["annotations"] = {key: text for key, text in meta["annotations"].items() if key != _COUNTER}
    yield from _walk("metadata", old_meta, new_meta)
    old, new = ({key: value for key, value in obj.items() if key not in _IGNORED} for obj in (live, merged))
    yield from _walk("", old, new)


def _walk(path: str, old: Json, new: Json) -> Iterator[Pair]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _step(_join(path, key), old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _walk_list(path, old, new)
    elif not _same(old, new):
        yield path, old, new


def _step(path: str, old: Json, new: Json) -> Iterator[Pair]:
    """One field that may be absent on one side; a map that appears or goes is shown by its fields."""
    if old is _ABSENT and isinstance(new, dict) and new:
        old = {}
    elif new is _ABSENT and isinstance(old, dict) and old:
        new = {}
    yield from _walk(path, old, new)


def _walk_list(path: str, old: list[Any], new: list[Any]) -> Iterator[Pair]:
    named = _names(old), _names(new)
    if named[0] is None or named[1] is None:
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else _ABSENT
            after = new[index] if index < len(new) else _ABSENT
            yield from _whole(f"{path}[{index}]", before, after)
        return
    before_names, after_names = named[0], named[1]
    for name in {**before_names, **after_names}:
        yield from _whole(f"{path}[{name}]", before_names.get(name, _ABSENT), after_names.get(name, _ABSENT))
    stayed = [name for name in before_names if name in after_names]
    moved = [name for name in after_names if name in before_names]
    if stayed != moved:
        yield f"{path}(order)", ", ".join(before_names), ", ".join(after_names)


def _whole(path: str, old: Json, new: Json) -> Iterator[Pair]:
    """One element of a list: shown whole when it appears or goes."""
    if old is _ABSENT or new is _ABSENT:
        yield path, old, new
    else:
        yield from _walk(path, old, new)


def _names(items: list[Any]) -> Obj | None:
    """The elements by name, None when some have none or share one. An empty list has no element without a name."""
    found: Obj = {}
    for item in items:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or name in found:
            return None
        found[name] = item
    return found


def _same(old: Json, new: Json) -> bool:
    return type(old) is type(new) and bool(old == new)


def _join(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def _change(path: str, old: Json, new: Json, *, secret: bool) -> FieldChange:
    if secret and _is_secret(path):
        both = old is not _ABSENT and new is not _ABSENT
        return FieldChange(
            path,
            None if old is _ABSENT else f"{MASK} (before)" if both else MASK,
            None if new is _ABSENT else f"{MASK} (after)" if both else MASK,
        )
    before, after = _text(old), _text(new)
    if before is not None and before == after:
        before, after = json.dumps(old), json.dumps(new)
    return FieldChange(path, *_cut(before, after))


def _is_secret(path: str) -> bool:
    return path.startswith(("data", "stringData")) or _LAST_APPLIED in path


def _text(value: Json) -> str | None:
    if value is _ABSENT:
        return None
    if isinstance(value, str):
        return value.replace("\n", "\\n")
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _cut(old: str | None, new: str | None) -> tuple[str | None, str | None]:
    """Both texts within the limit, and still different to the eye."""
    if old is None or new is None:
        return _shorten(old, 0), _shorten(new, 0)
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    start = max(0, same - _LEAD) if max(len(old), len(new)) > CUT else 0
    return _shorten(old, start), _shorten(new, start)


def _shorten(text: str | None, start: int) -> str | None:
    if text is None or (len(text) <= CUT and not start):
        return text
    head = "..." if start else ""
    body = text[start : start + CUT - len(head)]
    return f"{head}{body[: CUT - len(head) - 3]}..." if start + len(body) < len(text) else f"{head}{body}"
