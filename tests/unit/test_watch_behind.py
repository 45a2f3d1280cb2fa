"""Which run of the engine is needed: for all that is behind, for nothing else, and not again at once when it failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weir.spec.identity import UnitId
from weir.spec.record import Condition, UnitRecord
from weir.watch.behind import Ask, Tries, Wanted, ask_for, is_behind

SOURCES = [UnitId("GitRepository", "apps", name) for name in ("one", "two")]
UNITS = [UnitId("Kustomization", "apps", name) for name in ("a", "b", "c")]
AUTOMATION = UnitId("ImageUpdateAutomation", "apps", "images")
POLICY = UnitId("ImagePolicy", "apps", "web")
WORDS = st.sampled_from(["", "v1", "v2"])
READY = Condition(status="True", reason="Succeeded", message="")
FAILED = Condition(status="False", reason="HealthCheckFailed", message="")
LONGEST = 900.0
FEWER = settings(max_examples=50)
"""Whole stacks take long to make."""


@st.composite
def wanted_units(draw: st.DrawFn) -> dict[UnitId, Wanted]:
    """Some sources, units from them, and images."""
    found = {}
    for unit in draw(st.sets(st.sampled_from([*SOURCES, *UNITS, POLICY, AUTOMATION]))):
        from_source = unit.kind == "Kustomization"
        found[unit] = Wanted(
            id=unit,
            source=draw(st.sampled_from(SOURCES)) if from_source else None,
            revision=draw(WORDS),
            digest=draw(WORDS) if from_source else "",
            document_digest=draw(WORDS) if from_source else "",
            suspended=draw(st.booleans()),
            error=draw(st.sampled_from(["", "", "cannot be resolved"])),
            pending=draw(WORDS) if unit == AUTOMATION else "",
        )
    return found


@st.composite
def some_records(draw: st.DrawFn) -> dict[UnitId, UnitRecord]:
    """Records in any state, also of units that nothing declares."""
    return {
        unit: UnitRecord(
            id=unit,
            stack="prod",
            revision=draw(WORDS),
            attempted=draw(WORDS),
            digest=draw(WORDS),
            spec_digest=draw(WORDS),
            suspended=draw(st.booleans()),
            ready=draw(st.sampled_from([None, READY, FAILED])),
        )
        for unit in draw(st.sets(st.sampled_from([*SOURCES, *UNITS, POLICY, AUTOMATION])))
    }


def source(name: str = "one", revision: str = "v1", **facts: object) -> Wanted:
    """A source as it is wanted."""
    return replace(Wanted(id=UnitId("GitRepository", "apps", name), revision=revision), **facts)  # type: ignore[arg-type]


def kustomization(name: str = "a", revision: str = "v1", digest: str = "d1", **facts: object) -> Wanted:
    """A Kustomization as it is wanted, rendered from source `one`."""
    unit = UnitId("Kustomization", "apps", name)
    made = Wanted(id=unit, source=SOURCES[0], revision=revision, digest=digest, document_digest="s1")
    return replace(made, **facts)  # type: ignore[arg-type]


def record_of(wanted: Wanted, **facts: object) -> UnitRecord:
    """The record of a unit that is as wanted."""
    made = UnitRecord(
        id=wanted.id,
        stack="prod",
        revision=wanted.revision,
        attempted=wanted.revision,
        digest=wanted.digest,
        spec_digest=wanted.document_digest,
        suspended=wanted.suspended,
        ready=READY,
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def ask(*units: Wanted, records: Mapping[UnitId, UnitRecord] | None = None, **facts: object) -> Ask | None:
    """What is asked for at time 0 after no tries, of a complete look; `records` say that all is as wanted."""
    known = {one.id: record_of(one) for one in units} if records is None else records
    tries = facts.get("tries") or Tries()
    assert isinstance(tries, Tries)
    now, complete = facts.get("now", 0.0), facts.get("complete", True)
    assert isinstance(now, float)
    return ask_for({one.id: one for one in units}, known, tries, now, complete=bool(complete))


@FEWER
@given(wanted_units(), some_records(), st.booleans())
def test_targets_are_in_the_records_and_reach_everything_that_is_behind(
    units: dict[UnitId, Wanted], records: dict[UnitId, UnitRecord], complete: bool
) -> None:
    found = ask_for(units, records, Tries(), 0.0, complete=complete)
    behind = {one.id for one in units.values() if is_behind(one, records.get(one.id))}
    gone = records.keys() - units.keys() if complete else set()
    assert (found is None) == (not behind and not gone)
    if found and found.targets:
        assert set(found.targets) <= records.keys()
        assert not gone
        reached = {one.id for one in units.values() if {one.id, one.source} & set(found.targets)}
        assert behind <= reached


@FEWER
@given(wanted_units(), some_records())
def test_what_is_suspended_and_known_to_be_causes_no_run(
    units: dict[UnitId, Wanted], records: dict[UnitId, UnitRecord]
) -> None:
    still = {unit: replace(one, suspended=True) for unit, one in units.items()}
    known = {unit: replace(one, suspended=True) for unit, one in records.items()}
    assert ask_for(still, known, Tries(), 0.0, complete=False) is None


@FEWER
@given(wanted_units(), some_records(), st.sampled_from(UNITS))
def test_a_suspended_unit_adds_nothing_to_a_run(
    units: dict[UnitId, Wanted], records: dict[UnitId, UnitRecord], unit: UnitId
) -> None:
    records.pop(unit, None)
    units.pop(unit, None)
    before = ask_for(units, records, Tries(), 0.0, complete=True)
    held = Wanted(id=unit, source=SOURCES[0], revision="v9", digest="d9", suspended=True, error="x")
    known = {**records, unit: UnitRecord(id=unit, stack="prod", revision="v1", suspended=True)}
    assert ask_for({**units, unit: held}, known, Tries(), 0.0, complete=True) == before


@FEWER
@given(wanted_units(), some_records(), st.sets(st.sampled_from([*SOURCES, *UNITS])))
def test_what_another_run_is_at_work_on_causes_no_run(
    units: dict[UnitId, Wanted], records: dict[UnitId, UnitRecord], busy: set[UnitId]
) -> None:
    idle = {unit: one for unit, one in units.items() if unit not in busy}
    found = ask_for(units, records, Tries(), 0.0, complete=False, busy=busy)
    assert found == ask_for(idle, records, Tries(), 0.0, complete=False)


@FEWER
@given(wanted_units())
def test_what_is_as_wanted_causes_no_run(units: dict[UnitId, Wanted]) -> None:
    calm = {unit: replace(one, error="", pending="") for unit, one in units.items()}
    records = {unit: record_of(one) for unit, one in calm.items()}
    assert ask_for(calm, records, Tries(), 0.0, complete=True) is None


@FEWER
@given(wanted_units(), some_records(), st.booleans(), st.floats(0, 1))
def test_what_failed_rests_until_its_pause_is_over(
    units: dict[UnitId, Wanted], records: dict[UnitId, UnitRecord], complete: bool, part: float
) -> None:
    tries = Tries()
    known = {unit: record for unit, record in records.items() if unit in units}
    for one in units.values():
        if is_behind(one, known.get(one.id)):
            tries.failed(one, 0.0)
    before = ask_for(units, known, Tries(), 0.0, complete=complete)
    assert ask_for(units, known, tries, part * 4.99, complete=complete) is None
    assert ask_for(units, known, tries, 5.0, complete=complete) == before


@given(st.sampled_from(["revision", "digest", "document_digest", "error", "pending"]))
def test_something_new_is_tried_at_once(what: str) -> None:
    tries, failing = Tries(), kustomization(error="no")
    tries.failed(failing, 0.0)
    assert not tries.may(failing, 1.0)
    assert tries.may(replace(failing, **{what: "new"}), 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("retry", [0.0, 30.0])
def test_pauses_follow_the_retry_interval_else_double_within_bounds(retry: float) -> None:
    tries, now, failing, pauses = Tries(), 0.0, kustomization(retry=retry), []
    for _ in range(20):
        tries.failed(failing, now)
        pauses.append(tries.wait(now))
        assert not tries.may(failing, now + pauses[-1] * 0.99)
        now += pauses[-1]
        assert tries.may(failing, now)
    if retry:
        assert pauses == [retry] * 20
        return
    assert pauses[0] == 5
    assert all(after == min(2 * before, LONGEST) for before, after in pairwise(pauses))


def test_something_new_that_fails_begins_with_a_short_pause() -> None:
    tries = Tries()
    for moment in range(6):
        tries.failed(kustomization(), moment * 1000.0)
    tries.failed(kustomization(revision="v2"), 10_000.0)
    assert tries.wait(10_000.0) == 5


@pytest.mark.parametrize("came", [{"digest": "d2"}, {"document_digest": "s2"}, {"revision": "v2"}])
def test_what_came_while_a_run_went_on_is_tried_at_once_and_what_was_tried_rests(
    came: dict[str, str],
) -> None:
    tried = kustomization()
    now = replace(tried, **came)  # type: ignore[arg-type]
    records = {tried.id: record_of(tried, ready=FAILED)}
    fresh, rests, errs = Tries(), Tries(), Tries()
    fresh.judge({tried.id: tried}, {now.id: now}, records, 0.0)
    assert fresh.may(now, 0.0)
    rests.judge({now.id: now}, {now.id: now}, records, 0.0)
    assert not rests.may(now, 4.9)
    other = replace(tried, error="refused at 12:00:01")
    errs.judge({tried.id: tried}, {tried.id: other}, records, 0.0)
    assert not errs.may(other, 4.9), "an error with a time in it is tried without end"


def test_a_unit_that_was_declared_while_a_run_went_on_is_tried_at_once() -> None:
    tries, new = Tries(), kustomization()
    tries.judge({}, {new.id: new}, {}, 0.0)
    assert tries.may(new, 0.0)


def test_a_success_or_a_request_ends_the_pause() -> None:
    for end in (Tries.succeeded, Tries.forget):
        tries = Tries()
        tries.failed(kustomization(), 0.0)
        end(tries, UNITS[0])
        assert tries.may(kustomization(), 0.0)
        assert tries.wait(0.0) == 3600


def test_a_pause_that_is_over_lets_the_loop_sleep() -> None:
    tries = Tries()
    tries.failed(kustomization("a"), 0.0)
    assert tries.wait(3.0) == 2
    assert tries.wait(60.0) == 3600
    tries.failed(kustomization("b"), 60.0)
    assert tries.wait(60.0) == 5


def test_a_commit_targets_its_source_only() -> None:
    units = [source("one", "v2"), source("two"), kustomization("a", "v2"), kustomization("b", "v2")]
    records = {one.id: record_of(one, revision="v1") for one in units}
    records[units[1].id] = record_of(units[1])
    found = ask(*units, records=records)
    assert found == Ask(targets=(SOURCES[0],), why="GitRepository/apps/one and 2 more")


def test_a_unit_that_is_not_ready_is_reached_through_its_source() -> None:
    units = [source(), kustomization()]
    records = {units[0].id: record_of(units[0]), units[1].id: record_of(units[1], ready=FAILED)}
    assert ask(*units, records=records) == Ask(targets=(SOURCES[0],), why="Kustomization/apps/a")


@pytest.mark.parametrize("changed", [{"digest": "d2"}, {"document_digest": "s2"}, {"revision": "v2"}])
def test_values_labels_and_revisions_that_move_put_a_unit_behind(changed: dict[str, str]) -> None:
    before = kustomization()
    assert not is_behind(before, record_of(before))
    assert is_behind(replace(before, **changed), record_of(before))  # type: ignore[arg-type]


def test_a_new_unit_needs_the_whole_stack() -> None:
    units = [source(), kustomization("a"), kustomization("b")]
    records = {one.id: record_of(one) for one in units[:2]}
    assert ask(*units, records=records) == Ask(why="Kustomization/apps/b")


def test_a_unit_that_never_got_far_needs_the_whole_stack() -> None:
    units = [source(), kustomization()]
    empty = UnitRecord(id=units[1].id, stack="prod")
    assert ask(*units, records={units[0].id: record_of(units[0]), units[1].id: empty}) == Ask(
        why="Kustomization/apps/a"
    )


def test_a_unit_that_went_away_needs_the_whole_stack_once_everything_else_is_known() -> None:
    records = {one.id: record_of(one) for one in (source(), kustomization("a"), kustomization("b"))}
    left = [source(), kustomization("a")]
    assert ask(*left, records=records) == Ask(why="Kustomization/apps/b")
    assert ask(*left, records=records, complete=False) is None


def test_a_removal_that_failed_rests_as_well() -> None:
    records = {one.id: record_of(one) for one in (source(), kustomization())}
    tries = Tries()
    tries.failed(Wanted(id=UNITS[0]), 0.0)
    assert ask(source(), records=records, tries=tries, now=1.0) is None
    assert ask(source(), records=records, tries=tries, now=5.0) == Ask(why="Kustomization/apps/a")


def test_an_automation_that_pushed_and_has_nothing_pending_is_not_behind() -> None:
    wanted = Wanted(id=AUTOMATION)
    record = UnitRecord(id=AUTOMATION, stack="prod", revision="main@sha1:abc", ready=READY)
    assert not is_behind(wanted, record)
    assert is_behind(replace(wanted, pending="commit"), record)


def test_a_policy_that_chose_another_image_is_behind() -> None:
    wanted = Wanted(id=POLICY, revision="web:2")
    assert is_behind(wanted, record_of(wanted, revision="web:1"))
    assert not is_behind(wanted, record_of(wanted))


def test_a_unit_that_deleted_less_than_it_may_have_to_is_run_again() -> None:
    wanted = kustomization()
    assert is_behind(wanted, replace(record_of(wanted), applying=wanted.digest))


@pytest.mark.parametrize("wanted", [source(), kustomization()], ids=["source", "kustomization"])
def test_suspending_and_resuming_are_told_to_the_record_by_one_run(wanted: Wanted) -> None:
    paused = replace(wanted, suspended=True)
    assert is_behind(paused, record_of(wanted))
    assert not is_behind(paused, record_of(paused))
    assert is_behind(wanted, record_of(paused))


def test_a_suspended_unit_that_was_never_applied_waits() -> None:
    assert not is_behind(kustomization(suspended=True), None)


@pytest.mark.parametrize("wanted", [source(), kustomization()], ids=["source", "kustomization"])
def test_a_unit_that_was_just_suspended_by_hand_causes_no_run(wanted: Wanted) -> None:
    held = record_of(wanted, suspended=True, held="ada: since noon")
    assert not is_behind(wanted, held)
    assert not is_behind(replace(wanted, revision="v2"), held)


def test_an_error_is_told_by_a_run() -> None:
    wanted = kustomization(error="spec.path: found nothing at ./apps")
    assert is_behind(wanted, record_of(wanted))
