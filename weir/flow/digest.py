"""Rendered objects as bytes, and the digest that says whether they are still the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from weir.spec.documents import Document


def canonical(objects: Sequence[Mapping[str, Any]]) -> bytes:
    """The objects as canonical JSON: keys sorted, objects in the order given."""
    return orjson.dumps(list(objects), option=orjson.OPT_SORT_KEYS)


def document_digest(document: Document) -> str:
    """The digest of a unit's own document, by which its record tells whether the unit was declared otherwise since."""
    return hashlib.sha256(orjson.dumps(document.data, option=orjson.OPT_SORT_KEYS)).hexdigest()


def digest_of(payload: bytes) -> str:
    """`sha256:<hex>` of canonical bytes."""
    return f"sha256:{hashlib.sha256(payload).hexdigest()}"
