"""Scan, choose, edit and push now, without the engine: what `weir up` does for images, and nothing else of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from weir.flow.image_list import chosen_images
from weir.flow.image_push import propose_commit, push_commit
from weir.flow.image_status import PolicyStatus, status_of
from weir.flow.outcome import AutomationOutcome, PolicyOutcome, Problem
from weir.flow.resolved_record import automation_record
from weir.flow.session import Session
from weir.spec.errors import WeirError


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What one ImageUpdateAutomation did, or would do."""

    outcome: AutomationOutcome
    revision: str = ""
    """`branch@sha1:commit` in Git now; empty when nothing was pushed."""
    pull_request: str = ""
    """Its URL, when one is open for the commit."""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a run found out about images; nothing is pushed."""

    policies: tuple[PolicyStatus, ...]
    automations: tuple[AutomationOutcome, ...]
    problems: tuple[str, ...]
    """What else went wrong: files, sources, units."""


def find_updates(session: Session) -> Found:
    """Scan, choose and build the commits. Raises ClusterError when it is not known what is in use."""
    in_use = chosen_images(session.clusters)
    outcomes = list(session.ahead)
    chosen = [outcome for outcome in outcomes if isinstance(outcome, PolicyOutcome)]
    automations = [outcome for outcome in outcomes if isinstance(outcome, AutomationOutcome)]
    problems: list[str] = []
    for outcome in outcomes:
        if isinstance(outcome, Problem):
            problems.append(outcome.message)
        elif outcome.error and outcome not in chosen and outcome not in automations:
            problems.append(f"{outcome.id}: {outcome.error}")
    return Found(
        policies=tuple(
            status_of(one, in_use.get(one.id, "")) for one in sorted(chosen, key=lambda one: one.id)
        ),
        automations=tuple(sorted(automations, key=lambda one: one.id)),
        problems=tuple(problems),
    )


def push_updates(session: Session, found: Found) -> Iterator[Updated]:
    """Push each commit, have its pull request open, and keep on record what was pushed."""
    for outcome in found.automations:
        done = Updated(outcome=outcome, error=outcome.error)
        if outcome.pending and not outcome.error:
            done = _push(session, done)
        yield done


def _push(session: Session, done: Updated) -> Updated:
    outcome = done.outcome
    try:
        if outcome.commit:
            done = replace(done, revision=push_commit(outcome, session.config, session.clusters))
        if outcome.proposal:
            url = propose_commit(outcome, session.clusters, session.run)
            done = replace(done, pull_request=url)
    except WeirError as err:
        done = replace(done, error=str(err))
    if done.revision:
        record = automation_record(
            outcome.id,
            session.config.name,
            source=str(outcome.spec.source),
            revision=done.revision,
            error=done.error,
            suspended=outcome.spec.suspend,
        )
        with contextlib.suppress(WeirError):
            session.clusters.records.write(record)
    return done
