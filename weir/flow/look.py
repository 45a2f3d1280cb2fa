"""What a stack declares and renders at present, as Git has it: nothing is chosen, nothing is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from weir.edges.runs import claims_file
from weir.flow.outcome import Outcome, Problem
from weir.flow.session import Session
from weir.flow.tree import Declared
from weir.spec.documents import Document
from weir.spec.identity import ObjectId, UnitId
from weir.spec.kustomization import KustomizationSpec

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The units of a stack and who renders which object."""

    session: Session
    units: Mapping[UnitId, Declared]
    owners: Mapping[ObjectId, tuple[UnitId, ...]]
    """Several when units apply to several clusters."""
    problems: tuple[str, ...]
    """What could not be read, fetched or rendered: the rest is there."""
    notices: Mapping[UnitId, Document] = field(default_factory=dict)
    """Alerts, Providers and Receivers."""

    def specs(self, kind: type[T]) -> Iterator[T]:
        """The declared specs of one kind, by their unit."""
        ordered = (self.units[unit].spec for unit in sorted(self.units))
        return (spec for spec in ordered if isinstance(spec, kind))


def look(session: Session) -> Present:
    """Read the stack's declarations, resolve its sources and render its units, in a folder of its own."""
    apart = session.apart()
    ahead = apart.ahead
    problems = tuple(filter(None, map(_problem, ahead)))
    owners: dict[ObjectId, tuple[UnitId, ...]] = defaultdict(tuple)
    for unit, declared in ahead.units.items():
        claims = (
            apart.run.read_json(claims_file(unit)) if isinstance(declared.spec, KustomizationSpec) else None
        )
        for entry in claims["ids"] if isinstance(claims, dict) else ():
            owners[ObjectId.from_entry(entry)] += (unit,)
    return Present(
        session=session,
        units=ahead.units,
        owners=dict(owners),
        problems=problems,
        notices=dict(ahead.notices),
    )


def _problem(outcome: Outcome) -> str:
    if isinstance(outcome, Problem):
        return outcome.message
    return f"{outcome.id}: {outcome.error}" if outcome.error else ""
