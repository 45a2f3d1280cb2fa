"""Units that fail before their apply begins: their records say so, in Flux's words, and keep what was applied."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

import provider.unit
from tests.support.kube import Kube, wait_for
from tests.support.plugin import Plugin, record_of
from tests.support.units import Unit, config_map
from weir.edges.kube.events import read_events
from weir.edges.kube.records import Records, Running
from weir.flow.not_applied import record_failure
from weir.spec.errors import WeirError
from weir.spec.record import Condition


@pytest.fixture
def unit(kubeconfig: Path, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Unit:
    """A unit that was applied once, with its record in the test's namespace, and a cache of its own."""
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path / "cache"))
    made = Unit(kubeconfig, namespace)
    made.must_apply([config_map(namespace, "a")])
    return made


def test_a_unit_that_cannot_be_built_says_so_until_it_can(unit: Unit) -> None:
    before, plugin = record_of(unit), Plugin(unit)
    plugin.found(unit, error="app: kustomize build failed: no", reason="BuildFailed", digest="")
    for _ in range(2):
        with pytest.raises(WeirError, match="kustomize build failed"):
            plugin.update(unit)
    failed = record_of(unit)
    assert failed.ready is not None
    assert (failed.ready.status, failed.ready.reason) == ("False", "BuildFailed")
    assert failed.ready.message == "app: kustomize build failed: no"
    assert failed.attempted == "main@sha1:2"
    assert replace(failed, ready=before.ready, attempted=before.attempted) == before
    told = read_events(unit.kube, unit.namespace, "test")
    assert {(one.reason, one.metadata["revision"]) for one in told} == {("BuildFailed", "main@sha1:2")}
    plugin.found(unit)
    assert plugin.update(unit)["reason"] == "ReconciliationSucceeded"
    assert (record_of(unit).ready or failed.ready).status == "True"


def test_a_ready_expr_that_does_not_hold_is_a_dependency_that_is_not_ready(unit: Unit) -> None:
    plugin = Plugin(unit)
    plugin.found(unit, {"dependsOn": [{"name": "app", "readyExpr": "dep.metadata.name == 'other'"}]})
    with pytest.raises(WeirError, match="readyExpr does not hold"):
        plugin.update(unit)
    ready = record_of(unit).ready
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "DependencyNotReady")


def test_a_unit_that_was_never_applied_is_not_remembered(unit: Unit) -> None:
    plugin = Plugin(unit)
    unit.records.delete(unit.spec().id)
    plugin.found(unit, error="no", reason="BuildFailed", digest="")
    with pytest.raises(WeirError):
        plugin.update(unit)
    assert unit.records.read(unit.spec().id) is None


def test_records_that_are_not_the_runs_to_write_are_left_alone(unit: Unit) -> None:
    one, records, record = unit.spec().id, unit.records, record_of(unit)

    def fail(by: Records = records) -> Condition | None:
        record_failure(by, one, "BuildFailed", "no", "main@sha1:2")
        return record_of(unit).ready

    assert fail(Records(unit.kube, unit.namespace, "another")) == record.ready
    assert fail(Records(unit.kube, f"{unit.namespace}-none", "test")) == record.ready
    records.hold(one, "ann")
    assert fail() == record.ready
    records.release(one)
    records.write(record, running=Running(holder="x", started="2026-01-01T00:00:00Z", revision="r"))
    assert fail() == record.ready
    records.write(replace(record, applying="sha256:half", attempted="main@sha1:1"))
    ready = fail()
    assert ready is not None
    assert ready.reason == "BuildFailed"
    assert record_of(unit).attempted == "main@sha1:1", "what a run that did not finish left is of this one"


def test_a_unit_that_waits_for_another_leaves_its_place_to_it(
    unit: Unit, kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider.unit, "_AT_WORK", 1)
    other, plugin = Unit(unit.kubeconfig, unit.namespace, "other"), Plugin(unit)
    group = "kustomize.toolkit.fluxcd.io/v1"
    check = [{"apiVersion": group, "kind": "Kustomization", "name": "other"}]
    plugin.found(unit, {"healthChecks": check, "timeout": "30s"}, holds="c")
    plugin.found(other, holds="b")
    waits = threading.Thread(target=plugin.update, args=[unit])
    waits.start()
    wait_for(lambda: kube.get("v1", "ConfigMap", "c", unit.namespace))
    plugin.update(other)
    waits.join(60)
    assert not waits.is_alive()
    ready = record_of(unit).ready
    assert ready is not None
    assert ready.status == "True"
