"""What a source falls back to in an outage: this machine's memory, corrected by what the cluster knows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from weir.flow.source_work import SourceWorker
from weir.spec.artifact import Artifact
from weir.spec.errors import ClusterError, SpecError
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord

SOURCE = UnitId("GitRepository", "flux", "repo")
OLD = Artifact(revision="main@sha1:" + "1" * 40, digest="sha256:1")
NEW = Artifact(revision="main@sha1:" + "2" * 40, digest="sha256:2")


def last_good(
    recorded: Artifact | Exception | None, last: Artifact | None, *here: Artifact
) -> Artifact | None:
    """What counts when the record names `recorded`, this machine remembers `last`, and its store has `here`."""

    def read_own(_: UnitId) -> UnitRecord | None:
        if isinstance(recorded, Exception):
            raise recorded
        if recorded is None:
            return None
        return UnitRecord(id=SOURCE, stack="s", revision=recorded.revision, digest=recorded.digest)

    worker: Any = SourceWorker.__new__(SourceWorker)
    worker._clusters = SimpleNamespace(records=SimpleNamespace(read_own=read_own))
    worker._store = SimpleNamespace(holds=lambda digest: digest in {one.digest for one in here})
    return cast("SourceWorker", worker)._last_good(SOURCE, last)


def test_what_another_machine_resolved_counts_when_it_is_here() -> None:
    assert last_good(NEW, OLD, OLD, NEW) == NEW
    assert last_good(NEW, OLD, OLD) is None, "an older one would roll back what was applied"


def test_a_source_that_never_had_an_artifact_with_this_spec_has_none() -> None:
    assert last_good(NEW, None, NEW) is None


@pytest.mark.parametrize("error", [ClusterError("away"), SpecError("no such context")], ids=str)
def test_without_a_cluster_this_machines_memory_counts(error: Exception) -> None:
    assert last_good(error, OLD, OLD) == OLD
    assert last_good(None, OLD, OLD) == OLD
    assert last_good(None, OLD) is None, "collected meanwhile"
