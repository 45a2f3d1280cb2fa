"""Metrics, and what machines ask about the watcher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.stack_view import NOW, PAY, SEARCH, SHOP, records, sample
from weir.spec.identity import UnitId
from weir.watch.exchange import Request, Response
from weir.watch.meter import Meter
from weir.watch.metrics import Metrics, Result
from weir.watch.probes import probe_routes
from weir.watch.view import StackView
from weir.watch.vitals import HUNG, Vitals

GONE = UnitId("Kustomization", "shop", "gone")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made(view: StackView | None = None, clock: Clock | None = None) -> Metrics:
    return Metrics(
        lambda: view or sample(), Vitals(clock or Clock()), lambda: {"PATCH": 3, "DELETE": 1}, lambda: NOW
    )


def samples(metrics: Metrics) -> Mapping[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for one in family.samples:
            found.setdefault(one.name, []).append((one.labels, one.value))
    return found


def of(metrics: Metrics, metric: str, **labels: str) -> list[float]:
    return [value for found, value in samples(metrics)[metric] if labels.items() <= found.items()]


def test_what_the_last_look_could_not_read_is_counted() -> None:
    assert of(made(), "weir_look_problems") == [0.0]
    broken = replace(sample(), problems=("the last look failed: no space left", "a.yaml: not YAML"))
    assert of(made(broken), "weir_look_problems") == [2.0]


def test_resource_info_has_flux_labels() -> None:
    (labels,) = [one for one, _ in samples(made())["gotk_resource_info"] if one["name"] == "payments"]
    assert labels == {
        "customresource_group": "kustomize.toolkit.fluxcd.io",
        "customresource_kind": "Kustomization",
        "customresource_version": "v1",
        "exported_namespace": "shop",
        "name": "payments",
        "ready": "False",
        "suspended": "false",
        "revision": "main@sha1:4c1a9f3e" + "0" * 32,
        "source_name": "fleet",
    }


def test_sync_and_health_are_one_of_their_states() -> None:
    metrics = made()
    unit = {"kind": "Kustomization", "namespace": "shop", "name": "search"}
    assert of(metrics, "weir_unit_sync", **unit, state="Synced") == [1.0]
    assert of(metrics, "weir_unit_health", **unit, state="Degraded") == [1.0]
    assert sum(of(metrics, "weir_unit_sync", **unit)) == sum(of(metrics, "weir_unit_health", **unit)) == 1.0


def test_objects_with_findings_are_counted_by_finding() -> None:
    metrics = made()
    assert of(metrics, "weir_unit_object_findings", name="payments", finding="drifted") == [1.0]
    assert of(metrics, "weir_unit_object_findings", name="payments", finding="failed") == [0.0]
    assert of(metrics, "weir_unit_object_findings", name="search", finding="failed") == [1.0]


def test_reconcile_durations_are_flux_histogram_and_end_with_their_unit() -> None:
    metrics = made()
    for unit in (SEARCH, GONE):
        metrics.reconciled(unit, 0.2)
    found = samples(metrics)["gotk_reconcile_duration_seconds_count"]
    assert found == [({"kind": "Kustomization", "namespace": "shop", "name": "search"}, 1.0)]
    assert of(metrics, "gotk_reconcile_duration_seconds_bucket", le="0.1") == [0.0]
    assert of(metrics, "gotk_reconcile_duration_seconds_bucket", le="0.25") == [1.0]


def test_new_results_in_a_record_are_reconciliations() -> None:
    metrics = made()
    meter = Meter(metrics)
    (record,) = [one for one in records() if one.id == PAY]
    meter.recorded(None, record)
    meter.recorded(record, replace(record, suspended=True))
    assert "gotk_reconcile_duration_seconds_count" not in samples(metrics)
    again = replace(record, history=(replace(record.history[0], count=3, duration=2.0), *record.history[1:]))
    meter.recorded(record, again)
    assert of(metrics, "gotk_reconcile_duration_seconds_sum", name="payments") == [2.0]


def test_a_unit_that_comes_back_is_counted_again() -> None:
    metrics = made()
    metrics.reconciled(GONE, 0.2)
    metrics.text()
    metrics.reconciled(SHOP, 1.0)
    metrics.reconciled(PAY, 1.0)
    assert {one["name"] for one, _ in samples(metrics)["gotk_reconcile_duration_seconds_count"]} == {
        "storefront",
        "payments",
    }


def test_what_the_watcher_does_is_counted_from_zero() -> None:
    metrics = made()
    assert of(metrics, "weir_engine_runs_total", result="failed") == [0.0]
    Meter(metrics).ran(2.0, failed=True)
    Meter(metrics).ran(1.0, failed=False)
    metrics.polled(Result.UNCHANGED, 0.1)
    metrics.repaired(Result.DONE, 0.05)
    metrics.repaired(Result.UNCHANGED, 0.0)
    metrics.watch_restarted()
    runs = [({"result": "done"}, 1.0), ({"result": "failed"}, 1.0)]
    assert samples(metrics)["weir_engine_runs_total"] == runs, "no series that nothing ever counts"
    assert of(metrics, "weir_polls_total", result="unchanged") == [1.0]
    assert of(metrics, "weir_drift_repairs_total") == [1.0, 1.0, 0.0]
    assert of(metrics, "weir_drift_repair_duration_seconds_count") == [1.0]
    assert of(metrics, "weir_watch_restarts_total") == [1.0]
    assert of(metrics, "weir_queue_depth") == [1.0]
    assert of(metrics, "weir_api_writes_total", method="PATCH") == [3.0]


def test_ages_and_leader() -> None:
    metrics = made()
    assert of(metrics, "weir_view_age_seconds") == [12.0]
    assert of(metrics, "weir_unsynced_seconds") == [0.0]
    assert samples(metrics)["weir_leader_info"] == [({"stack": "production", "holder": "weir-0"}, 1.0)]


def test_labels_cannot_break_the_format() -> None:
    hostile = UnitId("Kustomization", 'a"b\nc\\', "d")
    view = StackView(stack='x"} 1\n', leader="", at=NOW, units=(), unsynced_since=NOW - 5)
    metrics = made(view)
    metrics.reconciled(hostile, 1.0)
    assert samples(metrics)["weir_leader_info"] == [({"stack": 'x"} 1\n', "holder": ""}, 0.0)]
    assert of(metrics, "weir_unsynced_seconds") == [5.0]


def ask(vitals: Vitals, path: str) -> Response:
    metrics = Metrics(sample, vitals, dict, lambda: NOW)
    return probe_routes(vitals, metrics)[path](Request(method="GET", path=path))


def test_healthz_fails_when_the_loop_hangs_and_not_when_the_cluster_is_away() -> None:
    clock = Clock()
    vitals = Vitals(clock)
    vitals.reached("connection refused")
    clock.now += HUNG
    assert ask(vitals, "/healthz").status == HTTPStatus.OK
    clock.now += 1
    answer = ask(vitals, "/healthz")
    assert (answer.status, answer.body) == (503, b"the loop has not gone round for 61 s\n")
    vitals.tick()
    assert ask(vitals, "/healthz").body == b"ok\n"


def test_readyz_waits_for_the_first_look_and_for_the_cluster() -> None:
    vitals = Vitals(Clock())
    assert ask(vitals, "/readyz").body == b"the first look at the stack is not done yet\n"
    vitals.looked()
    assert ask(vitals, "/readyz").status == HTTPStatus.OK
    vitals.reached("connection refused")
    assert (ask(vitals, "/readyz").status, ask(vitals, "/readyz").body) == (503, b"connection refused\n")
    vitals.reached()
    assert ask(vitals, "/readyz").status == HTTPStatus.OK


@pytest.mark.parametrize(
    "name", ["process_resident_memory_bytes", "process_open_fds", "weir_loop_idle_seconds"]
)
def test_the_process_is_measured(name: str) -> None:
    assert len(of(made(), name)) == 1


def test_metrics_are_served_as_prometheus_text() -> None:
    answer = ask(Vitals(Clock()), "/metrics")
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    assert b"# TYPE gotk_resource_info gauge\n" in answer.body
    assert b"_created" not in answer.body
