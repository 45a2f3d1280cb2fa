"""Units that people suspended by hand in the cluster: to a run they are suspended as if their specs said so."""

from __future__ import annotations

from collections.abc import Callable

from weir.flow.clusters import Clusters
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId

Holds = Callable[[], frozenset[UnitId]]


def read_holds(clusters: Clusters) -> frozenset[UnitId]:
    """The units of the stack that are held. None when the cluster cannot say: then no unit can be applied either."""
    try:
        return clusters.records.holds()
    except WeirError:
        return frozenset()
