"""The objects of one unit as a run would apply them, without a cluster being touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from weir.edges.runs import objects_file
from weir.flow.outcome import UnitOutcome
from weir.flow.session import Session
from weir.flow.source_work import Overrides
from weir.spec.errors import RenderError
from weir.spec.identity import ObjectId, UnitId

Obj = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a unit renders."""

    objects: tuple[Obj, ...]
    """Sorted by identity; Flux's own kinds behind the others."""
    confidential: frozenset[ObjectId]
    """Secrets, and objects that hold the value of a secret variable."""
    warnings: tuple[str, ...]


def build_unit(session: Session, overrides: Overrides, choose: Callable[[Iterable[UnitId]], UnitId]) -> Built:
    """Render the unit that `choose` takes out of those that the stack declares, from what Git or `overrides` hold.

    Raises:
        SpecError: `choose` found none.
        RenderError: the unit cannot be rendered; the text says why.
    """
    apart = session.apart(overrides)
    units = {outcome.id: outcome for outcome in apart.ahead if isinstance(outcome, UnitOutcome)}
    outcome = units[choose(units)]
    if outcome.error:
        raise RenderError(outcome.error)
    objects: list[Obj] = orjson.loads(apart.run.read(objects_file(outcome.id)) or b"[]")
    children = [one for one in apart.ahead.units.values() if one.parent == str(outcome.id)]
    rendered = (*objects, *(one.document.data for one in sorted(children, key=lambda one: one.spec.id)))
    return Built(objects=rendered, confidential=outcome.secret_ids, warnings=outcome.warnings)
