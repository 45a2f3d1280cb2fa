"""healthChecks that name units: judged by their records, waited for, and by the cluster only without a record."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from tests.property.strategies import kustomization
from weir.edges.kube.discovery import Resource
from weir.edges.kube.errors import KubeStatusError, UnknownKindError
from weir.flow import checks
from weir.flow.checks import await_health, checked, present_health
from weir.flow.plan import Request
from weir.spec.errors import ClusterError, HealthError, StopRequested
from weir.spec.identity import UnitId
from weir.spec.kustomization import KustomizationSpec
from weir.spec.record import Condition, UnitRecord
from weir.spec.stack import OptionsConfig

GROUP = "kustomize.toolkit.fluxcd.io"
BASE = UnitId("Kustomization", "flux-system", "base")
RESOURCE = Resource(
    group=GROUP,
    version="v1",
    kind="Kustomization",
    plural="kustomizations",
    namespaced=True,
    verbs=frozenset(),
)
DOCUMENT = {
    "apiVersion": f"{GROUP}/v1",
    "kind": "Kustomization",
    "metadata": {"name": "base", "namespace": "flux-system"},
}


class Cluster:
    """A cluster that holds at most one object, and serves its kind only then."""

    def __init__(self, live: dict[str, Any] | None = None) -> None:
        self.live = live

    def any_version(self, group: str, kind: str, _version: str = "") -> Resource:
        """The kind. Raises UnknownKindError."""
        if self.live is None:
            raise UnknownKindError(f"{group} {kind}: is not served")
        return RESOURCE

    def until(self, _stop: threading.Event) -> Cluster:
        """The same."""
        return self

    def request(self, _method: str, path: str, *_: object) -> dict[str, Any]:
        """The object. Raises KubeStatusError."""
        if self.live is None or not path.endswith("/base"):
            raise KubeStatusError(404, "NotFound", "not found")
        return self.live


def request_of(spec: KustomizationSpec, live: dict[str, Any] | None = None) -> Any:
    cluster = Cluster(live)
    return cluster, cluster, spec


def spec_of(
    kind: str = "Kustomization", group: str = GROUP, seconds: float = 0.0, **more: Any
) -> KustomizationSpec:
    name = {"Kustomization": "base"}.get(kind, "fleet")
    check = {"apiVersion": f"{group}/v1", "kind": kind, "name": name}
    return replace(kustomization(healthChecks=[check], **more), timeout=seconds)


def record(status: str = "True", reason: str = "ReconciliationSucceeded", unit: UnitId = BASE) -> UnitRecord:
    document = orjson.dumps(DOCUMENT).decode() if unit == BASE else ""
    ready = Condition(status=status, reason=reason, message="as it says")
    return UnitRecord(id=unit, stack="prod", document=document, spec_digest="of what is masked", ready=ready)


def wait(
    spec: KustomizationSpec,
    read: Callable[[UnitId], UnitRecord | None],
    live: dict[str, Any] | None = None,
    stop: threading.Event | None = None,
) -> None:
    await_health(request_of(spec, live), (), read, stop or threading.Event(), lambda _: None)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once."""
    monkeypatch.setattr(checks, "_LOOK_SECONDS", 0.01)


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("Kustomization", GROUP),
        ("GitRepository", "source.toolkit.fluxcd.io"),
        ("ImagePolicy", "image.toolkit.fluxcd.io"),
        ("ImageUpdateAutomation", "image.toolkit.fluxcd.io"),
    ],
)
def test_a_unit_is_judged_by_its_record(kind: str, group: str) -> None:
    asked: list[UnitId] = []

    def ready(unit: UnitId) -> UnitRecord:
        asked.append(unit)
        return record(unit=unit)

    wait(spec_of(kind, group), ready)
    assert [unit.kind for unit in asked] == [kind]
    with pytest.raises(HealthError, match=r"health check failed after 0 s .*: BuildFailed: as it says"):
        wait(spec_of(kind, group), lambda unit: record("False", "BuildFailed", unit))


def test_a_unit_that_gets_ready_meanwhile_is_waited_for() -> None:
    answers = iter([None, record("Unknown", "Progressing"), record("False", "BuildFailed"), record()])
    wait(spec_of(seconds=60.0), lambda _: next(answers))
    assert next(answers, None) is None


def test_one_look_that_fails_meanwhile_ends_no_wait() -> None:
    answers = iter([None, ClusterError("no answer"), record()])

    def read(_: UnitId) -> UnitRecord | None:
        answer = next(answers)
        if isinstance(answer, ClusterError):
            raise answer
        return answer

    wait(spec_of(seconds=60.0), read)


def test_a_wait_for_a_unit_ends_with_the_run() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StopRequested):
        wait(spec_of(seconds=60.0), lambda _: None, stop=stop)


def test_an_expression_over_a_units_status_ends_the_wait() -> None:
    expr = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Kustomization",
        "current": "status.lastAppliedRevision != ''",
        "failed": "status.conditions.exists(c, c.reason == 'BuildFailed')",
    }
    spec = spec_of(seconds=60.0, healthCheckExprs=[expr])
    with pytest.raises(HealthError, match="Kustomization/flux-system/base: healthCheckExprs failed"):
        wait(spec, lambda _: record("False", "BuildFailed"))


def test_without_a_record_an_object_of_the_cluster_counts() -> None:
    condition = {"type": "Ready", "status": "True"}
    wait(spec_of(), lambda _: None, {**DOCUMENT, "status": {"conditions": [condition]}})
    waiting = {**DOCUMENT, "status": {"conditions": [{**condition, "status": "False"}]}}
    with pytest.raises(HealthError, match="Ready is False"):
        wait(spec_of(), lambda _: None, waiting)
    wait(spec_of(), lambda _: record(), waiting)
    with pytest.raises(HealthError, match="Kustomization/flux-system/base: not found"):
        wait(spec_of(), lambda _: None)


def test_what_weir_does_not_act_on_and_other_clusters_are_looked_for_as_objects() -> None:
    others = spec_of("HelmRelease", "helm.toolkit.fluxcd.io")
    there = spec_of(kubeConfig={"secretRef": {"name": "there"}})
    for spec in (others, there):
        with pytest.raises(UnknownKindError):
            wait(spec, lambda _: record())
    cluster: Any = Cluster(DOCUMENT)
    assert [item.kind for item in checked(there, cluster, ())] == ["Kustomization"]
    assert checked(spec_of(), cluster, ()) == {}


def test_a_unit_does_not_wait_for_itself() -> None:
    check = {"apiVersion": f"{GROUP}/v1", "kind": "Kustomization", "name": "apps"}
    wait(kustomization(healthChecks=[check]), lambda _: None)


def test_a_plan_tells_of_a_unit_that_is_not_ready_now() -> None:
    request = request_of(spec_of())
    assert present_health(request, (), lambda _: record()) == ""
    told = present_health(request, (), lambda _: record("False", "DependencyNotReady"))
    assert told == "Kustomization/flux-system/base: DependencyNotReady: as it says"


def test_records_of_other_namespaces_are_not_read_where_references_to_them_are_forbidden() -> None:
    nothing: Any = None
    other = UnitId("Kustomization", "other", "base")
    given: dict[str, Any] = {"kube": nothing, "discovery": nothing, "spec": spec_of()}
    request = Request(**given, records=lambda unit: record(unit=unit))
    assert request.read_unit(other) is not None
    forbidding = replace(request, options=OptionsConfig(no_cross_namespace_refs=True))
    assert forbidding.read_unit(other) is None
    assert forbidding.read_unit(BASE) is not None
