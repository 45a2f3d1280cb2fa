"""The uid of what is no object of the cluster."""

from __future__ import annotations

import hashlib
from uuid import UUID

from weir.spec.identity import UnitId
from weir.spec.provider import KIND


def uid(unit: UnitId, stack: str) -> str:
    """What stands for a unit, a Provider or an Alert of a stack, in the form of a UUID: the same for ever.

    Nothing in the cluster has one: the ConfigMap of a unit's record is made after the first event, and made anew.
    """
    # the names of statuses hang on this, so that a Provider's stays without its kind
    kind = "" if unit.kind == KIND else f"{unit.kind}/"
    digest = hashlib.sha256(f"{stack}/{kind}{unit.namespace}/{unit.name}".encode()).hexdigest()
    return str(UUID(digest[:32], version=5))
