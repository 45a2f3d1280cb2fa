"""Who declared a unit that is not declared any more, as the unit's record remembers its document.

Rule: kustomize-controller prunes a Kustomization when the one that owns it was applied without it, and never when the
object says `prune: disabled` or the owner's spec.prune is false.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from weir.objects.annotations import PRUNE, carries, owner
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord


def parent_of(record: UnitRecord) -> UnitId | None:
    """The Kustomization that rendered the unit's document, which carries its owner's labels as every object does.

    None for a unit of the stack's own documents, and for a record without a readable document.
    """
    namespace, name = owner(_document(record))
    return UnitId("Kustomization", namespace, name) if name else None


def why_kept(record: UnitRecord, read: Callable[[UnitId], UnitRecord | None]) -> str:
    """Why Flux would not delete the unit although its document is gone; empty when it would. Raises what `read` does.

    `read` gives another unit's record.
    """
    if carries(_document(record), PRUNE, "disabled"):
        return f"its document says {PRUNE}: disabled"
    parent = parent_of(record)
    known = read(parent) if parent else None
    spec = _document(known).get("spec") if known else None
    if isinstance(spec, dict) and spec.get("prune") is False:
        return f"spec.prune of {parent} is false"
    return ""


def _document(record: UnitRecord) -> dict[str, Any]:
    try:
        found = orjson.loads(record.document)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
