"""Rendered objects as bytes, and the digest that says whether they are still the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson


def canonical(objects: Sequence[Mapping[str, Any]]) -> bytes:
    """The objects as canonical JSON: keys sorted, objects in the order given."""
    return orjson.dumps(list(objects), option=orjson.OPT_SORT_KEYS)


def digest_of(payload: bytes) -> str:
    """`sha256:<hex>` of canonical bytes."""
    return f"sha256:{hashlib.sha256(payload).hexdigest()}"
