"""Records of units in a real cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.kube import Kube as Judge
from weir.edges.kube.client import Kube
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.records import Records, Running, record_name
from weir.spec.errors import ClusterError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import Condition, HistoryEntry, UnitRecord

UNIT = UnitId("Kustomization", "apps", "web")
FULL = UnitRecord(
    id=UNIT,
    stack="prod",
    backend="0123456789abcdef",
    source="GitRepository/apps/repo",
    revision="main@sha1:1",
    attempted="main@sha1:2",
    digest="sha256:aa",
    spec_digest="sha256:bb",
    inventory=(
        (ObjectId("apps", "Deployment", "prod", "web"), "v1"),
        (ObjectId("rbac.authorization.k8s.io", "ClusterRole", "", "system:web"), "v1"),
    ),
    suspended=True,
    ready=Condition(status="False", reason="HealthCheckFailed", message="because", at="2026-01-01T00:00:00Z"),
    history=(
        HistoryEntry(
            revision="r", digest="d", status="s", count=2, started="2026-01-01T00:00:00Z", duration=1.5
        ),
    ),
    document='{"kind": "Kustomization"}',
    variables={"region": "eu"},
)


@pytest.fixture
def records(kubeconfig: Path, namespace: str) -> Records:
    return Records(Kube(load(str(kubeconfig))), namespace, "prod")


def test_everything_comes_back(records: Records) -> None:
    assert records.read(UNIT) is None
    records.write(FULL)
    assert records.read(UNIT) == FULL
    assert records.read_all() == (FULL,)


def test_record_namespace_is_made_with_the_first_record(
    kubeconfig: Path, kube: Judge, namespace: str
) -> None:
    records = Records(Kube(load(str(kubeconfig))), f"{namespace}-records", "prod")
    assert records.read_all() == ()
    records.write(FULL)
    assert records.read(UNIT) == FULL
    kube.delete("v1", "Namespace", f"{namespace}-records")


def test_record_is_an_applyset_parent(records: Records, kube: Judge, namespace: str) -> None:
    records.write(FULL)
    live = kube.get("v1", "ConfigMap", "kustomization.apps.web", namespace)
    assert live
    labels, notes = live["metadata"]["labels"], live["metadata"]["annotations"]
    assert labels["applyset.kubernetes.io/id"].startswith("applyset-")
    assert labels["weir.dev/unit-kind"] == "Kustomization"
    assert (labels["weir.dev/unit-namespace"], labels["weir.dev/unit-name"]) == ("apps", "web")
    assert labels["weir.dev/stack"] == "prod"
    assert notes["applyset.kubernetes.io/tooling"] == "weir/v1"
    assert notes["applyset.kubernetes.io/contains-group-kinds"] == (
        "ClusterRole.rbac.authorization.k8s.io,Deployment.apps"
    )
    assert notes["applyset.kubernetes.io/additional-namespaces"] == "prod"


def test_records_of_other_stacks_are_not_ours(records: Records, kubeconfig: Path, namespace: str) -> None:
    other = Records(Kube(load(str(kubeconfig))), namespace, "dev")
    records.write(FULL)
    other.write(replace(FULL, id=UnitId("Kustomization", "apps", "api"), stack="dev"))
    assert [record.stack for record in records.read_all()] == ["prod"]
    assert [record.stack for record in records.read_all("")] == ["dev", "prod"]


def test_write_of_a_run_that_was_overtaken_is_refused_and_names_the_other(records: Records) -> None:
    version = records.write(FULL)
    other = Running(holder="host/7", started="2026-01-01T00:00:00Z", revision="main@sha1:9")
    records.write(replace(FULL, revision="other"), running=other, expected=version)
    with pytest.raises(ClusterError, match="host/7, started 2026-01-01T00:00:00Z, main@sha1:9"):
        records.write(FULL, expected=version)
    with pytest.raises(ClusterError, match="host/7"):
        records.write(FULL, expected="")
    stored = records.load(UNIT)
    assert stored
    assert stored.running == other
    assert stored.record.revision == "other"


def test_a_write_that_was_stored_and_whose_answer_was_lost_is_no_other_run(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = records.write(FULL)
    running = Running(holder="h/1/x", started="2026-01-01T00:00:00Z", revision="main@sha1:2")
    put, times = Records._put, iter([True])

    def twice(self: Records, unit: UnitId, body: dict[str, Any], *, fresh: bool) -> str:
        if next(times, False):
            put(self, unit, body, fresh=fresh)
        return put(self, unit, body, fresh=fresh)

    monkeypatch.setattr(Records, "_put", twice)
    version = records.write(replace(FULL, revision="main@sha1:2"), running=running, expected=version)
    stored = records.load(UNIT)
    assert stored
    assert (stored.version, stored.running, stored.record.revision) == (version, running, "main@sha1:2")


def test_large_inventory_fits(records: Records) -> None:
    many = tuple((ObjectId("apps", "Deployment", "prod", f"web-{n:06}"), "v1") for n in range(20_000))
    records.write(replace(FULL, inventory=many))
    found = records.read(UNIT)
    assert found
    assert found.inventory == many


@pytest.mark.parametrize("field", ["inventory", "unit", "history", "ready"])
def test_damaged_record_is_an_error_and_never_an_empty_one(
    records: Records, kube: Judge, namespace: str, field: str
) -> None:
    records.write(FULL)
    kube.patch("v1", "ConfigMap", "kustomization.apps.web", namespace, {"data": {field: "{not json"}})
    with pytest.raises(ClusterError, match=r"kustomization\.apps\.web: found a damaged unit record"):
        records.read(UNIT)


def test_record_without_inventory_is_damaged(records: Records, kube: Judge, namespace: str) -> None:
    records.write(FULL)
    kube.patch("v1", "ConfigMap", "kustomization.apps.web", namespace, {"data": {"inventory": None}})
    with pytest.raises(ClusterError, match="damaged"):
        records.read(UNIT)


def test_long_names_and_stacks_are_kept_apart(records: Records) -> None:
    long = [UnitId("Kustomization", "n" * 63, f"{'a' * 240}{end}") for end in "bc"]
    assert record_name(long[0]) != record_name(long[1])
    for unit in long:
        records.write(replace(FULL, id=unit))
    assert [records.read(unit) for unit in long] == [replace(FULL, id=unit) for unit in long]
    records.delete(long[0])
    records.delete(long[0])
    assert records.read(long[0]) is None
