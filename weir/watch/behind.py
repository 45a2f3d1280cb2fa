"""Which units are behind what Git and the stack say, and what one run of the engine should be asked for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord

SOURCE: Final = "GitRepository"
_FIRST_RETRY: Final = 5.0
_LONGEST_RETRY: Final = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One unit as a look found it now."""

    id: UnitId
    source: UnitId | None = None
    """What a Kustomization is rendered from."""
    revision: str = ""
    digest: str = ""
    """Of a Kustomization's rendered objects; empty for other units."""
    document_digest: str = ""
    suspended: bool = False
    error: str = ""
    pending: str = ""
    """What an automation would write to Git; empty when nothing."""
    retry: float = 0.0
    """Seconds between tries of a unit that fails; 0 for a backoff."""

    @property
    def mark(self) -> str:
        """Differs when there is something new to try."""
        return "\n".join((*self.content, self.error, self.pending))

    @property
    def content(self) -> tuple[str, str, str]:
        """What Git and the cluster's values say; an error, unlike it, may differ from look to look."""
        return self.revision, self.digest, self.document_digest

    def is_news_after(self, before: Wanted | None) -> bool:
        """Whether Git or the cluster's values say something else than before."""
        return before is None or self.content != before.content


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One run of the engine."""

    targets: tuple[UnitId, ...] = ()
    """Units to target; empty for the whole stack."""
    why: str = ""
    """The first unit that is behind, and how many others."""


@dataclass(slots=True)
class _Try:
    mark: str
    again: float
    """From when the same may be tried again."""
    failures: int = 0


@dataclass(slots=True)
class Tries:
    """What was tried last for each unit, so that what fails is not tried again at once. Not thread-safe."""

    _tries: dict[UnitId, _Try] = field(default_factory=dict)

    def may(self, wanted: Wanted, now: float) -> bool:
        """Whether a run for the unit makes sense now: something is new, or its pause is over."""
        known = self._tries.get(wanted.id)
        return known is None or known.mark != wanted.mark or now >= known.again

    def wait(self, now: float) -> float:
        """Seconds until the next pause is over; an hour when there is none."""
        return min((one.again for one in self._tries.values() if one.again > now), default=now + 3600.0) - now

    def failed(self, wanted: Wanted, now: float) -> None:
        """A run did not bring the unit up to what is wanted."""
        known = self._tries.get(wanted.id)
        failures = known.failures + 1 if known and known.mark == wanted.mark else 1
        pause = wanted.retry or min(_FIRST_RETRY * 2.0 ** (failures - 1), _LONGEST_RETRY)
        self._tries[wanted.id] = _Try(wanted.mark, now + pause, failures)

    def succeeded(self, unit: UnitId) -> None:
        """The unit is as wanted."""
        self._tries.pop(unit, None)

    def judge(
        self,
        tried: Mapping[UnitId, Wanted],
        units: Mapping[UnitId, Wanted],
        records: Mapping[UnitId, UnitRecord],
        now: float,
    ) -> None:
        """After a run: note all that it did not bring up or did not remove; what is known no more is forgotten.

        `tried` is what was wanted when the run began: what came since need not wait.
        """
        for wanted in units.values():
            behind = is_behind(wanted, records.get(wanted.id))
            if behind and not wanted.is_news_after(tried.get(wanted.id)):
                self.failed(wanted, now)
            else:
                self.succeeded(wanted.id)
        for unit in records.keys() - units.keys():
            self.failed(Wanted(id=unit), now)
        self._tries = {unit: one for unit, one in self._tries.items() if unit in units or unit in records}

    def forget(self, unit: UnitId) -> None:
        """Somebody asked: its pause is over."""
        self._tries.pop(unit, None)


def is_behind(wanted: Wanted, record: UnitRecord | None) -> bool:
    """Whether a run would do something for the unit, judged by its record."""
    if wanted.suspended:
        return record is not None and not record.suspended
    if record is not None and record.held:
        return False
    if record is None or record.suspended or wanted.pending or wanted.error:
        return True
    ready = record.ready is not None and record.ready.status == "True"
    if not wanted.digest:
        return not ready or wanted.revision not in ("", record.revision)
    begun = not ready or bool(record.applying)
    moved = record.spec_digest not in ("", wanted.document_digest)
    return begun or moved or (record.revision, record.digest) != (wanted.revision, wanted.digest)


def ask_for(
    units: Mapping[UnitId, Wanted],
    records: Mapping[UnitId, UnitRecord],
    tries: Tries,
    now: float,
    *,
    complete: bool,
    busy: Collection[UnitId] = (),
) -> Ask | None:
    """The run that is needed now, None when everything is as it should be or must wait.

    Units that are in the stack already are targeted; a new one, or one that went away while the tree is complete,
    needs a run of the whole stack. Dependents follow their source, so a source is targeted rather than its units.
    `busy` are units that somebody else's run is at work on.
    """
    idle = [one for one in units.values() if one.id not in busy]
    behind = [one for one in idle if is_behind(one, records.get(one.id)) and tries.may(one, now)]
    missing = [unit for unit in records if unit not in units and unit not in busy] if complete else []
    gone = [unit for unit in missing if tries.may(Wanted(id=unit), now)]
    if not behind and not gone:
        return None
    names = sorted(str(one.id) for one in behind) or sorted(map(str, gone))
    why = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    sources = {one.source or one.id for one in behind}
    new = any(not _is_known(records.get(one.id)) for one in behind)
    if gone or new or any(source.kind != SOURCE or source not in records for source in sources):
        return Ask(why=why)
    return Ask(targets=tuple(sorted(sources)), why=why)


def _is_known(record: UnitRecord | None) -> bool:
    return record is not None and bool(record.revision or record.attempted)
