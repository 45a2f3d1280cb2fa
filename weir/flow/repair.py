"""One drifted object brought back to what its unit applied last, without the engine, by the code of every apply.

The order keeps a repair from ever undoing a newer revision: the live object is read first, then the unit's record, and
the write holds only while the live object is the one that was read. A run marks the record before its first write, so
either the mark is seen here, or its write comes later and wins. A run that found an object absent has nothing to write
about it: it takes the object out of the record and looks for it once more, and what was made here is looked up in the
record once more. Whoever comes second sees the other.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

import orjson

from weir.edges.kube import writing
from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.reading import read_one
from weir.edges.kube.records import Records, Stored
from weir.flow.checks import is_checked, passes, tells_health
from weir.flow.decisions import WRITES, Work, skipped
from weir.flow.plan import Request, decide_placed, guard_remade
from weir.flow.staging import Placed, place
from weir.flow.writes import Writer
from weir.objects import annotations as marks
from weir.objects.health import Health, health
from weir.objects.ignore import strip_ignored
from weir.objects.owned import Verdict, compare
from weir.objects.prune import may_prune
from weir.spec.errors import ApplyError, ClusterError, GuardError, WeirError
from weir.spec.identity import ObjectId

Obj = dict[str, Any]

POLICY: Final = "weir.dev/drift-policy"
"""Annotation of a Kustomization: `repair` (as without it) or `report`."""


_TRIES: Final = 6
"""Looks at an object that was created and that controllers write, before it is left for a while."""
_DELETED: Final = "was deleted"
_CHANGED: Final = "it changed meanwhile"
_GIVEN_UP: Final = "its unit gave it up meanwhile"


class Outcome(StrEnum):
    """How a look at one drifted object ended."""

    SAME = "same"
    REPAIRED = "repaired"
    REPORTED = "reported"
    LEFT = "left"
    """A run is at work on the unit, or another revision is applied: it is not this watcher's to judge now."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What was found about one object and what was done."""

    id: ObjectId
    outcome: Outcome
    missing: bool = False
    """Whether the object was not there."""
    text: str = ""
    """One sentence: which fields, from what to what, and who had changed them. Secret values are masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One unit as it was applied: what every object of it should be."""

    request: Request
    digest: str
    """Of the rendered objects, as in the unit's record."""
    placed: Mapping[ObjectId, tuple[Any, bytes]]
    """Object -> its API, and its normalised form as JSON: a few bytes for each, whatever the object."""

    @property
    def reports_only(self) -> bool:
        """Whether drift is told and left."""
        return self.request.spec.annotations.get(POLICY, "repair").lower() == "report"

    def find(self, item: ObjectId) -> Placed | None:
        """The object with its API, None when it is not the unit's."""
        found = self.placed.get(item)
        if found is None:
            return None
        return Placed(id=item, desired=orjson.loads(found[1]), resource=found[0], pending="")

    def is_as_desired(self, live: Obj) -> bool:
        """Whether a live object is certainly as it should be; also for objects that are left alone."""
        item = self.find(ObjectId.of(live))
        if item is None or marks.reconcile_disabled(item.desired, live):
            return True
        if marks.ssa_mode(item.desired, live) in ("Ignore", "IfNotPresent"):
            return True
        try:
            desired = strip_ignored(item.desired, live, self.request.spec.ignore)
        except WeirError:
            return True
        return compare(desired, live) is Verdict.SAME

    def health(self, live: Obj) -> Health | None:
        """The health of a live object; None when nothing can be said: it is left alone, or has no status."""
        spec, item = self.request.spec, ObjectId.of(live)
        wanted = self.find(item) if tells_health(spec, item) else None
        if wanted is None or skipped(wanted.desired, live):
            return None
        try:
            return health(live, spec.health_exprs, now=datetime.now(UTC))
        except WeirError:
            return None

    @property
    def unproven(self) -> set[ObjectId]:
        """Objects with a health that the last apply did not wait for."""
        spec = self.request.spec
        return {item for item in self.placed if tells_health(spec, item) and not is_checked(spec, item)}


def hold(request: Request, objects: Iterable[Obj], digest: str) -> Held:
    """A unit to be kept as rendered. Objects that no API takes are left to the next run. Raises ClusterError."""
    placed, _ = place(objects, request.discovery)
    kept = {item.id: (item.resource, orjson.dumps(item.desired)) for item in placed if not item.pending}
    return Held(request=request, digest=digest, placed=kept)


def repair(held: Held, item: ObjectId, records: Records, stop: threading.Event) -> Repair:
    """Look at one object and bring it back. Raises ClusterError when the server cannot be reached, StopRequested."""
    done = _look_until_still(held, item, records, stop)
    if done.missing and done.outcome in (Outcome.REPAIRED, Outcome.LEFT):
        # a server that fails now does not undo what was done
        with contextlib.suppress(ClusterError):
            if _taken_back(held, item, records, stop):
                return Repair(id=item, outcome=Outcome.LEFT, missing=True, text=_GIVEN_UP)
    return done


def _look_until_still(held: Held, item: ObjectId, records: Records, stop: threading.Event) -> Repair:
    """Look again when somebody else, as its controller, writes an object while it is made anew."""
    made = False
    for _ in range(_TRIES):
        try:
            done = _look(held, item, records, stop)
        except _WrittenMeanwhileError as err:
            made = made or err.created
            if not made:
                break
            continue
        if made and done.outcome in (Outcome.REPAIRED, Outcome.SAME):
            return replace(done, outcome=Outcome.REPAIRED, missing=True, text=_DELETED)
        return replace(done, missing=done.missing or made)
    return Repair(id=item, outcome=Outcome.LEFT, missing=made, text=_CHANGED)


