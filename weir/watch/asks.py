"""What people and webhooks asked for, until it is done and, where the cluster holds the request, answered there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from weir.edges.kube.records import Records, Stored
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId
from weir.watch.behind import Ask
from weir.watch.journal import Journal


@dataclass(slots=True)
class Asks:
    """Not thread-safe: the loop's. `apart` does something in another thread."""

    records: Records
    journal: Journal
    apart: Callable[[Callable[[], None]], object]
    _units: set[UnitId] = field(default_factory=set)
    """Kustomizations that the next run is to reconcile, whether they are behind or not."""
    _requests: dict[UnitId, str] = field(default_factory=dict)
    """Requests in the cluster that are not answered yet."""
    _begun: dict[UnitId, str] = field(default_factory=dict)
    """What the run that goes on is to reconcile -> what its record said when it began."""
    _untouched: dict[UnitId, str] = field(default_factory=dict)
    """The same of runs that failed and left the record as it was: to answer would say that it was reconciled."""

    def is_new(self, stored: Stored) -> bool:
        """Whether a record holds a request that was not seen yet; from now on it was. Held units are left alone."""
        unit, asked = stored.record.id, stored.requested
        if stored.held or asked in ("", stored.handled, self._requests.get(unit)):
            return False
        self._requests[unit] = asked
        return True

    def add(self, unit: UnitId) -> None:
        """Have the next run reconcile a Kustomization."""
        self._units.add(unit)

    def join(self, ask: Ask | None) -> Ask | None:
        """The run that is needed together with what is asked for; None when neither is."""
        if not self._units or (ask is not None and not ask.targets):
            return ask
        units = tuple(sorted(self._units))
        if ask is None:
            return Ask(targets=units, why=f"{units[0]} was asked for")
        return Ask(targets=(*ask.targets, *units), why=ask.why)

    def begun(self, stored: Mapping[UnitId, Stored]) -> None:
        """A run began: it reconciles what was asked for."""
        self._begun = {unit: _says(stored, unit) for unit in self._units}
        self._units.clear()

    def ended(self, stored: Mapping[UnitId, Stored], *, well: bool, again: bool) -> None:
        """The run ended; `again` when it was asked to end, and the next one takes up what it did not come to."""
        known = {**self._untouched, **self._begun}
        left = {unit: said for unit, said in known.items() if _says(stored, unit) == said}
        self._untouched = {} if well else left
        if again:
            self._units |= self._begun.keys() & left.keys()
        self._begun = {}

    def done(self, units: Collection[UnitId] | None = None) -> None:
        """Answer the requests for these units, or for all; those that wait for a run stay."""
        chosen = self._requests.keys() if units is None else self._requests.keys() & set(units)
        for unit in chosen - self._units - self._untouched.keys():
            self._answer(unit, self._requests.pop(unit))

    def _answer(self, unit: UnitId, asked: str) -> None:
        def write() -> None:
            try:
                self.records.handle(unit, asked)
            except WeirError as err:
                self.journal.error(f"a request cannot be answered: {err}", unit)

        self.apart(write)


def _says(stored: Mapping[UnitId, Stored], unit: UnitId) -> str:
    """A digest of what a unit's record says, whoever annotated it."""
    found = stored.get(unit)
    return found.version.partition("/")[2] if found else ""
