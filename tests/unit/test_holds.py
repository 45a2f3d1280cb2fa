"""Units that are suspended by hand, as a run sees them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from weir.edges.kube.errors import KubeStatusError, UnreachableError
from weir.edges.runs import Run
from weir.flow.ahead import Ahead
from weir.flow.clusters import Clusters
from weir.flow.holds import Hands
from weir.flow.load import Loaded
from weir.flow.outcome import Problem, SourceOutcome, UnitOutcome, decode, encode, held
from weir.flow.resolve import SyncResult
from weir.flow.source_work import Overrides, SourceWorker
from weir.flow.tree import UnitTree
from weir.flow.work import RenderedUnit, Worker
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.errors import ClusterError
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord
from weir.spec.stack import OptionsConfig

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


class Cluster:
    """A cluster that answers one question after the other, errors among them."""

    def __init__(self, *answers: frozenset[UnitId] | Exception, others: UnitRecord | None = None) -> None:
        self.answers = list(answers)
        self.others = others
        self.records, self.stack, self.options = self, "prod", OptionsConfig()

    def in_a_hurry(self, _: float) -> Cluster:
        return self

    def holds(self) -> frozenset[UnitId]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def of_others(self) -> dict[UnitId, UnitRecord]:
        return {self.others.id: self.others} if self.others else {}


def hands(*answers: frozenset[UnitId] | Exception, wary: bool = True) -> Hands:
    found = Hands(cast("Clusters", Cluster(*answers)), wary=wary)
    found.read()
    return found


REFUSED = KubeStatusError(403, "Forbidden", 'User "bot" cannot list resource "configmaps"')
AWAY = UnreachableError("https://c: no answer")


def test_holds_that_were_not_told_are_asked_for_once_more() -> None:
    late = hands(AWAY, frozenset({SOURCE}))
    assert (late.holds(SOURCE), late.holds(POLICY)) == (True, False)


def test_cluster_that_answers_and_does_not_say_leaves_units_as_they_are() -> None:
    refused = hands(REFUSED, REFUSED)
    for _ in range(2):
        with pytest.raises(ClusterError, match=r"^GitRepository/ns/src: cannot be seen .* cannot list"):
            refused.holds(SOURCE)


def test_cluster_that_is_away_is_reported_by_its_units_alone() -> None:
    assert not hands(AWAY, AWAY).holds(SOURCE)
    assert not hands(REFUSED, wary=False).holds(SOURCE), "what only looks needs no right to look there"


def test_unit_whose_record_is_another_stacks_is_refused() -> None:
    cluster = Cluster(frozenset(), others=UnitRecord(id=SOURCE, stack="dev"))
    found = Hands(cast("Clusters", cluster))
    found.read()
    found.refuse_others(POLICY)
    with pytest.raises(
        ClusterError, match=r"src: found it in stack dev, expected stack prod; .*formerStack: dev"
    ):
        found.refuse_others(SOURCE)
    cluster.options = OptionsConfig(former_stack="dev")
    found.refuse_others(SOURCE)


def resolved(
    found: Hands, last: Artifact | None, record: UnitRecord | Exception | None = None
) -> SourceOutcome:
    """What a source gives whose repository has NEW, on a machine that remembers `last`."""

    def read_own(_: UnitId) -> UnitRecord | None:
        if isinstance(record, Exception):
            raise record
        return record

    worker: Any = SourceWorker.__new__(SourceWorker)
    worker._clusters = SimpleNamespace(records=SimpleNamespace(read_own=read_own))
    worker._store = SimpleNamespace(holds=lambda _: True)
    worker._previous = SimpleNamespace(read=lambda _: last, write=lambda *_: None)
    worker._hands, worker._overrides, worker._includes = found, Overrides(), {}
    worker._fetch = lambda *_: SyncResult(artifact=NEW, changed=True)
    (declared,) = UnitTree().declare(documents()[:1])
    return cast("SourceWorker", worker).resolve(declared, {})


OLD = Artifact(revision="main@sha1:" + "1" * 40, digest="sha256:1")
NEW = Artifact(revision="main@sha1:" + "2" * 40, digest="sha256:2")
RECORD = UnitRecord(id=SOURCE, stack="prod", revision=OLD.revision, digest=OLD.digest)


def test_source_does_not_move_on_while_nobody_knows_whether_it_may() -> None:
    outcome = resolved(hands(REFUSED, REFUSED), OLD)
    assert outcome.artifact == OLD
    assert "cannot be seen whether it is suspended by hand" in outcome.error
    assert resolved(hands(REFUSED, REFUSED), None).artifact is None
    assert resolved(hands(frozenset()), OLD).artifact == NEW


def test_source_that_turns_out_to_be_held_stays_at_its_recorded_revision() -> None:
    outcome = resolved(hands(AWAY, frozenset({SOURCE})), OLD, RECORD)
    assert (outcome.artifact, outcome.error) == (OLD, "")
    assert held(outcome)
    unread = resolved(hands(AWAY, frozenset({SOURCE})), OLD, ClusterError("damaged"))
    assert (unread.artifact, unread.error) == (OLD, "damaged")


def test_source_whose_record_is_another_stacks_says_so_and_is_used() -> None:
    found = Hands(cast("Clusters", Cluster(frozenset(), others=replace(RECORD, stack="dev"))))
    found.read()
    outcome = resolved(found, OLD)
    assert outcome.artifact == NEW
    assert "found it in stack dev, expected stack prod" in outcome.error


def test_cluster_that_cannot_be_asked_holds_nothing() -> None:
    class Away:
        @property
        def records(self) -> object:
            raise ClusterError("away")

    assert Hands(cast("Clusters", Away())).read() == frozenset()
