"""Sync and health of units: two states, and neither is good when the facts are old."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.stack_view import (
    AUTOMATION,
    DRIFTED,
    FLEET,
    FRESH,
    INFRA,
    LEGACY,
    NEW,
    NOW,
    OLD,
    PAY,
    POLICY,
    SEARCH,
    SHOP,
    objects,
    ready,
    record,
    sample,
)
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import HistoryEntry, UnitRecord
from weir.watch.view import Finding, Health, Known, ObjectNote, StackView, Sync, UnitView, Watched, view_of

LOOKED = Watched(interval=60.0, checked=NOW, due=NOW + 60, wanted=NEW)


def seen(unit: UnitRecord, watched: Watched = LOOKED, at: float = NOW) -> UnitView:
    known = Known(stack="production", leader="", at=at, records=[unit])
    return view_of(known, {unit.id: watched}, NOW).units[0]


def states(unit: UnitView) -> tuple[Sync, Health]:
    return unit.sync, unit.health


APPLIED = record(SHOP, ready("Applied"), inventory=objects("shop", "web"))


def test_what_git_says_and_works_is_synced_and_healthy() -> None:
    assert states(seen(APPLIED)) == (Sync.SYNCED, Health.HEALTHY)


@pytest.mark.parametrize(
    "watched",
    [
        pytest.param(replace(LOOKED, wanted="main@sha1:" + "2" * 40), id="git-moved"),
        pytest.param(replace(LOOKED, behind=True), id="same-revision-other-variables"),
        pytest.param(replace(LOOKED, notes={DRIFTED: (ObjectNote(Finding.DRIFTED),)}), id="drift"),
    ],
)
def test_what_is_not_as_git_says_is_out_of_sync_and_may_be_healthy(watched: Watched) -> None:
    assert states(seen(APPLIED, watched)) == (Sync.OUT_OF_SYNC, Health.HEALTHY)


def test_what_is_as_git_says_may_be_broken() -> None:
    failed = replace(APPLIED, ready=ready("not ready", "False", "HealthCheckFailed"))
    assert states(seen(failed)) == (Sync.SYNCED, Health.DEGRADED)


def test_a_refused_apply_says_nothing_about_the_health_of_what_was_applied_before() -> None:
    failed = replace(APPLIED, revision=OLD, ready=ready("refused", "False", "ReconciliationFailed"))
    assert states(seen(failed)) == (Sync.OUT_OF_SYNC, Health.UNKNOWN)


@pytest.mark.parametrize("reason", ["BuildFailed", "ArtifactFailed", "DependencyNotReady"])
@pytest.mark.parametrize(
    ("applied", "health"),
    [
        ("ReconciliationSucceeded", Health.HEALTHY),
        ("HealthCheckFailed", Health.DEGRADED),
        ("ReconciliationFailed", Health.UNKNOWN),
    ],
)
def test_a_run_that_did_not_begin_leaves_what_was_applied_as_it_is(
    reason: str, applied: str, health: Health
) -> None:
    last = HistoryEntry(revision=NEW, digest="", status=applied, count=1, started="", duration=1.0)
    waits = replace(APPLIED, history=(last,), ready=ready("not begun", "False", reason))
    assert states(seen(waits)) == (Sync.SYNCED, health)
    assert states(seen(replace(waits, revision=OLD))) == (Sync.OUT_OF_SYNC, health)
    assert seen(waits).failed
    assert seen(replace(waits, history=())).health is Health.UNKNOWN


def test_a_refused_first_apply_leaves_nothing() -> None:
    failed = replace(APPLIED, revision="", ready=ready("refused", "False", "ReconciliationFailed"))
    assert states(seen(failed)) == (Sync.OUT_OF_SYNC, Health.MISSING)


def test_a_run_in_progress_is_progressing() -> None:
    running = replace(APPLIED, revision=OLD, ready=ready("applying", "Unknown", "Progressing"))
    assert states(seen(running)) == (Sync.OUT_OF_SYNC, Health.PROGRESSING)


@pytest.mark.parametrize(
    ("finding", "health"),
    [
        (Finding.FAILED, Health.DEGRADED),
        (Finding.MISSING, Health.MISSING),
        (Finding.PROGRESSING, Health.PROGRESSING),
        (Finding.DRIFTED, Health.HEALTHY),
    ],
)
def test_the_worst_object_decides_health(finding: Finding, health: Health) -> None:
    assert seen(APPLIED, replace(LOOKED, notes={DRIFTED: (ObjectNote(finding),)})).health is health


def test_an_object_that_drifted_and_failed_counts_for_both_states_and_is_told() -> None:
    web = ObjectId("apps", "Deployment", "shop", "web")
    notes = (ObjectNote(Finding.DRIFTED, "spec.paused: true -> false"), ObjectNote(Finding.FAILED, "no pods"))
    settings = ObjectId("", "ConfigMap", "shop", "web-settings")
    watched = replace(LOOKED, notes={web: notes, settings: (ObjectNote(Finding.MISSING, "was deleted"),)})
    unit = seen(APPLIED, watched)
    assert states(unit) == (Sync.OUT_OF_SYNC, Health.DEGRADED)
    assert {one.id: one.notes for one in unit.noted} == dict(watched.notes)
    assert unit.message == "ConfigMap/shop/web-settings missing: was deleted; and 1 more of its objects"
    alone = seen(APPLIED, replace(LOOKED, notes={web: notes}))
    assert alone.message == "Deployment/shop/web drifted: spec.paused: true -> false; failed: no pods"


def test_a_failed_run_is_told_before_what_objects_became_since() -> None:
    failed = replace(APPLIED, ready=ready("refused", "False", "ReconciliationFailed"))
    assert seen(failed, replace(LOOKED, notes={DRIFTED: (ObjectNote(Finding.DRIFTED),)})).message == "refused"


def test_a_unit_without_a_record_is_missing_and_not_absent() -> None:
    view = view_of(Known(stack="production", leader="", at=NOW, records=[]), {FRESH: LOOKED}, NOW)
    assert [states(unit) for unit in view.units] == [(Sync.OUT_OF_SYNC, Health.MISSING)]
    assert view.units[0].message == "waiting to be reconciled"


def test_a_unit_that_cannot_be_rendered_is_not_synced_whatever_was_applied() -> None:
    unit = seen(APPLIED, replace(LOOKED, error="apps: found no kustomization.yaml"))
    assert states(unit) == (Sync.UNKNOWN, Health.HEALTHY)
    assert unit.failed
    assert unit.message == "apps: found no kustomization.yaml"


def test_a_source_that_cannot_be_read_is_unknown_and_degraded() -> None:
    down = record(FLEET, ready("connection refused", "False", "GitOperationFailed"), source="")
    assert states(seen(down)) == (Sync.UNKNOWN, Health.DEGRADED)


def test_suspension_is_health_and_not_sync() -> None:
    assert states(seen(replace(APPLIED, suspended=True))) == (Sync.SYNCED, Health.SUSPENDED)


@pytest.mark.parametrize(
    "unit", [APPLIED, replace(APPLIED, ready=ready("bad", "False", "HealthCheckFailed"))]
)
def test_three_intervals_without_a_look_make_both_states_unknown(unit: UnitRecord) -> None:
    assert states(seen(unit, replace(LOOKED, checked=NOW - 181))) == (Sync.UNKNOWN, Health.UNKNOWN)
    assert Sync.SYNCED in states(seen(unit, replace(LOOKED, checked=NOW - 180)))


def test_old_records_make_both_states_unknown_however_often_the_loop_goes_round() -> None:
    assert states(seen(APPLIED, LOOKED, at=NOW - 181)) == (Sync.UNKNOWN, Health.UNKNOWN)


def test_a_unit_that_was_never_looked_at_is_unknown() -> None:
    assert states(seen(APPLIED, replace(LOOKED, checked=None))) == (Sync.UNKNOWN, Health.UNKNOWN)
    view = view_of(Known(stack="production", leader="", at=NOW, records=[APPLIED]), {}, NOW)
    assert states(view.units[0]) == (Sync.UNKNOWN, Health.UNKNOWN)


def test_a_view_that_nobody_renews_loses_its_states() -> None:
    view = sample()
    assert {unit.sync for unit in view.aged(NOW).units} == set(Sync) - {Sync.UNKNOWN}
    later = view.aged(NOW + 10_000)
    assert {unit.sync for unit in later.units} == {Sync.UNKNOWN}
    assert {unit.health for unit in later.units} == {Health.UNKNOWN, Health.SUSPENDED}


def test_a_whole_stack() -> None:
    found = {unit.id: states(unit) for unit in sample().units}
    assert found == {
        FLEET: (Sync.SYNCED, Health.HEALTHY),
        INFRA: (Sync.SYNCED, Health.HEALTHY),
        SHOP: (Sync.SYNCED, Health.HEALTHY),
        PAY: (Sync.OUT_OF_SYNC, Health.UNKNOWN),
        SEARCH: (Sync.SYNCED, Health.DEGRADED),
        LEGACY: (Sync.SYNCED, Health.SUSPENDED),
        FRESH: (Sync.OUT_OF_SYNC, Health.MISSING),
        POLICY: (Sync.SYNCED, Health.HEALTHY),
        AUTOMATION: (Sync.SYNCED, Health.HEALTHY),
    }


def test_unsynced_since_begins_once_and_ends_when_all_is_synced() -> None:
    def look(now: float, wanted: str, before: StackView | None) -> StackView:
        known = Known(stack="production", leader="", at=now, records=[APPLIED])
        return view_of(known, {SHOP: replace(LOOKED, checked=now, wanted=wanted)}, now, before)

    first = look(NOW, "other", None)
    second = look(NOW + 30, "other", first)
    third = look(NOW + 60, NEW, second)
    assert (first.unsynced_since, second.unsynced_since, third.unsynced_since) == (NOW, NOW, None)
    assert look(NOW + 90, "other", third).unsynced_since == NOW + 90


def test_a_source_that_is_written_in_another_way_is_none() -> None:
    broken = replace(APPLIED, source="somewhere")
    assert seen(broken).source is None
    assert seen(APPLIED).source == UnitId("GitRepository", "flux-system", "fleet")


def test_what_cannot_be_read_leaves_nothing_settled() -> None:
    known = Known(stack="production", leader="", at=NOW, records=[APPLIED])
    settled = view_of(known, {SHOP: LOOKED}, NOW)
    assert settled.unsynced_since is None
    broken = view_of(replace(known, problems=("a.yaml: not YAML",)), {SHOP: LOOKED}, NOW, settled)
    assert broken.problems == ("a.yaml: not YAML",)
    assert broken.unsynced_since == NOW
    assert (settled.settled, broken.settled) == (True, False)
    assert not view_of(replace(known, records=[]), {}, NOW).settled
