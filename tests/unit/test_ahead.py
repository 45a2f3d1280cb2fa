"""The look ahead: order, clashes, cycles, depth, a hanging source. The jobs are scripted; everything else is real."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from weir.edges.runs import Run
from weir.flow.ahead import Ahead
from weir.flow.load import Loaded
from weir.flow.outcome import Outcome, Problem, SourceOutcome, UnitOutcome
from weir.flow.tree import Declared
from weir.flow.work import RenderedUnit, Worker
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.identity import ObjectId, UnitId
from weir.spec.kustomization import KustomizationSpec

Spec = dict[str, Any]


def source(name: str, **spec: Any) -> Document:
    """A GitRepository document."""
    kind = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository"}
    meta = {"name": name, "namespace": "ns"}
    return Document(
        "t.yaml", 0, {**kind, "metadata": meta, "spec": {"interval": "1m", "url": "https://h/r", **spec}}
    )


def unit(name: str, of: str = "src", after: Sequence[str] = (), **spec: Any) -> Document:
    """A Kustomization document."""
    kind = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"}
    body: Spec = {"interval": "1m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": of}}
    if after:
        body["dependsOn"] = [{"name": item} for item in after]
    meta = {"name": name, "namespace": "ns"}
    return Document("t.yaml", 0, {**kind, "metadata": meta, "spec": body | spec})


class Scripted:
    """Jobs that answer from tables."""

    def __init__(self, *, objects: Mapping[str, Sequence[str]] | None = None) -> None:
        self.objects = objects or {}
        self.children: dict[str, tuple[Document, ...]] = {}
        self.hanging: dict[str, threading.Event] = {}
        self.calls: list[str] = []
        self.automates = False

    def source(self, declared: Declared, _sources: Mapping[UnitId, SourceOutcome]) -> SourceOutcome:
        """Resolve, perhaps after somebody lets go."""
        self.calls.append(declared.spec.id.name)
        if waiting := self.hanging.get(declared.spec.id.name):
            waiting.wait(30)
        spec = cast("GitRepositorySpec", declared.spec)
        artifact = Artifact(revision="main@sha1:1", digest="sha256:1")
        return SourceOutcome(
            spec=spec, document=declared.document, artifact=artifact, automates=self.automates
        )

    def finish(self) -> None:
        """Nothing waits for the end."""

    def unit(
        self, declared: Declared, _source: SourceOutcome, _before: Sequence[RenderedUnit]
    ) -> RenderedUnit:
        """Render what the table says."""
        name = declared.spec.id.name
        self.calls.append(name)
        spec = cast("KustomizationSpec", declared.spec)
        outcome = UnitOutcome(
            spec=spec, document=declared.document, digest="sha256:2", parent=declared.parent
        )
        ids = tuple(ObjectId("", "ConfigMap", "ns", item) for item in self.objects.get(name, ()))
        return RenderedUnit(outcome=outcome, ids=ids, children=self.children.get(name, ()))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run's folder."""
    return Run(tmp_path, 0)


def look(run: Run, script: Scripted, *documents: Document) -> Iterator[Outcome]:
    """Outcomes of a stack of these documents."""
    return iter(Ahead(cast("Worker", script), run, lambda: Loaded(documents, ())))


def names(outcomes: Iterator[Outcome]) -> list[str]:
    """Names of units in order of their outcomes."""
    return [item.id.name for item in outcomes if not isinstance(item, Problem)]


def error_of(outcomes: Iterator[Outcome], name: str) -> str:
    """The error of one unit."""
    return next(item.error for item in outcomes if not isinstance(item, Problem) and item.id.name == name)


def test_dependencies_come_before_their_dependents(run: Run) -> None:
    found = names(
        look(run, Scripted(), unit("c", after=["b"]), unit("b", after=["a"]), unit("a"), source("src"))
    )
    assert found == ["src", "a", "b", "c"]


def test_units_rendered_by_units_are_found_at_any_depth(run: Run) -> None:
    script = Scripted()
    script.children = {"top": (unit("middle"),), "middle": (unit("leaf", of="other"), source("other"))}
    outcomes = list(look(run, script, source("src"), unit("top")))
    assert sorted(names(iter(outcomes))) == ["leaf", "middle", "other", "src", "top"]
    leaf = next(item for item in outcomes if isinstance(item, UnitOutcome) and item.id.name == "leaf")
    assert leaf.parent == "Kustomization/ns/middle"


def test_a_hanging_source_holds_up_only_its_own_units(run: Run) -> None:
    script = Scripted()
    let_go = script.hanging["slow"] = threading.Event()
    outcomes = look(run, script, source("slow"), source("src"), unit("late", of="slow"), unit("early"))
    started = time.monotonic()
    first = [next(outcomes), next(outcomes)]
    assert names(iter(first)) == ["src", "early"]
    assert time.monotonic() - started < 10
    let_go.set()
    assert names(outcomes) == ["slow", "late"]


def test_an_object_of_two_units_is_an_error_of_both_that_names_both(run: Run) -> None:
    script = Scripted(objects={"a": ["x", "y"], "b": ["x"], "c": ["z"]})
    outcomes = list(look(run, script, source("src"), unit("a"), unit("b"), unit("c")))
    for name in ("a", "b"):
        message = error_of(iter(outcomes), name)
        assert "ConfigMap/ns/x" in message
        assert "Kustomization/ns/a and Kustomization/ns/b" in message
    assert error_of(iter(outcomes), "c") == ""


def test_the_same_object_on_two_clusters_is_no_clash(run: Run) -> None:
    script = Scripted(objects={"a": ["x"], "b": ["x"]})
    remote = unit("b", kubeConfig={"secretRef": {"name": "other-cluster"}})
    outcomes = list(look(run, script, source("src"), unit("a"), remote))
    assert [error_of(iter(outcomes), name) for name in ("a", "b")] == ["", ""]


def test_a_cycle_names_its_members_and_leaves_others_alone(run: Run) -> None:
    outcomes = list(
        look(run, Scripted(), source("src"), unit("a", after=["b"]), unit("b", after=["a"]), unit("free"))
    )
    assert "Kustomization/ns/a -> Kustomization/ns/b -> Kustomization/ns/a" in error_of(iter(outcomes), "a")
    assert "cycle" in error_of(iter(outcomes), "b")
    reasons = {one.id.name: one.reason for one in outcomes if isinstance(one, UnitOutcome)}
    assert reasons == {"a": "DependencyNotReady", "b": "DependencyNotReady", "free": ""}
    assert error_of(iter(outcomes), "free") == ""


def test_a_missing_dependency_and_a_missing_source_are_named(run: Run) -> None:
    outcomes = list(
        look(run, Scripted(), source("src"), unit("a", after=["nobody"]), unit("b", of="nowhere"))
    )
    assert "found 'Kustomization/ns/nobody', expected a unit of this stack" in error_of(iter(outcomes), "a")
    assert "found 'GitRepository/ns/nowhere', expected a source of this stack" in error_of(
        iter(outcomes), "b"
    )


def test_the_second_pass_of_a_run_repeats_the_first_without_work(run: Run) -> None:
    script = Scripted()
    documents = (source("src"), unit("b", after=["a"]), unit("a"))
    first = list(look(run, script, *documents))
    calls = list(script.calls)
    assert list(look(run, script, *documents)) == first
    assert script.calls == calls
