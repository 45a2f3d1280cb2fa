"""What a run tells: Events in a real cluster, and notifications where somebody wants them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.notices import alert_object
from tests.support.units import Unit
from weir.edges.kube.events import read_events
from weir.edges.outbox import Outbox
from weir.edges.runs import Run
from weir.flow import notices
from weir.flow.clusters import Clusters
from weir.flow.remove import remove_unit
from weir.flow.tell import Teller
from weir.spec.documents import Document
from weir.spec.event import Event


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run in a cache of its own."""
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path / "cache"))
    return Run.current()


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    """A unit with its record in the test's namespace."""
    return Unit(kubeconfig, namespace)


def config_map(namespace: str, value: str) -> dict[str, Any]:
    meta = {"name": "a", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"A": value}}


def told(clusters: Clusters) -> tuple[Event, ...]:
    return read_events(clusters.main, clusters.record_namespace, "test")


def test_an_apply_is_told_in_the_cluster_and_kept_for_an_alert(run: Run, unit: Unit) -> None:
    said: list[str] = []
    clusters, ns = unit.clusters(), unit.namespace
    teller, document = Teller(clusters, run, said.append), Document("unit.yaml", 0, unit.document())
    teller.applied(document, unit.apply([config_map(ns, "1")]))
    assert [one.message for one in told(clusters)] == [f"ConfigMap/{ns}/a created"]
    assert not notices.outbox_folder("test").exists()

    notices.announce(run, [Document("alert.yaml", 0, alert_object())])
    teller.applied(document, unit.apply([config_map(ns, "2")]))
    teller.applied(document, unit.apply([config_map(ns, "2")]))
    (entry,) = Outbox(notices.outbox_folder("test")).entries()
    assert entry.event.message == f"ConfigMap/{ns}/a configured"
    assert len(told(clusters)) == 2
    assert said == []


def test_a_failure_is_told_before_and_after_its_apply_began(run: Run, unit: Unit) -> None:
    clusters = unit.clusters()
    teller, document = Teller(clusters, run, print), Document("unit.yaml", 0, unit.document())
    broken = {**config_map(unit.namespace, "1"), "data": {"A": {"b": "c"}}}
    teller.applied(document, unit.apply([broken]))
    teller.refused(unit.spec().id, "kustomize build failed", "BuildFailed")
    reasons = {one.message[:22]: (one.severity.value, one.reason) for one in told(clusters)}
    assert reasons["kustomize build failed"] == ("error", "BuildFailed")
    assert len(reasons) == 2


def test_a_removal_is_told_with_what_went(run: Run, unit: Unit) -> None:
    clusters, ns = unit.clusters(), unit.namespace
    unit.must_apply([config_map(ns, "1")])
    record = clusters.records.read(unit.spec().id)
    assert record is not None
    changes = remove_unit(clusters, record, unit.options, progress=print, stop=threading.Event())
    Teller(clusters, run, print).removed(record, changes)
    (event,) = told(clusters)
    assert event.message == f"Kustomization/{ns}/app was removed\nConfigMap/{ns}/a deleted"
    assert event.metadata["revision"] == "main@sha1:1"


def test_an_account_that_may_not_write_events_is_told_so_once(run: Run, unit: Unit) -> None:
    said: list[str] = []
    clusters = unit.clusters()
    vars(clusters)["main"] = clusters.main.acting_as("system:serviceaccount:nowhere:nobody")
    teller = Teller(clusters, run, said.append)
    for message in ("one", "two"):
        teller.refused(unit.spec().id, message)
    assert len(said) == 1
    assert "may not write Events" in said[0]
