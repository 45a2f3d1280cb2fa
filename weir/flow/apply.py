"""Make the cluster what a unit renders: record, stages, prune, health, record. A crash anywhere is healed by a run."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from weir.edges.holder import own_identity
from weir.edges.kube.errors import UnreachableError
from weir.edges.kube.records import Records, Running, Stored
from weir.flow.checks import await_health
from weir.flow.conflicts import other_owners, refuse_other_stack
from weir.flow.decisions import WRITES, Work
from weir.flow.definitions import rework, settle
from weir.flow.faults import fault
from weir.flow.moves import await_rendered
from weir.flow.plan import Plan, Request, guard_remade, make_plan, refuse_deletions
from weir.flow.pruning import (
    Doomed,
    absent,
    ask_again,
    await_moves,
    delete_all,
    look_again,
    survivors,
    undecided,
)
from weir.flow.reporting import SUCCEEDED, PruneError, condition, reason_of, says_the_same, stamp, with_result
from weir.flow.writes import Writer, refused
from weir.spec.changes import ChangeSet
from weir.spec.errors import ClusterError, StopRequested, WeirError
from weir.spec.identity import ObjectId
from weir.spec.record import Condition, UnitRecord

Obj = dict[str, Any]

_FENCE_SECONDS: Final = 5.0
_RENDER_SECONDS: Final = 30.0
"""Seconds for which a unit that has something to delete waits until all others of the run are rendered, at most."""
_LAST_WORDS: Final = 0.8
"""Seconds for the record of a cancelled run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitResult:
    """How a run of one unit ended. Errors are here, not raised, for the record and what was done count too."""

    record: UnitRecord
    changeset: ChangeSet
    condition: Condition
    error: WeirError | None = None
    before: UnitRecord | None = None
    """What the cluster remembered of the unit when the run began."""
    spared: str = ""
    """Which objects were not deleted although nobody is known to want them, and why: one sentence, a warning."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds of `plan`, `record`, `apply`, `prune` and `wait`, as far as the run got."""


def apply_unit(
    request: Request,
    records: Records,
    objects: Sequence[Obj],
    *,
    record: UnitRecord,
    revision: str,
    digest: str,
    progress: Callable[[str], None],
) -> UnitResult:
    """Apply the rendered objects of a unit, prune what left it, wait for health, and keep the record.

    `record` holds what is new about the unit (source, document, variables, ...); inventory, history and last result
    are taken from the cluster's own record.
    Objects that are as desired are not written. The result's condition is False, and `error` says why, when objects
    were refused, could not be pruned or did not become healthy, or when the cluster went away.

    Raises:
        ClusterError: the record cannot be read, or is another stack's; nothing was done.
    """
    stored = records.load(request.spec.id)
    refuse_other_stack(stored.record if stored else None, records.stack, request.options)
    if request.spec.suspend or (stored and stored.held):
        return _suspended(records, stored, record)
    run = _Run(request.heeding_stop(), records, stored, record, revision, digest, progress)
    return run.carry_out(objects)


def _suspended(records: Records, stored: Stored | None, record: UnitRecord) -> UnitResult:
    """Nothing happens, but that the unit is suspended is remembered: its removal then deletes nothing."""
    old = stored.record if stored else record
    held = "" if record.suspended else old.held
    now = replace(old, suspended=True, held=held, document=record.document or old.document)
    if stored and not says_the_same(stored.record, now):
        records.write(now, expected=stored.version)
    ready = old.ready or Condition(status="Unknown", reason="Suspended", message="the unit is suspended")
    return UnitResult(record=now, changeset=ChangeSet(), condition=ready)


