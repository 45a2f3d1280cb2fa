"""How many units of each kind there are, and how they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weir.edges.store import Store
from weir.spec.errors import ArtifactError
from weir.spec.record import UnitRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class KindStats:
    """One kind."""

    kind: str
    running: int
    """All but the suspended ones."""
    failing: int
    suspended: int
    storage: int | None
    """Bytes of the artifacts as this machine keeps them; None when it keeps none."""


def kind_stats(kind: str, records: Sequence[UnitRecord], store: Store) -> KindStats:
    """One kind, of the records of a stack."""
    mine = [record for record in records if record.id.kind == kind]
    suspended = sum(record.suspended for record in mine)
    sizes = [_size(store, digest) for digest in {record.digest for record in mine if record.digest}]
    kept = [size for size in sizes if size is not None]
    return KindStats(
        kind=kind,
        running=len(mine) - suspended,
        failing=sum(bool(record.ready and record.ready.status == "False") for record in mine),
        suspended=suspended,
        storage=sum(kept) if kept else None,
    )


def _size(store: Store, digest: str) -> int | None:
    try:
        return sum(file.size for file in store.tree(digest).files.values())
    except ArtifactError:
        return None
