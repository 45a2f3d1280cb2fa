"""The watcher's metrics in Prometheus' text form, under Flux's names where Flux has one.

Rule: https://fluxcd.io/flux/monitoring/metrics/ and https://prometheus.io/docs/instrumenting/exposition_formats/

What is known from the view is read when somebody asks, so that a unit that is gone leaves no series behind; what
happens between two questions is counted as it happens.
"""

from __future__ import annotations

import threading
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from weir.spec.identity import UnitId
from weir.watch.view import Finding, Health, StackView, Sync, UnitView
from weir.watch.vitals import Vitals

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_UNIT: Final = ("kind", "name", "namespace")
_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_GROUPS: Final = {
    "GitRepository": ("source.toolkit.fluxcd.io", "v1"),
    "OCIRepository": ("source.toolkit.fluxcd.io", "v1"),
    "Bucket": ("source.toolkit.fluxcd.io", "v1"),
    "HelmRepository": ("source.toolkit.fluxcd.io", "v1"),
    "HelmChart": ("source.toolkit.fluxcd.io", "v1"),
    "ExternalArtifact": ("source.toolkit.fluxcd.io", "v1"),
    "Kustomization": ("kustomize.toolkit.fluxcd.io", "v1"),
    "HelmRelease": ("helm.toolkit.fluxcd.io", "v2"),
    "ImageRepository": ("image.toolkit.fluxcd.io", "v1"),
    "ImagePolicy": ("image.toolkit.fluxcd.io", "v1"),
    "ImageUpdateAutomation": ("image.toolkit.fluxcd.io", "v1"),
}
_INFO: Final = (
    "customresource_group",
    "customresource_kind",
    "customresource_version",
    "exported_namespace",
    "name",
    "ready",
    "suspended",
    "revision",
    "source_name",
)


class Result(StrEnum):
    """How something that the watcher did came out."""

    DONE = "done"
    UNCHANGED = "unchanged"
    """There was nothing to do."""
    FAILED = "failed"


