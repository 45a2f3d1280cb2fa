"""Units that are suspended by hand, as a run sees them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from weir.edges.runs import Run
from weir.flow.ahead import Ahead
from weir.flow.clusters import Clusters
from weir.flow.holds import read_holds
from weir.flow.load import Loaded
from weir.flow.outcome import Problem, SourceOutcome, UnitOutcome, decode, encode, held
from weir.flow.tree import UnitTree
from weir.flow.work import RenderedUnit, Worker
from weir.spec.documents import Document
from weir.spec.errors import ClusterError
from weir.spec.identity import UnitId

SOURCE = UnitId("GitRepository", "ns", "src")
UNIT = UnitId("Kustomization", "ns", "web")
POLICY = UnitId("ImagePolicy", "ns", "app")


def documents(*, suspend: bool = False) -> tuple[Document, ...]:
    source = {"kind": "GitRepository", "name": "src"}
    unit = {"interval": "1m", "prune": True, "sourceRef": source, **({"suspend": True} if suspend else {})}
    policy = {"imageRepositoryRef": {"name": "app"}, "policy": {"semver": {"range": "*"}}}
    return (
        _document("source.toolkit.fluxcd.io/v1", SOURCE, {"interval": "1m", "url": "https://h/r"}),
        _document("kustomize.toolkit.fluxcd.io/v1", UNIT, unit),
        _document("image.toolkit.fluxcd.io/v1", POLICY, policy),
    )


def _document(version: str, unit: UnitId, spec: dict[str, Any]) -> Document:
    meta = {"name": unit.name, "namespace": unit.namespace}
    return Document("t.yaml", 0, {"apiVersion": version, "kind": unit.kind, "metadata": meta, "spec": spec})


class Jobs:
    """Jobs that give back what they were given."""

    def source(self, declared: Any, _sources: object) -> SourceOutcome:
        return SourceOutcome(spec=declared.spec, document=declared.document, artifact=None)

    def unit(self, declared: Any, _source: object, _before: object) -> RenderedUnit:
        return RenderedUnit(outcome=UnitOutcome(spec=declared.spec, document=declared.document))

    def finish(self) -> None:
        """Nothing waits for the end."""


def look(run: Run, holds: Iterable[UnitId], *, suspend: bool = False) -> dict[UnitId, Any]:
    worker = cast("Worker", Jobs())
    loaded = Loaded(documents(suspend=suspend), ())
    ahead = Ahead(worker, run, lambda: loaded, automate=False, holds=lambda: frozenset(holds))
    return {outcome.id: outcome for outcome in ahead if not isinstance(outcome, Problem)}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, 1)


def test_held_units_and_only_they_are_suspended_in_both_passes_of_a_run(run: Run) -> None:
    for holds in ([SOURCE], []):  # the second pass replays the first, whatever the cluster says now
        found = look(run, holds)
        assert (found[SOURCE].spec.suspend, found[UNIT].spec.suspend) == (True, False)
        assert (held(found[SOURCE]), held(found[UNIT])) == (True, False)


def test_document_of_a_held_unit_stays_as_git_has_it(run: Run) -> None:
    found = look(run, [UNIT])[UNIT]
    assert found.spec.suspend
    assert "suspend" not in found.document.data["spec"]


def test_unit_that_its_spec_suspends_is_not_held(run: Run) -> None:
    found = look(run, [UNIT], suspend=True)[UNIT]
    assert found.spec.suspend
    assert not held(found)
    assert decode(encode(found)) == found


def test_what_is_handed_to_another_process_is_suspended_too() -> None:
    tree = UnitTree(held=frozenset({POLICY}))
    tree.declare(documents())
    again = UnitTree()
    again.declare(declared.acted_on for declared in tree.units.values())
    assert {unit: one.spec.suspend for unit, one in again.units.items()} == {
        SOURCE: False,
        UNIT: False,
        POLICY: True,
    }
    assert "suspend" not in tree.units[POLICY].document.data["spec"]


def test_holds_are_asked_for_while_the_documents_are_read(run: Run) -> None:
    asked = threading.Event()

    def holds() -> frozenset[UnitId]:
        asked.set()
        return frozenset()

    def load() -> Loaded:
        assert asked.wait(10)
        return Loaded(documents(), ())

    ahead = Ahead(cast("Worker", Jobs()), run, load, automate=False, holds=holds)
    assert len([outcome for outcome in ahead if isinstance(outcome, UnitOutcome)]) == 1


def test_cluster_that_cannot_be_asked_holds_nothing() -> None:
    class Away:
        @property
        def records(self) -> object:
            raise ClusterError("away")

    assert read_holds(cast("Clusters", Away())) == frozenset()
