"""The plan of a unit that somebody looks at: read from a real API server, and not for every look."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.kube import Kube
from tests.support.units import Unit, config_map
from weir.edges.kube.errors import UnreachableError
from weir.flow.repair import Held, hold
from weir.watch.plans import KEPT, Plans

REVISION = "main@sha1:1"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    made = Unit(kubeconfig, namespace)
    made.must_apply([config_map(namespace, "old"), config_map(namespace, "kept", {"key": "1"})], REVISION)
    return made


def held(unit: Unit, digest: str) -> Held:
    """What a later revision renders: one object changed, one new, one gone."""
    objects = [config_map(unit.namespace, "kept", {"key": "2"}), config_map(unit.namespace, "new")]
    return hold(unit.request(unit.spec()), [unit.label(obj) for obj in objects], digest)


def test_a_plan_is_read_and_kept_for_a_while(unit: Unit, kube: Kube, namespace: str) -> None:
    clock = Clock()
    wanted = held(unit, "sha256:2")
    plans = Plans(lambda _: wanted, unit.records.read, clock)
    plan = plans.of(unit.spec().id)
    assert plan is not None
    told = {
        change.id.name: (str(change.action), [str(field) for field in change.fields])
        for change in plan.changes
    }
    assert told == {"kept": ("configure", ["data.key: 1 -> 2"]), "new": ("create", []), "old": ("delete", [])}
    assert wanted.request.kube.writes.keys() <= {"PATCH"}
    kube.request("DELETE", kube.path("v1", "ConfigMap", namespace, "kept"))
    clock.now += KEPT
    assert plans.of(unit.spec().id) is plan
    clock.now += 0.1
    later = plans.of(unit.spec().id)
    assert later is not None
    assert {change.id.name: str(change.action) for change in later.changes}["kept"] == "create"


def test_another_revision_is_planned_at_once(unit: Unit) -> None:
    current = held(unit, "sha256:2")
    plans = Plans(lambda _: current, unit.records.read, Clock())
    first = plans.of(unit.spec().id)
    current = held(unit, "sha256:3")
    assert plans.of(unit.spec().id) is not first


def test_a_unit_that_does_not_render_has_no_plan(unit: Unit) -> None:
    assert Plans(lambda _: None, unit.records.read).of(unit.spec().id) is None


def test_a_cluster_that_is_away_is_the_plans_warning(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise UnreachableError("https://10.0.0.1: cannot be reached: connection refused")

    monkeypatch.setattr("weir.watch.plans.plan_unit", away)
    found = held(unit, "sha256:2")
    plan = Plans(lambda _: replace(found), unit.records.read).of(unit.spec().id)
    assert plan is not None
    assert plan.changes == ()
    assert plan.warnings == ("no plan: https://10.0.0.1: cannot be reached: connection refused",)


def test_a_cluster_that_is_slow_to_fail_is_not_asked_again_at_once(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, asked = Clock(), []

    def slow(*_: object) -> None:
        asked.append(clock.now)
        clock.now += KEPT * 3
        raise UnreachableError("https://10.0.0.1: no answer")

    monkeypatch.setattr("weir.watch.plans.plan_unit", slow)
    found = held(unit, "sha256:2")
    plans = Plans(lambda _: found, unit.records.read, clock)
    for _ in range(5):
        plan = plans.of(unit.spec().id)
        assert plan is not None
        assert plan.warnings == ("no plan: https://10.0.0.1: no answer",)
    assert asked == [100.0]


def test_nobody_waits_for_the_plan_of_somebody_else(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked, answers = Clock(), threading.Event(), threading.Event()

    def silent(*_: object) -> None:
        asked.set()
        answers.wait()
        raise UnreachableError("https://10.0.0.1: no answer")

    monkeypatch.setattr("weir.watch.plans.plan_unit", silent)
    found = held(unit, "sha256:2")
    plans = Plans(lambda _: found, unit.records.read, clock)
    with ThreadPoolExecutor() as pool:
        try:
            for known in ("no plan yet: another one is being made", "no plan: https://10.0.0.1: no answer"):
                first = pool.submit(plans.of, unit.spec().id)
                assert asked.wait(60)
                meanwhile = pool.submit(plans.of, unit.spec().id).result(60)
                assert meanwhile is not None
                assert meanwhile.warnings == (known,)
                answers.set()
                assert first.result(60) is not None
                clock.now += KEPT + 1
                asked.clear()
                answers.clear()
        finally:
            answers.set()