class _Run:
    """One run: what it knows of the record, and how far it got."""

    def __init__(
        self,
        request: Request,
        records: Records,
        stored: Stored | None,
        record: UnitRecord,
        revision: str,
        digest: str,
        progress: Callable[[str], None],
    ) -> None:
        self.records = records
        self.stored = stored
        self.old = stored.record if stored else None
        known = self.old or record
        self.record = replace(
            record,
            id=request.spec.id,
            stack=record.stack or records.stack,
            cluster=request.cluster,
            revision=known.revision,
            digest=known.digest,
            applying=known.applying,
            inventory=known.inventory,
            history=known.history,
            confidential=record.confidential | known.confidential,
            ready=known.ready,
            attempted=revision,
            suspended=False,
        )
        self.request = replace(request, confidential=request.confidential | self.record.confidential)
        self.secret = record.confidential
        self.revision, self.digest = revision, digest
        self.progress, self.stop = progress, request.stop or threading.Event()
        self.version: str = stored.version if stored else ""
        self.running: Running | None = None
        self.timings: dict[str, float] = {}
        self.changeset = ChangeSet()
        self.waiting, self.spared = False, ""
        self.began, self.clock = datetime.now(UTC), time.monotonic()
        self.fenced = self.clock

    def carry_out(self, objects: Sequence[Obj]) -> UnitResult:
        """The whole run; every WeirError ends up in the result."""
        error: WeirError | None = None
        try:
            self._steps(objects)
        except WeirError as err:
            error = err
        return self._finish(error)

    def _steps(self, objects: Sequence[Obj]) -> None:
        with self._timed("plan"):
            plan = make_plan(self.request, objects, self.record.inventory)
        self.changeset = plan.changeset
        if plan.guard:
            raise plan.guard
        self._refuse_early(plan)
        desired = plan.inventory
        with self._timed("record"):
            doomed = self._announce(plan)
        with self._timed("apply"):
            works = self._stages(plan.stages)
        with self._timed("prune"):
            left = self._prune(self._decided(plan, doomed))
        self._own({**desired, **survivors(left)})
        problems = [item.problem for item in left if item.problem]
        if problems:
            count = f"{len(problems)} objects could not be deleted and stay in the inventory"
            raise PruneError(f"{self.record.id}: {count}:\n" + "\n".join(problems))
        with self._timed("wait"), self.request.aside():
            self.waiting = True
            kube, discovery, spec = self.request.kube, self.request.discovery, self.request.spec
            await_health((kube, discovery, spec), works, self.request.read_unit, self.stop, self.progress)
            self.waiting = False

    def _refuse_early(self, plan: Plan) -> None:
        """Fail before anything is written when nothing that this run writes could help."""
        problems = [str(item.error) for item in plan.refused]
        problems += other_owners(self.request.spec.id, plan, self.records)
        for stage in plan.stages:
            problems += [work.problem for work in stage if work.problem]
            if any(work.action in WRITES and not work.problem for work in stage):
                break
        if problems:
            raise refused(self.record.id, problems)

    def _stages(self, stages: Sequence[Sequence[Work]]) -> list[Work]:
        """Stage by stage: settle what earlier stages left open, refuse or write, wait for definitions."""
        writer = Writer(
            kube=self.request.kube,
            stop=self.stop,
            force=self.request.spec.force,
            confidential=self.request.confidential,
            progress=self.progress,
        )
        finished: list[Work] = []
        written = 0
        for index, stage in enumerate(stages):
            works = list(stage)
            if index and (written or any(work.guessed for work in works)):
                works = rework(self.request, works, finished, self.stop)
                guard_remade(self.request.spec, works)
                self._replan(stage, works)
            problems = [f"{work.id}: {work.blocked}" for work in works if work.blocked and not work.problem]
            problems += [work.problem for work in works if work.problem]
            if problems:
                raise refused(self.record.id, problems)
            self._fence()
            written += writer.carry_out(works)
            finished += works
            if index + 1 < len(stages):
                settle(
                    self.request, works, [work for later in stages[index + 1 :] for work in later], self.stop
                )
        return finished

    def _replan(self, before: Sequence[Work], after: Sequence[Work]) -> None:
        """Keep the change set true when a stage was decided again."""
        known = {work.id: work for work in after if work not in before}
        changes = tuple(
            replace(change, action=known[change.id].action, fields=known[change.id].fields)
            if change.id in known
            else change
            for change in self.changeset.changes
        )
        self.changeset = replace(self.changeset, changes=changes)

    def _decided(self, plan: Plan, doomed: Sequence[Doomed]) -> list[Doomed]:
        """The same when it is known what the other units of the run want; what stays unknown is not deleted."""
        open_ones = {item.id for item in doomed if item.unrendered}
        request = self.request
        if not open_ones:
            return list(doomed)
        if request.unrendered().pending:
            self.progress("waiting for all units to be rendered before anything is deleted")
            await_rendered(request.unrendered, min(request.spec.timeout, _RENDER_SECONDS), self.stop)
        found = ask_again(doomed, request.elsewhere, request.unrendered)
        self.spared = undecided(found)
        changes = {item.id: change for item in found if item.id in open_ones and (change := item.change())}
        told = tuple(changes.get(change.id, change) for change in self.changeset.changes)
        self.changeset = replace(self.changeset, changes=told)
        refuse_deletions(request, plan, found, self.old.inventory if self.old else ())
        return found

    def _prune(self, doomed: Sequence[Doomed]) -> list[Doomed]:
        if any(item.delete for item in doomed):
            self._fence()
            doomed = delete_all(self.request.kube, doomed, self.record.id, self.stop, self.progress)
        return await_moves(self.request.kube, doomed, self.record.id, self.stop)

    def _own(self, inventory: Mapping[ObjectId, str]) -> None:
        self.record = self.record.with_inventory(dict(inventory))

    def _announce(self, plan: Plan) -> list[Doomed]:
        """Everything that may exist after a crash is in the record before the first object is touched."""
        gone = absent(plan.doomed)
        if plan.changeset.empty and not gone and not undecided(plan.doomed):
            return list(plan.doomed)
        self._own({**dict(self.record.inventory), **plan.inventory})
        self.record = replace(self.record, applying=self.digest)
        self._write_ahead(without=gone)
        return look_again(
            self.request.kube, plan.doomed, self.record.id, lambda: self._write_ahead(without=())
        )

    def _write_ahead(self, without: Collection[ObjectId]) -> None:
        inventory = {item: version for item, version in self.record.inventory if item not in without}
        self.running = Running(holder=own_identity(), started=stamp(self.began), revision=self.revision)
        message = f"applying revision {self.revision}"
        ready = condition(self.old, "Unknown", "Progressing", message, self.began)
        self.version = self.records.write(
            replace(self.record, ready=ready).with_inventory(inventory),
            running=self.running,
            expected=self.version,
        )
        fault("inventory-written")

    def _fence(self) -> None:
        """Stop when another run took the record over, as after this process was suspended for a while."""
        if self.running is None or time.monotonic() - self.fenced < _FENCE_SECONDS:
            return
        found = self.records.load(self.record.id)
        if found is None or found.running != self.running:
            other = found.running.holder if found and found.running else "another run"
            raise _OvertakenError(
                f"{self.record.id}: {other} took the unit over", hint="wait for it, then run again"
            )
        self.fenced = time.monotonic()

    def _finish(self, error: WeirError | None) -> UnitResult:
        """The final record; a run that changed nothing and says nothing new writes none."""
        now, spent = datetime.now(UTC), time.monotonic() - self.clock
        if error is None:
            message = "; ".join(filter(None, [f"Applied revision: {self.revision}", self.spared]))
            ready = condition(self.old, "True", SUCCEEDED, message, now)
            record = replace(
                self.record,
                revision=self.revision,
                digest=self.digest,
                # what it leaves undone is for the next run, which a watcher starts
                applying=self.digest if self.spared else "",
                ready=ready,
                confidential=self.secret,
            )
        else:
            reason = reason_of(error, waiting=self.waiting)
            record = replace(self.record, ready=condition(self.old, "False", reason, str(error), now))
            ready = record.ready or Condition(status="False", reason=reason, message=str(error))
        if self.running is None and (isinstance(error, StopRequested) or says_the_same(self.old, record)):
            record = self.old or record
        elif not isinstance(error, _OvertakenError) and not self._lost(error):
            record = with_result(record, self.began, spent)
            error = self._write_last(record, error)
        if error is not None and ready.status == "True":
            ready = condition(self.old, "False", reason_of(error, waiting=False), str(error), now)
        return UnitResult(
            record=replace(record, ready=ready),
            changeset=self.changeset,
            condition=ready,
            error=error,
            before=self.old,
            spared=self.spared,
            timings=dict(self.timings),
        )

    def _lost(self, error: WeirError | None) -> bool:
        """Whether the cluster that keeps the record is the one that went away."""
        return isinstance(error, UnreachableError) and self.request.kube.server == self.records.server

    def _write_last(self, record: UnitRecord, error: WeirError | None) -> WeirError | None:
        try:
            try:
                self.version = self.records.until(self.stop).write(record, expected=self.version)
            except StopRequested:
                self.version = self.records.in_a_hurry(_LAST_WORDS).write(record, expected=self.version)
            fault("record-written")
        except ClusterError as err:
            return error or err
        return error

    @contextlib.contextmanager
    def _timed(self, name: str) -> Any:
        began = time.monotonic()
        try:
            yield
        finally:
            self.timings[name] = round(time.monotonic() - began, 4)


class _OvertakenError(ClusterError):
    """Another run works on the unit."""
