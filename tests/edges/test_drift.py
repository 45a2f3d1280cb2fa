"""What is wrong with followed objects on a real API server, while nobody repairs it or nobody may."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from demo.rest import Rest
from tests.support.control_plane import fresh_namespace
from tests.support.kube import Kube, wait_for
from tests.support.policy import denied
from tests.support.rights import grant, user_of
from tests.support.units import Unit, config_map, secret
from weir.flow.repair import POLICY, Held, Outcome, Repair, hold, repair
from weir.spec.identity import ObjectId
from weir.watch.drift import Drift
from weir.watch.findings import HealthNews
from weir.watch.view import Finding

Obj = dict[str, Any]

REPORT = {POLICY: "report"}


@dataclass
class Kept:
    """One applied unit that is kept as it was applied, and what was told of it."""

    unit: Unit
    drift: Drift
    told: list[Repair] = field(default_factory=list)
    health: list[HealthNews] = field(default_factory=list)
    followed: set[str] = field(default_factory=set)

    def notes(self) -> Mapping[str, str]:
        """Object -> `finding: sentence`."""
        found = self.drift.notes(self.unit.spec().id)
        return {
            item.name: "; ".join(f"{note.finding.value}: {note.text}" for note in notes)
            for item, notes in found.items()
        }

    def wait_for_health(self, count: int) -> None:
        wait_for(lambda: len(self.health) == count)

    def told_of(self, *outcomes: Outcome) -> list[Repair]:
        return [done for done in self.told if done.outcome in outcomes]


@contextmanager
def running(unit: Unit) -> Iterator[Kept]:
    """A watch over nothing yet."""
    stop = threading.Event()
    told: list[Repair] = []
    health: list[HealthNews] = []
    followed: set[str] = set()
    drift = Drift(
        unit.records,
        tell=lambda _, done, __: told.append(done),
        tell_health=health.append,
        on_state=lambda what, _: followed.add(what),
        go_on=lambda: True,
        stop=stop,
    )
    drift.start()
    try:
        yield Kept(unit, drift, told, health, followed)
    finally:
        stop.set()
        drift.close()


def applied(unit: Unit, objects: Sequence[Obj], **spec: Any) -> Held:
    """A unit once it was applied."""
    unit.must_apply(objects, **spec)
    request = unit.request(unit.spec(**spec))
    return hold(request, [unit.label(obj) for obj in objects], "sha256:main@sha1:1")


@contextmanager
def kept(unit: Unit, objects: Sequence[Obj], **spec: Any) -> Iterator[Kept]:
    """One unit, applied and kept."""
    held = applied(unit, objects, **spec)
    with running(unit) as watched:
        watched.drift.hold({unit.spec().id: held})
        yield watched


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    return Unit(kubeconfig, namespace)


def edit(kube: Kube, namespace: str, kind: str = "ConfigMap", **data: str) -> None:
    kube.patch("v1", kind, "a", namespace, {"data": data})


def stall(kube: Kube, namespace: str, name: str, status: str) -> None:
    """Say in a Service's status whether it is stuck; no controller speaks of that."""
    moment = "2024-01-01T00:00:00Z"
    condition = {"type": "Stalled", "status": status, "reason": "NoAddress", "message": "the pool is empty"}
    path = kube.path("v1", "Service", namespace, name) + "/status"
    patch = {"status": {"conditions": [condition | {"lastTransitionTime": moment}]}}
    kube.request("PATCH", path, patch, "application/merge-patch+json")


