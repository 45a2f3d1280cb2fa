"""Rendered objects for people's eyes: nothing of what is secret in them, unless that is asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from weir.spec.identity import ObjectId

MASK: Final = "***"
_FIRST: Final = ("apiVersion", "kind", "metadata")
_DATA: Final = ("data", "stringData")
_OPEN: Final = ("apiVersion", "kind")
_NAME: Final = ("name", "namespace")
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def ordered(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The object with what it is called before what is in it."""
    return {key: obj[key] for key in (*(key for key in _FIRST if key in obj), *obj)}


def masked(obj: Mapping[str, Any], confidential: Collection[ObjectId]) -> dict[str, Any]:
    """The object without secret values.

    Of a Secret, the keys stay. Of another object that holds the value of a secret variable, nobody can tell where, so
    only what it is called stays.
    """
    item = ObjectId.of(dict(obj))
    if item.kind == "Secret" and not item.group:
        return {key: _secret(key, value) for key, value in obj.items()}
    if item not in confidential:
        return dict(obj)
    meta = {key: value for key, value in obj["metadata"].items() if key in _NAME}
    hidden = {key: obj[key] if key in _OPEN else MASK for key in obj}
    return hidden | {"metadata": meta}


def _secret(key: str, value: Any) -> Any:
    if key in _DATA:
        return dict.fromkeys(value, MASK) if isinstance(value, dict) else MASK
    if key == "metadata" and _LAST_APPLIED in (value.get("annotations") or {}):
        return value | {"annotations": value["annotations"] | {_LAST_APPLIED: MASK}}
    return value
