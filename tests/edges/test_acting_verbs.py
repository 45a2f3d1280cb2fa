"""`weir suspend`, `resume` and `reconcile` on records of a real cluster, with a watcher played by the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.kube import Kube as Judge
from weir.cli import main
from weir.edges.kube.client import Kube
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.records import Records
from weir.flow.asking import live_watcher, request_time
from weir.spec.identity import UnitId
from weir.spec.record import Condition, UnitRecord

READY = Condition(status="True", reason="ReconciliationSucceeded", message="Applied revision: main@sha1:1")
SOURCE = UnitRecord(
    id=UnitId("GitRepository", "apps", "repo"), stack="prod", revision="main@sha1:1", ready=READY
)
WEB = replace(SOURCE, id=UnitId("Kustomization", "apps", "web"), source="GitRepository/apps/repo")
API = replace(WEB, id=UnitId("Kustomization", "apps", "api"))


@pytest.fixture
def records(kubeconfig: Path, namespace: str) -> Records:
    made = Records(Kube(load(str(kubeconfig))), namespace, "prod")
    for record in (SOURCE, WEB, API):
        made.write(record)
    return made


@pytest.fixture
def stack(kubeconfig: Path, namespace: str, tmp_path: Path) -> list[str]:
    """The words that name the stack."""
    cluster = {"kubeconfig": str(kubeconfig), "recordNamespace": namespace}
    settings = {"config": {"weir:objects": str(tmp_path / "objects"), "weir:cluster": cluster}}
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(yaml.safe_dump(settings))
    return ["--stack", "prod", "--config-file", str(path)]


def lease(kube: Judge, namespace: str, *, renewed: datetime, holder: str = "node-1/7/proof") -> None:
    spec = {
        "holderIdentity": holder,
        "leaseDurationSeconds": 15,
        "renewTime": f"{renewed:%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    meta = {"name": "weir-watch-prod", "namespace": namespace}
    kube.apply({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec})


@pytest.fixture
def watcher(kube: Judge, namespace: str, records: Records) -> Iterator[list[tuple[str, UnitId]]]:
    """A watcher that answers every request with a new revision; when it was asked for which units."""
    lease(kube, namespace, renewed=datetime.now(UTC))
    asked: list[tuple[str, UnitId]] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            for unit in (SOURCE.id, WEB.id, API.id):
                stored = records.load(unit)
                if stored and stored.requested != stored.handled:
                    asked.append((stored.requested, unit))
                    records.write(replace(stored.record, revision="main@sha1:2"), expected=stored.version)
                    records.handle(unit, stored.requested)

    thread = threading.Thread(target=work)
    thread.start()
    yield asked
    stop.set()
    thread.join()


def test_suspend_and_resume_are_noted_beside_the_record(
    records: Records, stack: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suspend", "kustomization", "web", *stack, "--message", "incident 7"]) == 0
    assert capsys.readouterr().out == (
        "► suspending kustomization web in apps namespace\n✔ kustomization suspended\n"
    )
    stored = records.load(WEB.id)
    assert stored
    assert stored.held.endswith("Z: incident 7")
    assert main(["get", "kustomizations", *stack]) == 0
    rows = {line.split("\t")[0].strip(): line for line in capsys.readouterr().out.splitlines()}
    assert "True" in rows["web"].split("\t")[2]
    assert "incident 7" in rows["web"]
    assert "False" in rows["api"].split("\t")[2]
    assert main(["resume", "ks", "--all", *stack]) == 0
    assert "the next run reconciles" in capsys.readouterr().out
    assert records.holds() == frozenset()


def test_suspension_in_git_is_not_ended_from_here(
    records: Records, stack: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    records.write(replace(WEB, suspended=True))
    assert main(["resume", "kustomization", "web", *stack]) == 1
    assert "spec in Git says suspend: true" in capsys.readouterr().err


def test_reconcile_asks_the_watcher_and_waits_for_its_answer(
    watcher: list[tuple[str, UnitId]], stack: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reconcile", "kustomization", "web", "--with-source", *stack]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "► annotating GitRepository repo in apps namespace",
        "✔ GitRepository annotated",
        "► annotating Kustomization web in apps namespace",
        "✔ Kustomization annotated",
        "◎ waiting for GitRepository reconciliation by pid 7 on node-1",
        "◎ waiting for Kustomization reconciliation by pid 7 on node-1",
        "✔ fetched revision main@sha1:2",
        "✔ applied revision main@sha1:2",
    ]
    assert [unit for _, unit in sorted(watcher)] == [SOURCE.id, WEB.id]


@pytest.mark.usefixtures("watcher")
def test_reconcile_ends_with_1_when_the_unit_is_not_ready(
    records: Records, stack: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    failed = Condition(status="False", reason="HealthCheckFailed", message="Deployment/apps/web: not ready")
    records.write(replace(WEB, ready=failed))
    assert main(["reconcile", "ks", "web", *stack]) == 1
    assert "✗ Kustomization/apps/web: Deployment/apps/web: not ready" in capsys.readouterr().err


@pytest.mark.usefixtures("watcher")
def test_suspended_unit_is_not_reconciled(
    records: Records, stack: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    records.hold(WEB.id, "ann@box: incident 7")
    assert main(["reconcile", "ks", "web", *stack]) == 1
    assert "is suspended by ann@box: incident 7; resume it first" in capsys.readouterr().err


@pytest.mark.usefixtures("watcher")
def test_resume_that_waits_has_the_watcher_reconcile(
    records: Records, stack: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    records.hold(WEB.id, "ann")
    assert main(["resume", "ks", "web", "--wait", *stack]) == 0
    assert "✔ applied revision main@sha1:2" in capsys.readouterr().out


def test_watcher_that_does_not_answer_is_waited_for_only_so_long(
    records: Records, kube: Judge, namespace: str, stack: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lease(kube, namespace, renewed=datetime.now(UTC))
    assert records.load(WEB.id)
    assert main(["reconcile", "ks", "web", "--timeout", "500ms", *stack]) == 1
    assert "no answer from the watcher in 500ms" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lease_of", "alive"),
    [
        ({"renewed": timedelta(seconds=5)}, "pid 7 on node-1"),
        ({"renewed": timedelta(seconds=20)}, ""),
        ({"renewed": timedelta(seconds=5), "holder": ""}, ""),
        (None, ""),
    ],
    ids=["fresh", "expired", "released", "none"],
)
def test_only_a_watcher_that_renews_its_lease_is_alive(
    kubeconfig: Path, kube: Judge, namespace: str, lease_of: dict[str, Any] | None, alive: str
) -> None:
    now = datetime.now(UTC)
    if lease_of is not None:
        lease(kube, namespace, **{**lease_of, "renewed": now - lease_of["renewed"]})
    assert live_watcher(Kube(load(str(kubeconfig))), namespace, "prod", now) == alive


def test_no_two_requests_have_the_same_time() -> None:
    assert len({request_time() for _ in range(100)}) == 100
