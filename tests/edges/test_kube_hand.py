"""Suspensions and requests beside the records of a real cluster: runs neither lose them nor stumble over them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.kube import Kube as Judge
from weir.edges.kube.client import Kube
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.records import Records, Running
from weir.spec.errors import ClusterError
from weir.spec.identity import UnitId
from weir.spec.record import Condition, UnitRecord

UNIT = UnitId("Kustomization", "apps", "web")
RECORD = UnitRecord(
    id=UNIT,
    stack="prod",
    revision="main@sha1:1",
    ready=Condition(status="True", reason="ReconciliationSucceeded", message="fine"),
)
OTHER = Running(holder="host/7", started="2026-01-01T00:00:00Z", revision="main@sha1:9")


@pytest.fixture
def records(kubeconfig: Path, namespace: str) -> Records:
    return Records(Kube(load(str(kubeconfig))), namespace, "prod")


def test_held_unit_is_suspended_and_says_by_whom_until_it_is_released(records: Records) -> None:
    records.write(RECORD)
    records.hold(UNIT, "ann@box, 2026-01-01T00:00:00Z: a\nlong night")
    stored = records.load(UNIT)
    assert stored
    assert stored.held == "ann@box, 2026-01-01T00:00:00Z: a long night"
    assert stored.record.suspended
    assert records.holds() == {UNIT}
    records.release(UNIT)
    records.release(UNIT)
    assert records.read(UNIT) == RECORD
    assert records.holds() == frozenset()


def test_run_keeps_what_a_hand_wrote(records: Records) -> None:
    version = records.write(RECORD, expected="")
    records.hold(UNIT, "ann")
    records.request(UNIT, "2026-01-01T00:00:00.000000001Z")
    records.handle(UNIT, "2026-01-01T00:00:00.000000002Z")
    records.write(replace(RECORD, revision="main@sha1:2"), expected=version)
    stored = records.load(UNIT)
    assert stored
    assert (stored.held, stored.record.revision) == ("ann", "main@sha1:2")
    assert stored.requested == "2026-01-01T00:00:00.000000001Z"
    assert stored.handled == "2026-01-01T00:00:00.000000002Z"


def test_hand_in_the_middle_of_a_run_is_no_other_run(records: Records) -> None:
    running = records.write(RECORD, running=OTHER, expected="")
    records.hold(UNIT, "ann")
    done = records.write(RECORD, expected=running)
    records.release(UNIT)
    assert records.write(replace(RECORD, revision="main@sha1:3"), expected=done)


def test_other_run_is_still_noticed_when_a_hand_came_too(records: Records) -> None:
    version = records.write(RECORD, expected="")
    records.write(replace(RECORD, revision="other"), running=OTHER, expected=version)
    records.hold(UNIT, "ann")
    with pytest.raises(ClusterError, match="host/7"):
        records.write(RECORD, expected=version)


def test_suspension_by_the_spec_outlives_one_by_hand(records: Records) -> None:
    records.write(replace(RECORD, suspended=True))
    records.hold(UNIT, "ann")
    records.release(UNIT)
    found = records.read(UNIT)
    assert found
    assert found.suspended
    assert not found.held


def test_rewritten_record_of_a_held_unit_does_not_stay_suspended(records: Records) -> None:
    records.write(RECORD)
    records.hold(UNIT, "ann")
    held = records.read(UNIT)
    assert held
    records.write(replace(held, document="{}"))
    records.release(UNIT)
    found = records.read(UNIT)
    assert found
    assert not found.suspended


def test_unit_without_a_record_cannot_be_held_or_asked_for(records: Records, kubeconfig: Path) -> None:
    with pytest.raises(ClusterError, match="Kustomization/apps/web: found no record"):
        records.hold(UNIT, "ann")
    nowhere = Records(Kube(load(str(kubeconfig))), "no-such-namespace", "prod")
    with pytest.raises(ClusterError, match="no-such-namespace"):
        nowhere.request(UNIT, "now")
    assert nowhere.holds() == frozenset()


def test_holds_of_another_stack_are_not_ours(records: Records, kubeconfig: Path, namespace: str) -> None:
    other = Records(Kube(load(str(kubeconfig))), namespace, "dev")
    other.write(replace(RECORD, stack="dev"))
    other.hold(UNIT, "ann")
    assert records.holds() == frozenset()
    assert other.holds() == {UNIT}


def test_record_that_is_damaged_does_not_hide_what_is_held(
    records: Records, kube: Judge, namespace: str
) -> None:
    api = replace(RECORD, id=UnitId("Kustomization", "apps", "api"))
    for record in (RECORD, api):
        records.write(record)
        records.hold(record.id, "ann")
    kube.patch("v1", "ConfigMap", "kustomization.apps.web", namespace, {"data": {"inventory": None}})
    assert records.holds() == {api.id}


def test_source_whose_record_is_damaged_stays_held(records: Records, kube: Judge, namespace: str) -> None:
    source = UnitId("GitRepository", "apps", "fleet")
    records.write(replace(RECORD, id=source))
    records.hold(source, "ann")
    kube.patch("v1", "ConfigMap", "gitrepository.apps.fleet", namespace, {"data": {"inventory": None}})
    with pytest.raises(ClusterError):
        records.load(source)
    assert records.holds() == {source}


def test_records_of_others_are_those_of_sources_and_images(
    records: Records, kubeconfig: Path, namespace: str
) -> None:
    source = replace(RECORD, id=UnitId("GitRepository", "apps", "fleet"))
    other = Records(Kube(load(str(kubeconfig))), namespace, "dev")
    records.write(RECORD)
    records.write(source)
    assert other.of_others() == {source.id: source}
    assert records.of_others() == {}
    other.delete_own(source.id)
    assert records.read(source.id) == source
    records.delete_own(source.id)
    records.delete_own(source.id)
    assert records.read(source.id) is None
