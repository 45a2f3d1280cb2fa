"""Refusals of the API server as sentences: which object, which field, what is wrong, what to do."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final

from weir.edges.kube.errors import KubeStatusError, describe
from weir.objects import annotations as marks
from weir.spec.identity import ObjectId

Obj = dict[str, Any]

_MOST_VALUES: Final = 5000


def refusal_text(
    item: ObjectId, err: KubeStatusError, desired: Obj | None, live: Obj | None, *, confidential: bool
) -> str:
    """`Kind/namespace/name: field: what is wrong; what to do`, without secret values."""
    secrets = list(secret_values((desired, live))) if confidential else []
    text = describe(err, secrets, confidential=confidential)
    hint = _hint(err)
    return f"{item}: {text}; {hint}" if hint else f"{item}: {text}"


def _hint(err: KubeStatusError) -> str:
    if err.missing_namespace:
        return "create the Namespace first, in this unit or in one it depends on"
    if err.immutable:
        return f"annotate the object with {marks.FORCE}: enabled to delete and create it again"
    if "field not declared in schema" in err.message:
        return "correct the field's name, or apply the CustomResourceDefinition that knows it first"
    return err.hint


def forbidden_to_write(err: KubeStatusError) -> bool:
    """Whether the identity lacks the right to patch or create, as opposed to admission saying no."""
    words = (
        "cannot patch resource",
        "cannot create resource",
        "cannot delete resource",
        "cannot impersonate resource",
    )
    return err.status == HTTPStatus.FORBIDDEN and any(word in err.message for word in words)


def secret_values(objects: Iterable[Obj | None]) -> Iterator[str]:
    """Every text that a Secret, or an object with secret values, holds outside its metadata."""
    for obj in objects:
        for key, value in (obj or {}).items():
            if key in ("data", "stringData") and isinstance(value, dict):
                yield from _data(value)
            elif key not in ("apiVersion", "kind", "metadata", "type", "status"):
                yield from _texts(value)


def _data(data: Obj) -> Iterator[str]:
    for value in data.values():
        if not isinstance(value, str):
            yield from _texts(value)
            continue
        yield value
        try:
            yield base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            continue


def _texts(value: Any) -> Iterator[str]:
    stack, count = [value], 0
    while stack and count < _MOST_VALUES:
        item = stack.pop()
        count += 1
        if isinstance(item, dict):
            stack.extend(item.values())
            stack.extend(item)
        elif isinstance(item, list):
            stack.extend(item)
        elif item is not None and not isinstance(item, bool):
            yield str(item)
