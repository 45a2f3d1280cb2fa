"""Objects that leave a unit while others of the run are not rendered: nothing is deleted on a guess, or forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.support.kube import Kube
from tests.support.units import Obj, Unit, config_map
from weir.edges.runs import Run, claims_file
from weir.flow import apply
from weir.flow.apply import UnitResult, apply_unit
from weir.flow.moves import Missing, keep_unrendered, read_unrendered, wanted_elsewhere
from weir.flow.plan import Plan, Request, plan_unit
from weir.spec.changes import Action
from weir.spec.errors import GuardError, StopRequested
from weir.spec.identity import ObjectId
from weir.spec.record import UnitRecord

REVISION = "main@sha1:2"
B = "Kustomization/ns/b"


class Place:
    """Unit `app` in a run of which other units are rendered, or not."""

    def __init__(self, unit: Unit, run: Run) -> None:
        self.unit, self.run, self.stop = unit, run, threading.Event()

    @property
    def missing(self) -> Missing:
        """Unit `b`, of the same source."""
        return Missing(B, str(self.unit.spec().source), "./b")

    @property
    def request(self) -> Request:
        spec = self.unit.spec()
        return replace(
            self.unit.request(spec, self.stop),
            elsewhere=partial(wanted_elsewhere, self.run, spec),
            unrendered=partial(read_unrendered, self.run, spec.source),
        )

    def claim(self, *names: str) -> None:
        """Unit `b` renders ConfigMaps, and with it all is rendered."""
        ids = [ObjectId("", "ConfigMap", self.unit.namespace, name).entry for name in names]
        claims = {"cluster": "", "ids": ids}
        other = replace(self.unit.spec().id, name="b")
        self.run.write_json(claims_file(other), claims)
        keep_unrendered(self.run, [], pending=False)

    def plan(self, objects: Sequence[Obj]) -> Plan:
        record = self.unit.records.read(self.unit.spec().id)
        return plan_unit(self.request, [self.unit.label(obj) for obj in objects], record)

    def apply(self, objects: Sequence[Obj]) -> UnitResult:
        spec, stack = self.unit.spec(), self.unit.stack
        return apply_unit(
            self.request,
            self.unit.records,
            [self.unit.label(obj) for obj in objects],
            record=UnitRecord(id=spec.id, stack=stack),
            revision=REVISION,
            digest="sha256:2",
            progress=self.unit.said.append,
        )

    def record(self) -> UnitRecord:
        found = self.unit.records.read(self.unit.spec().id)
        assert found
        return found


@pytest.fixture
def place(kubeconfig: Path, namespace: str, tmp_path: Path) -> Place:
    return Place(Unit(kubeconfig, namespace), Run(tmp_path, 0))


def maps(place: Place, *names: str) -> list[Obj]:
    return [config_map(place.unit.namespace, name) for name in names]


def uid(kube: Kube, place: Place, name: str) -> str:
    """The uid of a ConfigMap, empty when it is gone."""
    found = kube.get("v1", "ConfigMap", name, place.unit.namespace)
    return found["metadata"]["uid"] if found else ""


def test_what_a_slow_unit_turns_out_to_want_stays_and_the_rest_goes(place: Place, kube: Kube) -> None:
    place.unit.must_apply(maps(place, "keep", "moved", "gone"))
    before = uid(kube, place, "moved")
    keep_unrendered(place.run, [place.missing], pending=True)
    plan = place.plan(maps(place, "keep", "new"))
    assert [item.action for item in plan.changeset.changes].count(Action.DELETE) == 0
    assert "not rendered yet" in plan.unhealthy, "so that the engine calls for an apply"

    def render() -> None:
        deadline = time.monotonic() + 20
        while not uid(kube, place, "new") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert uid(kube, place, "gone")
        place.claim("moved")
        Unit(place.unit.kubeconfig, place.unit.namespace, "b").must_apply(maps(place, "moved"))

    other = threading.Thread(target=render)
    other.start()
    result = place.apply(maps(place, "keep", "new"))
    other.join()
    assert result.error is None
    assert not result.spared
    assert uid(kube, place, "moved") == before
    assert uid(kube, place, "new"), "its own objects do not wait"
    assert not uid(kube, place, "gone")
    assert Action.DELETE in [item.action for item in result.changeset.changes]
    assert place.unit.owned() == {f"ConfigMap/{place.unit.namespace}/{name}" for name in ("keep", "new")}
    assert not place.record().applying


def test_what_a_failed_unit_may_want_stays_is_named_and_goes_with_the_next_good_run(
    place: Place, kube: Kube
) -> None:
    place.unit.must_apply(maps(place, "keep", "old"))
    keep_unrendered(place.run, [place.missing], pending=False)
    began = time.monotonic()
    result = place.apply(maps(place, "keep"))
    assert time.monotonic() - began < 5, "what failed is not waited for"
    assert result.error is None
    said = f"ConfigMap/{place.unit.namespace}/old: not deleted: {B} is not rendered as Git has it and may want it"
    assert result.spared == said
    assert result.condition.message == f"Applied revision: {REVISION}; {said}"
    assert uid(kube, place, "old")
    assert f"ConfigMap/{place.unit.namespace}/old" in place.unit.owned()
    assert place.record().applying, "a watcher runs it again"
    keep_unrendered(place.run, [], pending=False)
    assert Action.DELETE in [item.action for item in place.plan(maps(place, "keep")).changeset.changes]
    assert place.apply(maps(place, "keep")).error is None
    assert not uid(kube, place, "old")
    assert not place.record().applying
    assert place.record().ready == replace(result.condition, message=f"Applied revision: {REVISION}")


def test_what_moved_while_it_was_not_known_leaves_the_record_with_the_next_run(
    place: Place, kube: Kube
) -> None:
    place.unit.must_apply(maps(place, "keep", "moved"))
    keep_unrendered(place.run, [place.missing], pending=False)
    assert place.apply(maps(place, "keep")).spared
    before = uid(kube, place, "moved")
    Unit(place.unit.kubeconfig, place.unit.namespace, "b").must_apply(maps(place, "moved"))
    place.claim("moved")
    assert "not the unit's any more" in place.plan(maps(place, "keep")).unhealthy
    assert place.apply(maps(place, "keep")).error is None
    assert uid(kube, place, "moved") == before
    assert place.unit.owned() == {f"ConfigMap/{place.unit.namespace}/keep"}
    assert not place.plan(maps(place, "keep")).unhealthy


def test_a_unit_that_is_never_rendered_is_waited_for_so_long_and_no_longer(
    place: Place, kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "_RENDER_SECONDS", 0.5)
    place.unit.must_apply(maps(place, "keep", "old"))
    keep_unrendered(place.run, [place.missing], pending=True)
    result = place.apply(maps(place, "keep"))
    assert result.error is None
    assert f"{B} is not rendered yet and may want it" in result.spared
    assert uid(kube, place, "old")


def test_a_stop_ends_the_wait_and_nothing_is_forgotten(place: Place, kube: Kube) -> None:
    place.unit.must_apply(maps(place, "keep", "old"))
    keep_unrendered(place.run, [place.missing], pending=True)
    threading.Timer(1.0, place.stop.set).start()
    began = time.monotonic()
    result = place.apply(maps(place, "keep", "new"))
    assert time.monotonic() - began < 4
    assert isinstance(result.error, StopRequested)
    assert uid(kube, place, "old")
    assert len(place.record().inventory) == 3


def test_a_unit_with_nothing_to_delete_waits_for_nobody(place: Place) -> None:
    place.unit.must_apply(maps(place, "keep"))
    keep_unrendered(place.run, [place.missing], pending=True)
    began = time.monotonic()
    assert place.apply(maps(place, "keep", "new")).error is None
    assert time.monotonic() - began < 5


def test_the_guard_judges_what_is_deleted_after_the_wait(place: Place, kube: Kube) -> None:
    names = [f"old-{n}" for n in range(5)]
    place.unit.must_apply(maps(place, "keep", *names))
    keep_unrendered(place.run, [place.missing], pending=True)
    timer = threading.Timer(1.0, lambda: place.claim("old-0"))
    timer.start()
    result = place.apply(maps(place, "keep", "new"))
    timer.join()
    assert isinstance(result.error, GuardError)
    assert all(uid(kube, place, name) for name in [*names, "new"])
    assert len(place.record().inventory) == 7
