"""What the cluster says about units beside their specs: who suspended them by hand, and which are another stack's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

from weir.edges.kube.errors import UnreachableError
from weir.flow.clusters import Clusters
from weir.flow.conflicts import refuse_other_stack
from weir.spec.errors import ClusterError, WeirError
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord

Holds = Callable[[], frozenset[UnitId]]
_AGAIN: Final = 5.0
"""Seconds that the second question may take."""


class Hands:
    """The hands on the units of one run. Thread-safe.

    To a run, a unit that is suspended by hand is suspended as if its spec said so.
    """

    def __init__(self, clusters: Clusters, *, wary: bool = False) -> None:
        """`wary`, as runs that apply are, takes no answer for no: what may be suspended stays as it is."""
        self.wary = wary
        self._clusters = clusters
        self._lock = threading.Lock()
        self._others: Mapping[UnitId, UnitRecord] = {}
        self._missed = False
        self._again: frozenset[UnitId] | ClusterError | None = None

    def read(self) -> frozenset[UnitId]:
        """The units of the stack that are held; none when the cluster does not say, which `holds` finds out later."""
        try:
            found = self._clusters.records.holds()
        except WeirError:
            self._missed = self.wary
            return frozenset()
        try:
            self._others = self._clusters.records.of_others()
        except WeirError:
            self._others = {}  # nobody's record is overwritten: whoever writes one looks first
        return found

    def holds(self, unit: UnitId) -> bool:
        """Whether a unit is held that `read` did not name because the cluster did not answer. It is asked once more.

        Raises:
            ClusterError: it answers, and does not say. One that is not reached applies nothing: each unit says so.
        """
        if not self._missed:
            return False
        with self._lock:
            if self._again is None:
                self._again = self._ask_again()
            if isinstance(self._again, ClusterError):
                raise ClusterError(
                    f"{unit}: cannot be seen whether it is suspended by hand, so it stays as it is: "
                    f"{self._again.message}",
                    hint=self._again.hint,
                )
            return unit in self._again

    def _ask_again(self) -> frozenset[UnitId] | ClusterError:
        try:
            return self._clusters.records.in_a_hurry(_AGAIN).holds()
        except UnreachableError:
            return frozenset()
        except ClusterError as err:
            return err
        except WeirError:
            return frozenset()

    def refuse_others(self, unit: UnitId) -> None:
        """Refuse a source or image whose record is another stack's. Raises ClusterError, as `refuse_other_stack`."""
        refuse_other_stack(self._others.get(unit), self._clusters.stack, self._clusters.options)
