"""What keeps a unit that is no longer declared, as the registry decides it at the end of a run."""

from __future__ import annotations

import asyncio
from contextlib import closing
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pulumi
import pytest

from components import registry as registry_module
from components.registry import Registry
from tests.property.strategies import kustomization
from weir.flow.outcome import UnitOutcome
from weir.spec.documents import Document
from weir.spec.errors import ClusterError
from weir.spec.identity import UnitId
from weir.spec.record import Condition, UnitRecord

PARENT, CHILD = UnitId("Kustomization", "flux-system", "apps"), UnitId("Kustomization", "flux-system", "web")
_OWNER = "kustomize.toolkit.fluxcd.io"


class Clusters:
    """Clusters whose records are given, or cannot be read."""

    def __init__(self, *records: UnitRecord, error: str = "") -> None:
        self.records, self._records, self._error = self, records, error

    def read_all(self) -> tuple[UnitRecord, ...]:
        """The records. Raises ClusterError."""
        if self._error:
            raise ClusterError(self._error)
        return self._records

    def read(self, unit: UnitId) -> UnitRecord | None:
        """One of them. Raises ClusterError."""
        return next((one for one in self.read_all() if one.id == unit), None)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", lines.append)
    monkeypatch.setattr(pulumi.log, "info", lines.append)
    return lines


def child(owner: str) -> UnitRecord:
    """The record of CHILD as a Kustomization of that name declared it."""
    labels = {f"{_OWNER}/name": owner, f"{_OWNER}/namespace": PARENT.namespace} if owner else {}
    return UnitRecord(
        id=CHILD, stack="prod", document=orjson.dumps({"metadata": {"labels": labels}}).decode()
    )


def test_a_unit_that_waits_for_one_that_is_not_ready_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[UnitId, str, str]] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda _: None)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)
    monkeypatch.setattr(registry_module, "record_failure", lambda _, *given: told.append(given))
    spec = kustomization(dependsOn=[{"name": "nobody"}])
    document = Document("app.yaml", 0, spec.raw)

    async def run() -> None:
        there: Any = Clusters()
        nothing: Any = None
        registry = Registry(nothing, there, nothing)
        registry.add(UnitOutcome(spec=spec, document=document))
        with pytest.raises(pulumi.RunError):
            await registry.finish({})

    with closing(asyncio.new_event_loop()) as loop:  # `asyncio.run` leaves the thread without one
        loop.run_until_complete(run())
    nobody = f"Kustomization/{spec.id.namespace}/nobody"
    assert told == [(spec.id, "DependencyNotReady", f"{nobody}, which it depends on, is not ready")]


def finish(clusters: Clusters, *, succeeded: bool) -> None:
    """End a run that declared PARENT alone."""

    async def run() -> None:
        there: Any = clusters
        nothing: Any = None
        registry = Registry(nothing, there, nothing)
        ended: Any = asyncio.get_running_loop().create_future()
        ended.set_result(object() if succeeded else None)
        registry._units[PARENT] = ended
        registry._declared[PARENT] = cast(
            "UnitOutcome", SimpleNamespace(revision="main@sha1:2", digest="sha256:2")
        )
        await registry.finish({})

    with closing(asyncio.new_event_loop()) as loop:  # `asyncio.run` leaves the thread without one
        loop.run_until_complete(run())


def test_a_child_of_a_unit_that_failed_keeps_every_unit(logged: list[str]) -> None:
    with pytest.raises(pulumi.RunError, match="no unit is removed in this run"):
        finish(Clusters(child("apps")), succeeded=False)
    why = f"{PARENT}, which declared it, was not applied"
    assert logged == [f"{CHILD} is no longer declared and stays in this run: {why}"]


def parent(revision: str, digest: str, reason: str) -> UnitRecord:
    """The record of PARENT after a run that failed."""
    ready = Condition(status="False", reason=reason, message="it is so")
    return UnitRecord(
        id=PARENT, stack="prod", revision="main@sha1:1", attempted=revision, applying=digest, ready=ready
    )


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        (parent("main@sha1:2", "sha256:2", "HealthCheckFailed"), False),
        (parent("main@sha1:2", "sha256:2", "HealthCheckCanceled"), False),
        (parent("main@sha1:2", "sha256:2", "ReconciliationFailed"), True),
        (parent("main@sha1:1", "sha256:2", "HealthCheckFailed"), True),
        (parent("main@sha1:2", "sha256:1", "HealthCheckFailed"), True),
    ],
    ids=["unhealthy", "hurried", "refused", "its last run was an older revision's", "other objects"],
)
def test_a_child_goes_when_its_parent_applied_everything_else(
    logged: list[str], record: UnitRecord, kept: bool
) -> None:
    clusters = Clusters(child("apps"), record)
    if kept:
        with pytest.raises(pulumi.RunError):
            finish(clusters, succeeded=False)
    else:
        finish(clusters, succeeded=False)
        assert f"{CHILD} is no longer declared:" in logged[0]


@pytest.mark.parametrize(("owner", "succeeded"), [("apps", True), ("other", False), ("", False)])
def test_other_units_that_are_gone_are_removed(logged: list[str], owner: str, succeeded: bool) -> None:
    finish(Clusters(child(owner)), succeeded=succeeded)
    assert f"{CHILD} is no longer declared:" in logged[0]


def test_records_that_cannot_be_read_matter_only_when_a_unit_failed(logged: list[str]) -> None:
    finish(Clusters(error="no answer"), succeeded=True)
    assert logged == []
    with pytest.raises(pulumi.RunError):
        finish(Clusters(error="no answer"), succeeded=False)
    assert logged == ["what failed units declared before cannot be told: no answer"]
