"""What a suspended unit is rendered from: what it was applied from."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from weir.flow.outcome import SourceOutcome
from weir.flow.resolve import SyncResult
from weir.flow.source_work import Overrides, SourceWorker
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.errors import ClusterError, SourceError
from weir.spec.git_repository import GitRepositorySpec, parse_git_repository
from weir.spec.identity import UnitId
from weir.spec.kustomization import parse_kustomization
from weir.spec.record import UnitRecord

UNIT = UnitId("Kustomization", "flux", "apps")
OLD, NEW = (f"main@sha1:{char * 40}" for char in "12")
RECORD = UnitRecord(id=UNIT, stack="prod", revision=OLD, attempted=OLD, digest="sha256:1")


def document(kind: str, group: str, name: str, **spec: Any) -> Document:
    data = {
        "apiVersion": f"{group}.toolkit.fluxcd.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "flux"},
        "spec": {"interval": "1m", **spec},
    }
    return Document("units.yaml", 0, data)


SOURCE = document(
    "GitRepository",
    "source",
    "repo",
    url="https://git.example/r",
    verify={"mode": "HEAD", "secretRef": {"name": "keys"}},
)
APPS = document(
    "Kustomization",
    "kustomize",
    "apps",
    prune=True,
    suspend=True,
    sourceRef={"kind": "GitRepository", "name": "repo"},
)


def standing(
    record: UnitRecord | Exception | None, current: str = NEW, *, wary: bool = True
) -> tuple[Artifact | None, list[str]]:
    """The artifact of the suspended unit whose source is at `current`, and which commits were fetched for it."""
    fetched: list[str] = []

    def read_own(_: UnitId) -> UnitRecord | None:
        if isinstance(record, Exception):
            raise record
        return record

    def fetch(spec: GitRepositorySpec, _: object, __: object, ref: str) -> SyncResult:
        assert spec.verify is None, "its commit was verified when it was applied"
        fetched.append(ref)
        if ref == "3" * 40:
            raise SourceError("no such commit")
        return SyncResult(artifact=Artifact(revision=f"sha1:{ref}", digest="sha256:again"), changed=True)

    worker: Any = SourceWorker.__new__(SourceWorker)
    worker._clusters = SimpleNamespace(records=SimpleNamespace(read_own=read_own))
    worker._hands, worker._overrides, worker._includes = SimpleNamespace(wary=wary), Overrides(), {}
    worker._fetch = fetch
    artifact = Artifact(revision=current, digest="sha256:now") if current else None
    source = SourceOutcome(spec=parse_git_repository(SOURCE), document=SOURCE, artifact=artifact)
    return cast("SourceWorker", worker).standing(parse_kustomization(APPS), source), fetched


def test_it_is_the_revision_that_was_applied_whatever_its_source_has_now() -> None:
    assert standing(RECORD) == (Artifact(revision=OLD, digest="sha256:again"), ["1" * 40])
    assert standing(RECORD, "") == (Artifact(revision=OLD, digest="sha256:again"), ["1" * 40])
    assert standing(RECORD, OLD) == (Artifact(revision=OLD, digest="sha256:now"), [])


def test_a_revision_that_was_begun_counts_for_its_objects_are_there() -> None:
    begun = replace(RECORD, attempted=NEW, applying="sha256:2")
    assert standing(begun) == (Artifact(revision=NEW, digest="sha256:now"), [])
    assert standing(replace(RECORD, attempted=NEW))[1] == ["1" * 40], "refused before anything was applied"


def test_a_unit_that_was_never_applied_stands_nowhere() -> None:
    assert standing(None) == (None, [])
    assert standing(replace(RECORD, revision="", attempted=OLD)) == (None, [])


def test_what_cannot_be_known_is_an_error_of_a_run_that_applies() -> None:
    away = ClusterError("no answer")
    with pytest.raises(ClusterError, match="no answer"):
        standing(away)
    assert standing(away, wary=False) == (Artifact(revision=NEW, digest="sha256:now"), [])
    gone = replace(RECORD, revision=f"main@sha1:{'3' * 40}")
    with pytest.raises(SourceError, match=r"suspended at main@sha1:3+, which is needed .*: no such commit"):
        standing(gone)
    with pytest.raises(SourceError, match="expected one that names a commit"):
        standing(replace(RECORD, revision="a-folder"))