def test_drift_that_is_only_reported_is_known_until_somebody_mends_it(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    objects = [
        config_map(namespace, "a", {"key": "ours"}),
        secret(namespace, "a", stringData={"key": "ours"}),
    ]
    with kept(unit, objects, annotations=REPORT) as watched:
        assert watched.notes() == {}
        edit(kube, namespace, key="theirs")
        wait_for(watched.notes)
        assert watched.notes()["a"].startswith("drifted: data.key: theirs -> ours (changed by ")
        edit(kube, namespace, other="1")
        edit(kube, namespace, other="2")
        edit(kube, namespace, key="ours")
        # the field is theirs now, as long as they manage it
        assert unit.must_apply(objects, annotations=REPORT).error is None
        wait_for(lambda: not watched.notes())
        assert len(watched.told_of(Outcome.REPORTED)) <= 2, "the same drift was told again and again"
        kube.delete("v1", "ConfigMap", "a", namespace)
        wait_for(lambda: watched.notes() == {"a": "missing: was deleted"})
        unit.must_apply(objects, annotations=REPORT)
        wait_for(lambda: not watched.notes())
        edit(kube, namespace, "Secret", key="Y29ycmVjdC1ob3JzZQ==")
        wait_for(watched.notes)
        assert "data.key: *** (before) -> *** (after)" in watched.notes()["a"]
        assert not watched.told_of(Outcome.REPAIRED)


def test_drift_that_was_mended_while_it_was_looked_at_is_not_told(
    unit: Unit, kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = [config_map(namespace, name, {"key": "ours"}) for name in "ab"]

    def mend_meanwhile(held: Held, item: ObjectId, *more: Any) -> Repair:
        done = repair(held, item, *more)
        if item.name == "a" and done.outcome is Outcome.REPORTED:
            unit.must_apply(objects, annotations=REPORT)
            kube.patch("v1", "ConfigMap", "b", namespace, {"data": {"key": "theirs"}})
            wait_for(lambda: "b" in watched.notes())  # what came before is seen too
        return done

    with kept(unit, objects, annotations=REPORT) as watched:
        monkeypatch.setattr("weir.watch.drift.repair", mend_meanwhile)
        edit(kube, namespace, key="theirs")
        wait_for(lambda: [one.id.name for one in watched.told_of(Outcome.SAME)] == ["a"])
        assert [one.id.name for one in watched.told_of(Outcome.REPORTED)] == ["b"]
        assert list(watched.notes()) == ["b"]


def test_what_the_server_refuses_is_known_and_tried_again(
    unit: Unit, kube: Kube, kubeconfig: Path, namespace: str
) -> None:
    spec = {"retryInterval": "1s"}
    with kept(unit, [config_map(namespace, "a", {"key": "ours"})], **spec) as watched:
        with denied(Rest.load(kubeconfig), namespace, "object.metadata.name == 'kube-root-ca.crt'"):
            kube.delete("v1", "ConfigMap", "a", namespace)
            wait_for(watched.notes)
            assert watched.notes()["a"].startswith("missing: not corrected: ")
            assert "the test's policy says no" in watched.notes()["a"]
        wait_for(lambda: kube.get("v1", "ConfigMap", "a", namespace))
        wait_for(lambda: not watched.notes())
        wait_for(lambda: watched.told_of(Outcome.REPAIRED))
        assert len(watched.told_of(Outcome.REFUSED, Outcome.REPAIRED)) == 2


def test_a_finished_job_that_the_cluster_removes_is_not_run_again(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    container = {"name": "main", "image": "busybox:1", "command": ["true"]}
    job: Obj = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "namespace": namespace},
        "spec": {
            "suspend": True,
            "ttlSecondsAfterFinished": 60,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }
    with kept(unit, [job, config_map(namespace, "a")]) as watched:
        wait_for(lambda: len(watched.followed) == 2)
        for api_version, kind, name in (("batch/v1", "Job", "migrate"), ("v1", "ConfigMap", "a")):
            kube.delete(api_version, kind, name, namespace)
        wait_for(lambda: {done.id.name for done in watched.told} == {"a", "migrate"})
        assert [done.id.name for done in watched.told_of(Outcome.REPAIRED)] == ["a"]
        assert kube.get("batch/v1", "Job", "migrate", namespace) is None
        assert watched.notes() == {}


@pytest.mark.parametrize("spec", [{}, {"wait": True}], ids=["without wait", "with wait"])
def test_health_that_is_lost_later_is_known_and_told_once(
    unit: Unit, kube: Kube, namespace: str, spec: dict[str, bool]
) -> None:
    service: Obj = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a", "namespace": namespace},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "a"}},
    }
    item = ObjectId("", "Service", namespace, "a")
    with kept(unit, [service, config_map(namespace, "b")], **spec) as watched:
        wait_for(lambda: len(watched.followed) == 2)
        for number in (1, 2):
            stall(kube, namespace, "a", "True")
            watched.wait_for_health(2 * number - 1)
            assert watched.health[-1].lost == {item: "NoAddress: the pool is empty"}
            assert watched.notes() == {"a": f"{Finding.FAILED.value}: NoAddress: the pool is empty"}
            kube.patch("v1", "Service", "a", namespace, {"metadata": {"annotations": {"n": str(number)}}})
            stall(kube, namespace, "a", "False")
            watched.wait_for_health(2 * number)
            assert watched.health[-1].regained == (item,)
            assert watched.notes() == {}
    assert not watched.told_of(Outcome.REPAIRED, Outcome.REPORTED, Outcome.REFUSED)


def test_what_was_deleted_before_anybody_watched_is_brought_back(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    held = applied(unit, [config_map(namespace, "a"), config_map(namespace, "b")])
    kube.delete("v1", "ConfigMap", "a", namespace)
    with running(unit) as watched:
        watched.drift.hold({unit.spec().id: held})
        wait_for(lambda: kube.get("v1", "ConfigMap", "a", namespace))
        wait_for(lambda: watched.told_of(Outcome.REPAIRED))
        assert [done.id.name for done in watched.told_of(Outcome.REPAIRED)] == ["a"]


def test_what_drifts_while_a_unit_is_not_held_is_brought_back_when_it_is_again(
    unit: Unit, kube: Kube, kubeconfig: Path, namespace: str
) -> None:
    with contextlib.ExitStack() as stack:
        spaces = [stack.enter_context(fresh_namespace(kube, "drift")) for _ in range(5)]
        other = Unit(kubeconfig, namespace, "other")
        both = {
            unit.spec().id: applied(unit, [config_map(namespace, "a"), config_map(namespace, "b")]),
            other.spec().id: applied(other, [config_map(space, "c") for space in spaces]),
        }
        watched = stack.enter_context(running(unit))
        watched.drift.hold(both)
        kube.delete("v1", "ConfigMap", "c", spaces[0])
        wait_for(lambda: len(watched.told_of(Outcome.REPAIRED)) == 1)
        watched.drift.hold({other.spec().id: both[other.spec().id]})
        edit(kube, namespace, key="theirs")
        kube.delete("v1", "ConfigMap", "b", namespace)
        watched.drift.hold(both)
        wait_for(lambda: len(watched.told_of(Outcome.REPAIRED)) == 3)
        assert {done.text.partition(" (")[0] for done in watched.told_of(Outcome.REPAIRED)} == {
            "was deleted",
            "data.key: theirs -> value",
        }


def test_a_tenant_that_may_not_read_all_namespaces_has_each_followed(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    with contextlib.ExitStack() as stack:
        spaces = [stack.enter_context(fresh_namespace(kube, "drift")) for _ in range(5)]
        for space in spaces:
            grant(kube, space, "*", account="deployer", home=namespace)
        held = applied(unit, [config_map(space, "a", {"key": "ours"}) for space in spaces])
        tenant = unit.kube.acting_as(user_of(namespace, "deployer"))
        watched = stack.enter_context(running(unit))
        watched.drift.hold({unit.spec().id: replace(held, request=replace(held.request, kube=tenant))})
        for space in spaces:
            edit(kube, space, key="theirs")
        wait_for(lambda: len(watched.told_of(Outcome.REPAIRED)) == len(spaces))
        assert not any("all namespaces" in what for what in watched.followed), "the way that is open counts"
        kube.delete("v1", "ConfigMap", "a", spaces[-1])
        wait_for(lambda: kube.get("v1", "ConfigMap", "a", spaces[-1]))
