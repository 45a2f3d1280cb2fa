"""Repairs of one object: at once while it is calm, ever more seldom while somebody fights, never more than bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.spec.identity import ObjectId
from weir.watch.flapping import CALM, WINDOW, Flapping

ITEM = ObjectId("apps", "Deployment", "prod", "web")
OTHER = ObjectId("", "ConfigMap", "prod", "settings")
LONGEST = 300.0
MOST_IN_A_WINDOW = 16
"""Repairs of one object in one window: five at once, then 2, 4, 8, ... seconds apart, up to 300 seconds."""
DELAYS = st.lists(st.floats(0, 1000), max_size=30)


def item(number: int) -> ObjectId:
    return ObjectId("", "ConfigMap", "prod", f"cm-{number}")


def fought(delays: list[float]) -> tuple[Flapping, list[float]]:
    """An object that is changed again so many seconds after each repair, and repaired as soon as it may be."""
    flapping, now, times = Flapping(), 0.0, []
    for delay in delays:
        now += delay
        now += flapping.pause(ITEM, now)
        assert flapping.pause(ITEM, now) == pytest.approx(0, abs=1e-6)
        flapping.repaired(ITEM, now)
        times.append(now)
    return flapping, times


@given(st.lists(st.floats(0, 30), max_size=CALM - 1))
def test_people_at_work_are_answered_at_once(delays: list[float]) -> None:
    flapping, now = Flapping(), 0.0
    for delay in delays:
        now += delay
        assert flapping.pause(ITEM, now) == 0
        flapping.repaired(ITEM, now)
    assert flapping.pause(ITEM, now) == 0
    assert not flapping.is_flapping(ITEM, now)


@given(st.lists(st.floats(WINDOW / (CALM - 1) + 1, 4 * WINDOW), max_size=20))
def test_an_object_that_drifts_now_and_then_is_never_made_to_wait(delays: list[float]) -> None:
    flapping, now = Flapping(), 0.0
    for delay in delays:
        now += delay
        assert flapping.pause(ITEM, now) == 0
        flapping.repaired(ITEM, now)


def test_pauses_grow_while_somebody_fights() -> None:
    flapping, now, pauses = Flapping(), 0.0, []
    for _ in range(13):
        pauses.append(flapping.pause(ITEM, now))
        now += pauses[-1]
        flapping.repaired(ITEM, now)
    assert pauses == [0] * CALM + [2, 4, 8, 16, 32, 64, 128, 256]
    assert flapping.pause(ITEM, now) == LONGEST


@given(DELAYS, st.floats(0, 2000))
def test_pauses_are_bounded_and_say_whether_the_object_flaps(delays: list[float], later: float) -> None:
    flapping, times = fought(delays)
    now = (times[-1] if times else 0.0) + later
    pause = flapping.pause(ITEM, now)
    assert 0 <= pause <= LONGEST
    assert pause == 0 or flapping.is_flapping(ITEM, now)
    assert flapping.pause(ITEM, now + pause) == pytest.approx(0, abs=1e-6)


@given(DELAYS)
def test_whatever_the_other_does_there_are_few_repairs_in_a_window(delays: list[float]) -> None:
    _, times = fought(delays)
    for last in times:
        assert len([moment for moment in times if last - WINDOW < moment <= last]) <= MOST_IN_A_WINDOW


def test_peace_is_noticed() -> None:
    flapping, times = fought([0] * 12)
    assert flapping.is_flapping(ITEM, times[-1])
    later = times[-1] + WINDOW
    assert not flapping.is_flapping(ITEM, later)
    assert flapping.pause(ITEM, later) == 0


def test_one_object_that_flaps_delays_no_other() -> None:
    flapping, times = fought([0] * 12)
    assert flapping.pause(OTHER, times[-1]) == 0
    assert not flapping.is_flapping(OTHER, times[-1])


def test_memory_of_one_object_is_bounded() -> None:
    flapping = Flapping()
    for number in range(10_000):
        flapping.repaired(ITEM, number * 0.01)
    assert len(flapping._repairs[ITEM]) <= 64
    assert flapping.pause(ITEM, 100) == pytest.approx(LONGEST, abs=0.1)


def test_memory_of_calm_objects_is_given_back() -> None:
    flapping = Flapping()
    for number in range(20_100):
        flapping.repaired(item(number), number * 1.0)
    assert len(flapping._repairs) <= 10_000


def test_memory_is_bounded_even_when_everything_drifts_at_once() -> None:
    flapping = Flapping()
    for number in range(10_100):
        flapping.repaired(item(number), 1.0)
    assert len(flapping._repairs) <= 10_000
