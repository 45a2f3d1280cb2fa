"""When units are looked at: neither before their interval, nor later than asked for, and failures ever more seldom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.spec.identity import UnitId
from weir.watch.schedule import FIRST_RETRY, JITTER, LONGEST_RETRY, Schedule, Timing

UNIT = UnitId("GitRepository", "flux-system", "podinfo")
OTHER = UnitId("GitRepository", "apps", "web")
CHANCES = st.lists(st.floats(0, 1), min_size=1, max_size=3)
SECONDS = st.floats(0, 4000)
TIMINGS = st.builds(
    Timing,
    interval=st.floats(0.5, 90_000),
    retry=st.one_of(st.just(0.0), st.floats(0.5, 7200)),
)
STEPS = st.lists(st.tuples(st.sampled_from(["ask", "started", "good", "bad", "wait"]), SECONDS), max_size=12)


def dice(chances: Sequence[float]) -> Callable[[], float]:
    """The chances one after the other, again and again."""
    numbers = cycle(chances)
    return lambda: next(numbers)


def scheduled(timing: Timing, chances: Sequence[float] = (0.5,), now: float = 0.0) -> Schedule:
    """A schedule of one unit since `now`."""
    schedule = Schedule(dice(chances))
    schedule.keep({UNIT: timing}, now)
    return schedule


def due_in(schedule: Schedule, now: float, unit: UnitId = UNIT) -> float:
    """Seconds until a unit is due."""
    due = schedule.next_due(unit)
    assert due is not None
    return due - now


@given(TIMINGS, CHANCES, st.lists(SECONDS, max_size=10))
def test_every_round_is_one_interval_give_or_take_the_jitter(
    timing: Timing, chances: list[float], takes: list[float]
) -> None:
    schedule, now = scheduled(timing, chances), 0.0
    for taken in (0.0, *takes):
        wait = due_in(schedule, now)
        assert wait == pytest.approx(timing.interval, rel=JITTER * 1.001)
        now += wait
        schedule.started(UNIT, now)
        now += taken
        schedule.done(UNIT, now, ok=True)


@given(TIMINGS, CHANCES, STEPS)
def test_nothing_is_due_early_unless_it_was_asked_for_or_failed(
    timing: Timing, chances: list[float], steps: list[tuple[str, float]]
) -> None:
    schedule, now = scheduled(timing, chances), 0.0
    shortest = timing.interval * (1 - JITTER)
    earliest, asked, failed = shortest, False, False
    for step, seconds in steps:
        match step:
            case "ask":
                assert schedule.ask(UNIT, now)
                asked = True
            case "started":
                schedule.started(UNIT, now)
                earliest, asked = now + shortest, False
            case "good" | "bad":
                schedule.done(UNIT, now, ok=step == "good")
                earliest, failed = now + shortest, step == "bad"
            case _:
                now += seconds
        if schedule.due(now) and not asked and not failed:
            assert now >= earliest * (1 - 1e-9)


@given(TIMINGS, CHANCES, STEPS)
def test_no_unit_is_left_for_longer_than_it_says(
    timing: Timing, chances: list[float], steps: list[tuple[str, float]]
) -> None:
    schedule, now = scheduled(timing, chances), 0.0
    longest = max(timing.interval * (1 + JITTER), timing.retry, FIRST_RETRY)
    for step, seconds in steps:
        match step:
            case "ask":
                schedule.ask(UNIT, now)
            case "started":
                schedule.started(UNIT, now)
            case "good" | "bad":
                schedule.done(UNIT, now, ok=step == "good")
            case _:
                now += seconds
        assert due_in(schedule, now) <= longest * (1 + 1e-9)


@given(TIMINGS, CHANCES, st.integers(1, 40))
def test_retries_follow_the_retry_interval_else_grow_within_bounds(
    timing: Timing, chances: list[float], failures: int
) -> None:
    schedule, now, pauses = scheduled(timing, chances), 0.0, []
    for _ in range(failures):
        schedule.started(UNIT, now)
        schedule.done(UNIT, now, ok=False)
        pauses.append(due_in(schedule, now))
        now += pauses[-1]
    if timing.retry:
        assert pauses == pytest.approx([timing.retry] * failures)
        return
    bound = min(LONGEST_RETRY, max(timing.interval, FIRST_RETRY))
    assert pauses[0] == pytest.approx(min(FIRST_RETRY, bound))
    for before, after in pairwise(pauses):
        assert after == pytest.approx(min(2 * before, bound))


@given(TIMINGS, st.integers(1, 10))
def test_a_success_begins_anew(timing: Timing, failures: int) -> None:
    schedule = scheduled(timing)
    for _ in range(failures):
        schedule.done(UNIT, 0, ok=False)
    schedule.done(UNIT, 0, ok=True)
    assert due_in(schedule, 0) == pytest.approx(timing.interval)
    schedule.done(UNIT, 0, ok=False)
    assert due_in(schedule, 0) == pytest.approx(
        timing.retry or min(FIRST_RETRY, max(timing.interval, FIRST_RETRY))
    )


@given(TIMINGS, CHANCES, SECONDS)
def test_what_is_asked_for_is_due_at_once(timing: Timing, chances: list[float], now: float) -> None:
    schedule = scheduled(timing, chances)
    assert schedule.ask(UNIT, now)
    assert schedule.due(now) == [UNIT]
    assert schedule.wait(now) == 0


def test_a_request_during_a_look_is_not_lost_with_its_end() -> None:
    schedule = scheduled(Timing(interval=60))
    schedule.started(UNIT, 60)
    schedule.ask(UNIT, 61)
    schedule.done(UNIT, 62, ok=True)
    assert schedule.due(62) == [UNIT]
    schedule.started(UNIT, 62)
    schedule.done(UNIT, 63, ok=True)
    assert schedule.due(63) == []


def test_the_longest_waiting_comes_first() -> None:
    schedule = Schedule(dice([0.5]))
    schedule.keep({UNIT: Timing(interval=20), OTHER: Timing(interval=10)}, 0)
    assert schedule.due(15) == [OTHER]
    assert schedule.due(30) == [OTHER, UNIT]


def test_only_units_that_are_kept_are_due() -> None:
    schedule = scheduled(Timing(interval=10))
    schedule.keep({OTHER: Timing(interval=10)}, 5)
    for unit in (UNIT, UnitId("GitRepository", "apps", "never-seen")):
        schedule.started(unit, 5)
        schedule.done(unit, 5, ok=False)
        assert not schedule.ask(unit, 5)
        assert schedule.next_due(unit) is None
    assert schedule.due(1000) == [OTHER]


@given(TIMINGS, CHANCES, SECONDS)
def test_keeping_the_same_changes_nothing(timing: Timing, chances: list[float], now: float) -> None:
    schedule = scheduled(timing, chances)
    before = schedule.next_due(UNIT)
    schedule.keep({UNIT: Timing(interval=timing.interval, retry=timing.retry)}, now)
    assert schedule.next_due(UNIT) == before


def test_a_shorter_interval_counts_at_once_and_a_longer_one_from_the_next_round() -> None:
    schedule = scheduled(Timing(interval=3600))
    schedule.keep({UNIT: Timing(interval=60)}, 100)
    assert schedule.next_due(UNIT) == 160
    schedule.keep({UNIT: Timing(interval=7200)}, 100)
    assert schedule.next_due(UNIT) == 160
    schedule.done(UNIT, 160, ok=True)
    assert schedule.next_due(UNIT) == 160 + 7200


@given(st.lists(TIMINGS, max_size=5), CHANCES, SECONDS)
def test_waiting_ends_when_the_first_unit_is_due(
    timings: list[Timing], chances: list[float], now: float
) -> None:
    schedule = Schedule(dice(chances))
    units = {UnitId("GitRepository", "apps", f"s{n}"): timing for n, timing in enumerate(timings)}
    schedule.keep(units, 0)
    wait = schedule.wait(now)
    assert wait >= 0
    assert (wait == 0) == bool(schedule.due(now))
    assert not schedule.due(now + wait * 0.999 - 1e-6) or wait == 0
    if units:
        assert schedule.due(now + wait * (1 + 1e-9) + 1e-6)