def _taken_back(held: Held, item: ObjectId, records: Records, stop: threading.Event) -> bool:
    """Delete what was made anew when its unit gave it up meanwhile; whether it did."""
    kube, unit, wanted = held.request.kube.until(stop).to_the_end(), held.request.spec.id, held.find(item)
    if wanted is None:
        return False
    for attempt in range(_TRIES):
        live, stored = read_one(kube, wanted.resource, item), records.load(unit)
        if live is None or (stored and item in dict(stored.record.inventory)) or not may_prune(live, unit)[0]:
            return False
        try:
            # its controller may go on writing it
            writing.delete(kube, wanted.resource, live, exact=attempt < _TRIES - 1)
        except KubeStatusError as err:
            if err.status != HTTPStatus.CONFLICT:
                raise
        else:
            return True
    return False


def _look(held: Held, item: ObjectId, records: Records, stop: threading.Event) -> Repair:
    """One look, and what follows from it. Raises _WrittenMeanwhileError."""
    wanted = held.find(item)
    if wanted is None:
        return Repair(id=item, outcome=Outcome.SAME)
    kube = held.request.kube.until(stop)
    live = read_one(kube, wanted.resource, item)
    if live is None and passes(wanted.desired):
        return Repair(id=item, outcome=Outcome.SAME)
    stored = records.load(held.request.spec.id)
    if why := _not_now(held, stored):
        return Repair(id=item, outcome=Outcome.LEFT, text=why)
    confidential = stored.record.confidential if stored else frozenset()
    request = replace(
        held.request, kube=kube, stop=stop, confidential=held.request.confidential | confidential
    )
    work = decide_placed(request, [wanted], {} if live is None else {item: live})[0]
    if work.action not in WRITES and not work.blocked:
        return Repair(id=item, outcome=Outcome.SAME)
    # the decision may rest on a newer live object, as a run may have left it
    if _version(work.live) != _version(live) and (why := _not_now(held, records.load(held.request.spec.id))):
        return Repair(id=item, outcome=Outcome.LEFT, text=why)
    return _carry_out(request, work, report=held.reports_only, stop=stop)


def _carry_out(request: Request, work: Work, *, report: bool, stop: threading.Event) -> Repair:
    missing = work.live is None
    if why := work.problem if missing else work.blocked:
        return Repair(id=work.id, outcome=Outcome.REFUSED, missing=missing, text=why)
    if not report:
        try:
            guard_remade(request.spec, [work])
        except GuardError as err:
            return Repair(id=work.id, outcome=Outcome.REFUSED, text=str(err))
        return _write(request, work, stop)
    return Repair(id=work.id, outcome=Outcome.REPORTED, missing=missing, text=_sentence(work))


def _write(request: Request, work: Work, stop: threading.Event) -> Repair:
    writer = Writer(
        kube=request.kube,
        stop=stop,
        force=request.spec.force,
        confidential=request.confidential,
        progress=lambda _: None,
        exact=True,
    )
    try:
        writer.carry_out([work])
    except ApplyError as err:
        if _version(read_one(request.kube, work.resource, work.id)) != _version(work.live):
            raise _WrittenMeanwhileError(created=work.live is None) from err
        return Repair(id=work.id, outcome=Outcome.REFUSED, missing=work.live is None, text=str(err))
    return Repair(id=work.id, outcome=Outcome.REPAIRED, missing=work.live is None, text=_sentence(work))


class _WrittenMeanwhileError(Exception):
    """Somebody wrote the object after it was looked at."""

    def __init__(self, *, created: bool) -> None:
        """`created`: it was missing and we made it, so that it may have been its controller."""
        super().__init__()
        self.created = created


def _not_now(held: Held, stored: Stored | None) -> str:
    """Why the object is not to be judged by what is held; empty when it is."""
    if stored is None:
        return "its unit has no record"
    if stored.running is not None:
        return f"{stored.running.holder} is at work on its unit"
    if not stored.record.is_applied(held.digest):
        began = f"revision {stored.record.attempted} began to be"
        return f"{began if stored.record.applying else f'revision {stored.record.revision} was'} applied meanwhile"
    if stored.record.suspended:
        return "its unit is suspended"
    return ""


def _version(obj: Obj | None) -> str:
    return str(obj["metadata"]["resourceVersion"]) if obj else ""


def _sentence(work: Work) -> str:
    if work.live is None:
        return _DELETED
    fields = ", ".join(map(str, work.fields[:3]))
    more = f" and {len(work.fields) - 3} more fields" if len(work.fields) > 3 else ""  # noqa: PLR2004
    managers = sorted(_others(work.live))
    by = f" (changed by {', '.join(managers)})" if managers else ""
    return f"{fields or 'its fields'}{more}{by}"


def _others(live: Obj) -> set[str]:
    """Who wrote fields of the object other than its status, beside ourselves."""
    return {
        str(entry.get("manager"))
        for entry in (live.get("metadata") or {}).get("managedFields") or ()
        if entry.get("manager") != "weir" and not entry.get("subresource")
    }
