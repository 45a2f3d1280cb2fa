"""readyExpr over the documents of a run and what their records say."""

from __future__ import annotations

from typing import Any

import pytest

from weir.flow.dependencies import as_flux_object, check_ready_exprs
from weir.flow.digest import document_digest
from weir.spec.documents import Document
from weir.spec.errors import HealthError
from weir.spec.identity import UnitId
from weir.spec.kustomization import parse_kustomization
from weir.spec.record import Condition, UnitRecord

ONE, TWO = UnitId("Kustomization", "flux-system", "one"), UnitId("Kustomization", "flux-system", "two")
LOCKSTEP = (
    "dep.metadata.labels['app/version'] == self.metadata.labels['app/version']"
    " && dep.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')"
    " && dep.metadata.generation == dep.status.observedGeneration"
)


def document(unit: UnitId, version: str, rule: str = "") -> Document:
    """A Kustomization with a version label; with a rule it depends on ONE."""
    depends = [{"name": ONE.name, "readyExpr": rule}] if rule else []
    data = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": unit.name, "namespace": unit.namespace, "labels": {"app/version": version}},
        "spec": {
            "interval": "1m",
            "prune": True,
            "path": "./",
            "sourceRef": {"kind": "GitRepository", "name": "apps"},
            "dependsOn": depends,
        },
    }
    return Document("units.yaml", 0, data)


def record(applied: Document, status: str = "True") -> UnitRecord:
    """What the cluster says of a unit that was applied as that document."""
    meta = applied.data["metadata"]
    return UnitRecord(
        id=UnitId("Kustomization", meta["namespace"], meta["name"]),
        stack="prod",
        revision="main@sha1:" + "a" * 40,
        spec_digest=document_digest(applied),
        ready=Condition(status=status, reason="ReconciliationSucceeded", message="Applied revision"),
    )


class Kept:
    """Records that are given."""

    def __init__(self, *records: UnitRecord) -> None:
        self._records = {one.id: one for one in records}

    def read(self, unit: UnitId) -> UnitRecord | None:
        """The record of a unit."""
        return self._records.get(unit)


def check(rule: str, one: Document, *records: UnitRecord) -> None:
    """Ask whether TWO at v2 may be applied."""
    two = document(TWO, "v2", rule)
    kept: Any = Kept(*records)
    check_ready_exprs(parse_kustomization(two), kept, {ONE: one, TWO: two}.__getitem__)


def test_units_that_move_together_by_a_label_follow_each_other() -> None:
    one = document(ONE, "v2")
    check(LOCKSTEP, one, record(one), record(document(TWO, "v1")))


@pytest.mark.parametrize(
    "known",
    [
        record(document(ONE, "v1")),
        record(document(ONE, "v2"), "False"),
        record(document(ONE, "v2"), "Unknown"),
    ],
    ids=["applied with its old document", "failed", "in progress"],
)
def test_one_that_is_not_ready_as_it_is_declared_holds_the_other(known: UnitRecord) -> None:
    with pytest.raises(HealthError, match="readyExpr does not hold"):
        check(LOCKSTEP, document(ONE, "v2"), known)


def test_one_that_was_never_applied_holds_the_other() -> None:
    with pytest.raises(HealthError, match="at nothing yet"):
        check(LOCKSTEP, document(ONE, "v2"))
    check("dep.status.observedGeneration == -1", document(ONE, "v2"))


def test_the_status_is_that_of_flux() -> None:
    one = document(ONE, "v1")
    found = as_flux_object(ONE, one, record(one))
    assert found["metadata"]["generation"] == found["status"]["observedGeneration"] == 1
    assert found["status"]["lastAppliedRevision"] == "main@sha1:" + "a" * 40
    assert found["spec"] == one.data["spec"]
