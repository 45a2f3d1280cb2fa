"""The plan of a whole stack without the engine: what `weir diff` shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import orjson

from weir.edges.runs import objects_file, unit_file
from weir.flow.conflicts import refuse_other_stack
from weir.flow.moves import read_unrendered, wanted_elsewhere
from weir.flow.outcome import AutomationOutcome, PolicyOutcome, Problem, SourceOutcome, UnitOutcome, decode
from weir.flow.plan import Request, plan_unit
from weir.flow.remove import plan_removal
from weir.flow.session import Session
from weir.flow.source_work import Overrides
from weir.spec.artifact import Artifact
from weir.spec.changes import ChangeSet
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId
from weir.spec.plan import UnitPlan
from weir.spec.record import UnitRecord


def plan_stack(session: Session) -> Iterator[UnitPlan]:
    """One plan per unit of the tree, then one per unit that is no longer declared. A unit's error is in its plan."""
    records = _records(session)
    outcomes = list(session.ahead)
    units = [outcome for outcome in outcomes if isinstance(outcome, UnitOutcome)]
    problems = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
    resolved = SourceOutcome | PolicyOutcome | AutomationOutcome
    failed = [outcome for outcome in outcomes if isinstance(outcome, resolved) and outcome.error]
    yield from (UnitPlan(id=unit.id, error=unit.error) for unit in failed)
    yield from (_commit(unit) for unit in outcomes if isinstance(unit, AutomationOutcome) and unit.commit)
    with ThreadPoolExecutor(4) as pool:
        yield from pool.map(lambda unit: _plan(session, unit, records.get(unit.id)), units)
    for problem in problems:
        yield UnitPlan(id=UnitId("Stack", "", session.config.name), error=problem.message)
    if not problems and not any(outcome.error for outcome in units):
        declared = {unit.id for unit in units}
        for record in records.values():
            if (
                record.stack == session.config.name
                and record.id.kind == "Kustomization"
                and record.id not in declared
            ):
                yield _removal(session, record)


def plan_commit(session: Session, outcome: AutomationOutcome) -> list[UnitPlan]:
    """What an automation's commit would change in the cluster once it is merged: the units that it renders anew.

    `session` is the run that built the commit.
    """
    artifact = Artifact(**outcome.pending["prepared"]["artifact"])
    merged = session.apart(Overrides(artifacts={str(outcome.spec.source): artifact}))
    records = _records(session)
    units = [one for one in merged.ahead if isinstance(one, UnitOutcome) and _differs(session, one)]
    return [_plan(merged, unit, records.get(unit.id)) for unit in units]


def _commit(outcome: AutomationOutcome) -> UnitPlan:
    """What an automation would write to Git. It changes no object itself."""
    revision = f"{outcome.branch}@sha1:{outcome.commit}"
    return UnitPlan(id=outcome.id, revision_new=revision, changes=ChangeSet((), 0, outcome.changes))


def _differs(session: Session, unit: UnitOutcome) -> bool:
    found = session.run.read_json(unit_file(unit.id))
    known = decode(found) if isinstance(found, dict) else None
    return not isinstance(known, UnitOutcome) or known.digest != unit.digest


def _records(session: Session) -> Mapping[UnitId, UnitRecord]:
    try:
        return {record.id: record for record in session.clusters.records.read_all("")}
    except WeirError:
        return {}


def _plan(session: Session, unit: UnitOutcome, record: UnitRecord | None) -> UnitPlan:
    plan = UnitPlan(
        id=unit.id,
        revision_old=record.revision if record else "",
        revision_new=unit.revision,
        error=unit.error,
    )
    if unit.error or unit.spec.suspend or (record and record.held):
        return plan
    try:
        refuse_other_stack(record, session.config.name, session.config.options)
        kube, discovery = session.clusters.target(unit.spec)
        session.clusters.confirm(kube, unit.spec, record)
        objects = tuple(orjson.loads(session.run.read(objects_file(unit.id)) or b"[]"))
        request = Request(
            kube=kube,
            discovery=discovery,
            spec=unit.spec,
            options=session.config.options,
            confidential=unit.secret_ids,
            elsewhere=partial(wanted_elsewhere, session.run, unit.spec),
            unrendered=partial(read_unrendered, session.run, unit.spec.source),
        )
        found = plan_unit(request, objects, record)
        changes = ChangeSet(
            found.changeset.changes, found.changeset.unchanged, (*unit.warnings, *found.changeset.warnings)
        )
        return replace(plan, changes=changes)
    except WeirError as err:
        return replace(plan, error=str(err))


def _removal(session: Session, record: UnitRecord) -> UnitPlan:
    try:
        elsewhere = partial(wanted_elsewhere, session.run)
        changes = plan_removal(session.clusters, record, elsewhere)
        return UnitPlan(id=record.id, revision_old=record.revision, changes=changes)
    except WeirError as err:
        return UnitPlan(id=record.id, revision_old=record.revision, error=str(err))
