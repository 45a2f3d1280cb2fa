"""A slow run comes to its end however often something new comes; one that only waits never holds up what is new."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weir.spec.identity import UnitId
from weir.spec.record import Condition, UnitRecord
from weir.watch.haste import STUCK, Haste

APP = UnitId("Kustomization", "prod", "app")
SOURCE = UnitId("GitRepository", "prod", "apps")
BEFORE = {APP: UnitRecord(id=APP, stack="s", digest="sha256:1"), SOURCE: UnitRecord(id=SOURCE, stack="s")}
RESOLVED = {**BEFORE, SOURCE: UnitRecord(id=SOURCE, stack="s", digest="sha256:9")}
APPLIED = {**RESOLVED, APP: UnitRecord(id=APP, stack="s", digest="sha256:2")}


def unhealthy(reason: str) -> dict[UnitId, UnitRecord]:
    ready = Condition(status="False", reason=reason, message="")
    begun = UnitRecord(id=APP, stack="s", digest="sha256:1", applying="sha256:2", ready=ready)
    return {**RESOLVED, APP: begun}


def interrupted_at(haste: Haste, after: dict[UnitId, UnitRecord], now: float) -> float:
    """Seconds until a run is asked to end when there is always something new."""
    haste.begun(BEFORE, now)
    took = 0.0
    while not haste.is_due(now + took):
        took += 1.0
    haste.interrupted = True
    haste.ended(after)
    return took


@given(st.floats(1, 3600))
def test_a_run_that_takes_any_time_comes_to_its_end_though_something_new_always_comes(needed: float) -> None:
    haste, now, runs = Haste(), 0.0, 0
    while (took := interrupted_at(haste, RESOLVED, now)) < needed:
        now, runs = now + took, runs + 1
        assert runs <= 10
    assert now < 2 * needed + STUCK


def test_runs_that_bring_something_are_asked_to_end_as_soon_as_ever() -> None:
    haste = Haste()
    assert [interrupted_at(haste, APPLIED, number * 100.0) for number in range(5)] == [11.0] * 5


def test_a_run_that_only_waited_for_health_brought_something() -> None:
    haste = Haste()
    after = unhealthy("HealthCheckCanceled")
    assert [interrupted_at(haste, after, number * 100.0) for number in range(5)] == [11.0] * 5


def test_a_run_that_had_begun_to_write_brought_nothing_yet() -> None:
    haste = Haste()
    after = unhealthy("ReconciliationFailed")
    assert [interrupted_at(haste, after, number * 100.0) for number in range(3)] == [11.0, 21.0, 41.0]


def test_after_a_run_that_ended_by_itself_patience_is_as_at_first() -> None:
    haste = Haste()
    assert [interrupted_at(haste, BEFORE, 0.0) for _ in range(3)] == [11.0, 21.0, 41.0]
    haste.begun(BEFORE, 200.0)
    haste.ended(BEFORE)
    assert interrupted_at(haste, BEFORE, 300.0) == 11.0


def test_a_run_is_asked_to_end_once() -> None:
    haste = Haste()
    haste.begun(BEFORE, 0.0)
    haste.interrupted = True
    assert not haste.is_due(1000.0)