class Metrics:
    """All metrics of one watcher. Thread-safe."""

    def __init__(
        self,
        current: Callable[[], StackView],
        vitals: Vitals,
        writes: Callable[[], Mapping[str, int]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`writes` tells how many requests of each HTTP method this process sent to change a cluster."""
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._current = current
        self._lock = threading.Lock()
        self._timed: set[UnitId] = set()
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(_Present(current, vitals, writes, clock))
        ProcessCollector(registry=self.registry)
        self._reconciled = self._histogram(
            "gotk_reconcile_duration_seconds", "Time that reconciling a unit took.", _UNIT
        )
        self._polls = self._counter("weir_polls_total", "Looks at sources and registries.")
        self._poll_seconds = self._histogram("weir_poll_duration_seconds", "Time that one look took.")
        self._repairs = self._counter("weir_drift_repairs_total", "Objects whose drift was noticed.")
        self._repair_seconds = self._histogram(
            "weir_drift_repair_duration_seconds", "Time from noticing drift to its repair."
        )
        self._runs = self._counter(
            "weir_engine_runs_total", "Runs of the Pulumi engine.", (Result.DONE, Result.FAILED)
        )
        self._run_seconds = self._histogram(
            "weir_engine_run_duration_seconds", "Time that an engine run took."
        )
        self._relists = Counter(
            "weir_watch_restarts_total", "Cluster watches that had to start again.", registry=self.registry
        )

    def reconciled(self, unit: UnitId, seconds: float) -> None:
        """A unit was reconciled, whatever came of it."""
        with self._lock:
            self._timed.add(unit)
            self._reconciled.labels(*_labels(unit)).observe(seconds)

    def polled(self, result: Result, seconds: float) -> None:
        """A source or registry was looked at; DONE when something new was there."""
        self._polls.labels(result.value).inc()
        self._poll_seconds.observe(seconds)

    def repaired(self, result: Result, seconds: float) -> None:
        """Drift of an object was noticed; UNCHANGED when it was only reported."""
        self._repairs.labels(result.value).inc()
        if result is Result.DONE:
            self._repair_seconds.observe(seconds)

    def engine_ran(self, seconds: float, *, failed: bool) -> None:
        """The engine ran; it does not tell whether there was anything to do."""
        self._runs.labels((Result.FAILED if failed else Result.DONE).value).inc()
        self._run_seconds.observe(seconds)

    def watch_restarted(self) -> None:
        """A watch on the cluster broke and was started again."""
        self._relists.inc()

    def text(self) -> bytes:
        """All of them, in Prometheus' text form."""
        self._forget_gone({unit.id for unit in self._current().units})
        return prometheus_client.generate_latest(self.registry)

    def _forget_gone(self, present: set[UnitId]) -> None:
        with self._lock:
            for unit in self._timed - present:
                self._reconciled.remove(*_labels(unit))
            self._timed &= present

    def _counter(self, name: str, what: str, results: Iterable[Result] = Result) -> Counter:
        counter = Counter(name, what, ["result"], registry=self.registry)
        for result in results:
            counter.labels(result.value)
        return counter

    def _histogram(self, name: str, what: str, labels: Iterable[str] = ()) -> Histogram:
        return Histogram(name, what, tuple(labels), registry=self.registry, buckets=_SECONDS)


class _Present(Collector):
    """What the view tells at the moment of asking."""

    def __init__(
        self,
        current: Callable[[], StackView],
        vitals: Vitals,
        writes: Callable[[], Mapping[str, int]],
        clock: Callable[[], float],
    ) -> None:
        self._current = current
        self._vitals = vitals
        self._writes = writes
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are not checked against each other at registration."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """One sample per unit and state."""
        now = self._clock()
        view = self._current().aged(now)
        yield from _unit_metrics(view.units)
        waiting = sum(unit.behind for unit in view.units)
        yield GaugeMetricFamily("weir_queue_depth", "Units that wait for the engine.", value=waiting)
        age = GaugeMetricFamily(
            "weir_view_age_seconds", "Age of what is known about the stack; NaN for nothing."
        )
        known = view.age(now)
        age.add_metric([], float("nan") if known is None else known)
        yield age
        since = view.unsynced_since
        yield GaugeMetricFamily(
            "weir_unsynced_seconds",
            "How long not everything has been synced.",
            value=0.0 if since is None else max(now - since, 0.0),
        )
        problems = "What the last look at Git could not read; that it failed counts as well."
        yield GaugeMetricFamily("weir_look_problems", problems, value=len(view.problems))
        yield GaugeMetricFamily(
            "weir_loop_idle_seconds", "Time since the last round of the loop.", value=self._vitals.idle
        )
        leader = GaugeMetricFamily(
            "weir_leader_info", "Who keeps the stack converged.", labels=["stack", "holder"]
        )
        leader.add_metric([view.stack, view.leader], 1.0 if view.leader else 0.0)
        yield leader
        writes = CounterMetricFamily(
            "weir_api_writes", "Requests of the watcher itself that change a cluster.", labels=["method"]
        )
        for method, count in sorted(self._writes().items()):
            writes.add_metric([method], count)
        yield writes


def _unit_metrics(units: Iterable[UnitView]) -> Iterator[Metric]:
    info = GaugeMetricFamily("gotk_resource_info", "The state of a unit.", labels=_INFO)
    sync = GaugeMetricFamily(
        "weir_unit_sync", "1 for whether a unit is as Git says.", labels=(*_UNIT, "state")
    )
    health = GaugeMetricFamily("weir_unit_health", "1 for how a unit is.", labels=(*_UNIT, "state"))
    objects = GaugeMetricFamily("weir_unit_objects", "Objects that a unit owns.", labels=_UNIT)
    noted = GaugeMetricFamily(
        "weir_unit_object_findings", "Objects that are not as they should be.", labels=(*_UNIT, "finding")
    )
    for unit in units:
        labels = _labels(unit.id)
        info.add_metric(_info(unit), 1.0)
        for one in Sync:
            sync.add_metric([*labels, one.value], float(unit.sync is one))
        for other in Health:
            health.add_metric([*labels, other.value], float(unit.health is other))
        objects.add_metric(labels, len(unit.objects))
        found = Counts(note.finding for one in unit.noted for note in one.notes)
        for finding in Finding:
            noted.add_metric([*labels, finding.name.lower()], found[finding])
    yield from (info, sync, health, objects, noted)


def _info(unit: UnitView) -> list[str]:
    group, version = _GROUPS.get(unit.id.kind, ("", ""))
    ready = unit.ready.status if unit.ready else "Unknown"
    source = unit.source.name if unit.source else ""
    suspended = "true" if unit.suspended else "false"
    place = [group, unit.id.kind, version, unit.id.namespace, unit.id.name]
    return [*place, ready, suspended, unit.revision, source]


def _labels(unit: UnitId) -> tuple[str, str, str]:
    return unit.kind, unit.name, unit.namespace
