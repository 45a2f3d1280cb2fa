"""Which units a page shows: the filter that its address holds. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final
from urllib.parse import urlencode

from weir.watch.view import Health, Sync, UnitView

PAGE: Final = 200
"""Units on one page."""
_LONGEST: Final = 200
"""Characters of one filter."""
_WORST_FIRST: Final = (
    Health.DEGRADED,
    Health.MISSING,
    Health.PROGRESSING,
    Health.UNKNOWN,
    Health.HEALTHY,
    Health.SUSPENDED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A filter; an empty text lets everything through."""

    q: str = ""
    """Words that the unit's texts must hold, whatever their case."""
    kind: str = ""
    namespace: str = ""
    sync: str = ""
    health: str = ""
    page: str = ""
    """Number of the page, the first is 1."""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Selection:
        """The filter in an address; what it does not know is left out."""
        known = [field.name for field in fields(cls)]
        return cls(**{name: query[name].strip()[:_LONGEST] for name in known if name in query})

    @property
    def number(self) -> int:
        """The page's number."""
        return max(int(self.page), 1) if self.page.isascii() and self.page.isdigit() else 1

    @property
    def filters(self) -> bool:
        """Whether it leaves anything out."""
        return any((self.q, self.kind, self.namespace, self.sync, self.health))

    def link(self, **changed: str) -> str:
        """The address of the list with other values; always from the first page unless `page` is given."""
        wanted = replace(self, **{"page": "", **changed})
        pairs = [(field.name, str(getattr(wanted, field.name))) for field in fields(wanted)]
        query = urlencode([(name, value) for name, value in pairs if value])
        return f"/?{query}" if query else "/"

    def picks(self, unit: UnitView) -> bool:
        """Whether a unit is shown."""
        exact = (
            (self.kind, unit.id.kind),
            (self.namespace, unit.id.namespace),
            (self.sync, unit.sync.value),
            (self.health, unit.health.value),
        )
        if any(wanted not in ("", found) for wanted, found in exact):
            return False
        text = f"{unit.id} {unit.source or ''} {unit.revision} {unit.message}".casefold()
        return all(word in text for word in self.q.casefold().split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of the units that were picked."""

    units: Sequence[UnitView]
    total: int
    """All that were picked."""
    number: int
    pages: int


def listing(units: Iterable[UnitView], selection: Selection) -> Listing:
    """The picked units, those with problems first."""
    picked = sorted(filter(selection.picks, units), key=_urgency)
    pages = max((len(picked) + PAGE - 1) // PAGE, 1)
    number = min(selection.number, pages)
    shown = picked[(number - 1) * PAGE : number * PAGE]
    return Listing(units=shown, total=len(picked), number=number, pages=pages)


def _urgency(unit: UnitView) -> tuple[bool, int, bool, tuple[str, str, str]]:
    worst = _WORST_FIRST.index(unit.health)
    return not unit.failed, worst, unit.sync is Sync.SYNCED, (unit.id.namespace, unit.id.kind, unit.id.name)


def counted(units: Sequence[UnitView]) -> tuple[list[tuple[Sync, int]], list[tuple[Health, int]]]:
    """How many units are in each state of sync and of health; states that none is in are left out."""
    syncs, healths = Counter(unit.sync for unit in units), Counter(unit.health for unit in units)
    return [(one, syncs[one]) for one in Sync if syncs[one]], [
        (one, healths[one]) for one in Health if healths[one]
    ]
