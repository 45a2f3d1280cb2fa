"""Units that fail before their apply begins: their records say so, in Flux's words, and keep what was applied."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from provider.engine import Engine
from provider.unit import UnitProvider
from tests.support.units import Unit, config_map
from weir.edges.kube.events import read_events
from weir.edges.kube.records import Records, Running
from weir.edges.runs import Run, objects_file, unit_file
from weir.flow.digest import canonical, digest_of
from weir.flow.not_applied import record_failure
from weir.flow.outcome import UnitOutcome, encode
from weir.spec.documents import Document
from weir.spec.errors import WeirError
from weir.spec.record import Condition, UnitRecord

URN = "urn:pulumi:test::weir::weir:kustomize:Kustomization::app"


class Place:
    """A unit that was applied, and the plugin in the next run."""

    def __init__(self, unit: Unit) -> None:
        self.unit, self.run = unit, Run.current()
        self.objects = [unit.label(config_map(unit.namespace, "a"))]
        cluster = {"kubeconfig": str(unit.kubeconfig), "recordNamespace": unit.namespace}
        settings = {"objects": "none", "cluster": json.dumps(cluster)}
        self.provider = UnitProvider(settings, Engine(""), threading.Event())

    def found(self, *, depends_on: tuple[dict[str, Any], ...] = (), **outcome: Any) -> None:
        """What the run found out about the unit: its objects at `main@sha1:2`, but for what is said."""
        payload = canonical(self.objects)
        self.run.write(objects_file(self.unit.spec().id), payload)
        given = {"revision": "main@sha1:2", "digest": digest_of(payload), **outcome}
        spec: dict[str, Any] = {"dependsOn": list(depends_on)}
        document = Document("unit.yaml", 0, self.unit.document(**spec))
        made = UnitOutcome(spec=self.unit.spec(**spec), document=document, **given)
        self.run.write_json(unit_file(made.id), encode(made))

    def update(self) -> dict[str, Any]:
        """Plan and apply, as the engine would. Raises WeirError."""
        news = {"unit": str(self.unit.spec().id), "source": "GitRepository/x/repo"}
        inputs = self.provider.check(URN, {}, news)
        return self.provider.apply(URN, inputs, 0)

    @property
    def record(self) -> UnitRecord:
        """What the cluster remembers."""
        found = self.unit.records.read(self.unit.spec().id)
        assert found is not None
        return found


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    """A unit with its record in the test's namespace."""
    return Unit(kubeconfig, namespace)


@pytest.fixture
def place(unit: Unit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The unit, applied once, in a cache of its own."""
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path / "cache"))
    unit.must_apply([config_map(unit.namespace, "a")])
    return Place(unit)


def test_a_unit_that_cannot_be_built_says_so_until_it_can(place: Place) -> None:
    before = place.record
    place.found(error="app: kustomize build failed: no", reason="BuildFailed", digest="")
    for _ in range(2):
        with pytest.raises(WeirError, match="kustomize build failed"):
            place.update()
    failed = place.record
    assert failed.ready is not None
    assert (failed.ready.status, failed.ready.reason) == ("False", "BuildFailed")
    assert failed.ready.message == "app: kustomize build failed: no"
    assert failed.attempted == "main@sha1:2"
    assert replace(failed, ready=before.ready, attempted=before.attempted) == before
    told = read_events(place.unit.kube, place.unit.namespace, "test")
    assert {(one.reason, one.metadata["revision"]) for one in told} == {("BuildFailed", "main@sha1:2")}
    place.found()
    assert place.update()["reason"] == "ReconciliationSucceeded"
    assert (place.record.ready or failed.ready).status == "True"


def test_a_ready_expr_that_does_not_hold_is_a_dependency_that_is_not_ready(place: Place) -> None:
    place.found(depends_on=({"name": "app", "readyExpr": "dep.metadata.name == 'other'"},))
    with pytest.raises(WeirError, match="readyExpr does not hold"):
        place.update()
    ready = place.record.ready
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "DependencyNotReady")


def test_a_unit_that_was_never_applied_is_not_remembered(place: Place) -> None:
    place.unit.records.delete(place.unit.spec().id)
    place.found(error="no", reason="BuildFailed", digest="")
    with pytest.raises(WeirError):
        place.update()
    assert place.unit.records.read(place.unit.spec().id) is None


def test_records_that_are_not_the_runs_to_write_are_left_alone(place: Place) -> None:
    unit, records = place.unit.spec().id, place.unit.records
    record = place.record

    def fail(by: Records = records) -> Condition | None:
        record_failure(by, unit, "BuildFailed", "no", "main@sha1:2")
        return place.record.ready

    assert fail(Records(place.unit.kube, place.unit.namespace, "another")) == record.ready
    assert fail(Records(place.unit.kube, f"{place.unit.namespace}-none", "test")) == record.ready
    records.hold(unit, "ann")
    assert fail() == record.ready
    records.release(unit)
    records.write(record, running=Running(holder="x", started="2026-01-01T00:00:00Z", revision="r"))
    assert fail() == record.ready
    records.write(record)
    ready = fail()
    assert ready is not None
    assert ready.reason == "BuildFailed"
    assert orjson.loads(place.record.document)["kind"] == "Kustomization"
