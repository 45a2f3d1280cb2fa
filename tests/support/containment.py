"""Whether everything a manifest says is so in the live object, in Kubernetes' sense of equal."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

Path_ = tuple[str | int, ...]

_QUANTITY: Final = re.compile(r"([+-]?\d+(?:\.\d+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?", re.ASCII)
_SUFFIX: Final[dict[str | None, Decimal]] = {
    None: Decimal(1),
    "m": Decimal("0.001"),
    **{name: Decimal(1000) ** power for power, name in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate(("K", "M", "G", "T", "P", "E"), 1)},
}
_KEYS: Final = (
    ("name",),
    ("key",),
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("mountPath",),
    ("type",),
)
"""Fields by which elements of a list are matched, tried in order."""


def missing(desired: Any, live: Any, path: Path_) -> Iterator[str]:
    """One sentence for each value of `desired` that `live` does not hold."""
    if desired is None or (desired in ({}, [], "", False) and live is None):
        return
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        for key, value in _plain(desired, path).items():
            yield from missing(value, live.get(key), (*path, str(key)))
    elif isinstance(desired, list) and isinstance(live, list):
        yield from _list(desired, live, path)
    elif not _equal(desired, live):
        yield f"{'.'.join(map(str, path))}: wanted {_short(desired)}, is {_short(live)}"


def _plain(desired: Mapping[str, Any], path: Path_) -> Mapping[str, Any]:
    """A Secret's stringData is found as data."""
    if path or desired.get("kind") != "Secret" or "stringData" not in desired:
        return desired
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in desired["stringData"].items()}
    rest = {key: value for key, value in desired.items() if key != "stringData"}
    return {**rest, "data": {**(desired.get("data") or {}), **encoded}}


def _list(desired: list[Any], live: list[Any], path: Path_) -> Iterator[str]:
    fields = _match_by(desired, live)
    if fields is None:
        if len(desired) != len(live):
            yield f"{'.'.join(map(str, path))}: wanted {len(desired)} elements, has {len(live)}"
            return
        for index, (one, other) in enumerate(zip(desired, live, strict=True)):
            yield from missing(one, other, (*path, index))
        return
    found = {_key(item, fields): item for item in live}
    for item in desired:
        key = _key(item, fields)
        if key not in found:
            yield f"{'.'.join(map(str, path))}: no element {key}"
        else:
            yield from missing(item, found[key], (*path, "/".join(map(str, key))))


def _match_by(desired: Sequence[Any], live: Sequence[Any]) -> tuple[str, ...] | None:
    """The first set of fields that tells the elements of both lists apart."""
    both = (*desired, *live)
    if not both or not all(isinstance(item, Mapping) for item in both):
        return None
    for fields in _KEYS:
        if all(fields[0] in item for item in both):
            keys = [[_key(item, fields) for item in side] for side in (desired, live)]
            if all(len(set(side)) == len(side) for side in keys):
                return fields
    return None


def _key(item: Mapping[str, Any], fields: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(str(item.get(name, "TCP" if name == "protocol" else "")) for name in fields)


def _equal(desired: Any, live: Any) -> bool:
    if type(desired) is type(live) and desired == live:
        return True
    if isinstance(desired, bool) or isinstance(live, bool):
        return desired is live
    one, other = _number(desired), _number(live)
    return one is not None and one == other


def _number(value: Any) -> Decimal | None:
    match = _QUANTITY.fullmatch(str(value))
    return Decimal(match[1]) * _SUFFIX[match[2]] if match and value is not None else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
