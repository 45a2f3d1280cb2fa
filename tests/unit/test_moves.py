"""How much of a run is rendered, as whoever is about to delete something is told: nothing goes on a guess."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.test_ahead import Scripted, look, names, source, unit
from weir.edges.runs import Run
from weir.edges.store import Store
from weir.flow.moves import (
    ALL_KNOWN,
    Missing,
    Unrendered,
    await_rendered,
    keep_unrendered,
    mentioned,
    read_unrendered,
)
from weir.flow.outcome import SourceOutcome
from weir.flow.pruning import Doomed, ask_again, spare_moving, undecided
from weir.flow.tree import Declared
from weir.flow.work import RenderedUnit
from weir.spec.errors import StopRequested
from weir.spec.identity import ObjectId, UnitId

SRC, FAR = (UnitId("GitRepository", "ns", name) for name in ("src", "far"))
B = Missing("Kustomization/ns/b", str(SRC), "b")
WEB = ObjectId("apps", "Deployment", "ns", "web")
GOING = Doomed(id=WEB, version="v1", delete=True)
SLOW = Unrendered((B,), pending=True)
FAILED = Unrendered((B,))


class Broken(Scripted):
    """Jobs of which the unit `b` fails to render, once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.b = threading.Event()

    def unit(self, declared: Declared, source: SourceOutcome, before: Sequence[RenderedUnit]) -> RenderedUnit:
        found = super().unit(declared, source, before)
        if declared.spec.id.name != "b":
            return found
        self.b.wait(30)
        return replace(found, outcome=replace(found.outcome, digest="", error="b: no variable X"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, 0)


def test_a_unit_that_comes_out_early_learns_whose_objects_are_not_known(run: Run) -> None:
    script = Broken()
    outcomes = look(run, script, source("src"), unit("b", path="./b"), unit("a"))
    assert names(iter([next(outcomes), next(outcomes)])) == ["src", "a"]
    found = read_unrendered(run, SRC)
    assert (found.units, found.pending) == ((B,), True)
    script.b.set()
    assert names(outcomes) == ["b"]
    found = read_unrendered(run, SRC)
    assert (found.units, found.pending, found.digest) == ((B,), False, "sha256:1")


def test_units_of_another_source_are_nobodys_business(run: Run) -> None:
    script = Scripted()
    let_go = script.hanging["far"] = threading.Event()
    outcomes = look(run, script, source("far"), source("src"), unit("b", of="far"), unit("a"))
    assert names(iter([next(outcomes), next(outcomes)])) == ["src", "a"]
    assert read_unrendered(run, SRC) == ALL_KNOWN
    assert read_unrendered(run, FAR).pending
    let_go.set()
    list(outcomes)
    assert read_unrendered(run, FAR) == ALL_KNOWN


def test_all_is_known_before_the_last_units_come_out(run: Run) -> None:
    for outcome in look(run, Scripted(), source("src"), unit("a"), unit("b")):
        if outcome.id.kind == "Kustomization":  # type: ignore[union-attr]
            assert read_unrendered(run, SRC) == ALL_KNOWN


def test_a_run_without_a_look_ahead_knows_all_that_it_will(run: Run) -> None:
    assert read_unrendered(run, SRC) == ALL_KNOWN


@pytest.mark.parametrize(
    ("unknown", "why"),
    [
        (SLOW, "Kustomization/ns/b is not rendered yet and may want it"),
        (FAILED, "Kustomization/ns/b is not rendered as Git has it and may want it"),
        (
            Unrendered(tuple(replace(B, unit=name) for name in "abcdef")),
            "a, b, c, d, e and 1 more are not rendered as Git has it and may want it",
        ),
    ],
)
def test_an_object_stays_while_it_is_not_known_who_wants_it(unknown: Unrendered, why: str) -> None:
    (item,) = found = spare_moving([GOING], frozenset, lambda: unknown)
    assert (item.delete, item.tracked, item.moving) == (False, True, False)
    assert undecided(found) == f"Deployment/ns/web: not deleted: {why}"
    change = item.change()
    assert change is not None
    assert change.why == f"not deleted: {why}"
    assert ask_again(found, frozenset, lambda: ALL_KNOWN) == [GOING]
    (moving,) = ask_again(found, lambda: frozenset({WEB}), lambda: ALL_KNOWN)
    assert (moving.delete, moving.moving) == (False, True)


def test_only_what_a_failed_unit_mentions_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    files = {
        "b/x.yaml": b"name: web\n---\nname: my.api-2\n",
        "a/y.yaml": b"name: old\n",
        "b/z.yaml": b"web-1",
    }
    known = Unrendered((B,), digest=Store.default().put(files))
    assert sorted(mentioned(known, {"web", "old", "api", "my.api-2", "eb"})) == ["my.api-2", "web"]
    assert spare_moving([GOING], frozenset, lambda: known)[0].tracked
    other = replace(GOING, id=ObjectId("", "ConfigMap", "ns", "old"))
    assert spare_moving([other], frozenset, lambda: known) == [other]
    lost = replace(known, digest=f"sha256:{'0' * 64}")
    assert mentioned(lost, {"old"}) == {"old"}, "nobody knows what it held"
    everywhere = replace(known, units=(replace(B, path=""),))
    assert mentioned(everywhere, {"old"}) == ["old"]


def test_a_unit_with_nothing_to_delete_asks_nobody() -> None:
    def never() -> Unrendered:
        raise AssertionError

    kept = Doomed(id=WEB, version="v1", kept="spec.prune is false")
    assert spare_moving([kept], frozenset, never) == [kept]


def reports() -> Iterator[Unrendered]:
    yield SLOW
    yield SLOW
    while True:
        yield FAILED


def test_whoever_waits_goes_on_when_the_look_ahead_is_over_in_time_or_stopped(run: Run) -> None:
    stop, told = threading.Event(), reports()
    began = time.monotonic()
    await_rendered(lambda: next(told), 30.0, stop)
    await_rendered(lambda: SLOW, 0.1, stop)
    stop.set()
    await_rendered(lambda: FAILED, 30.0, stop)
    with pytest.raises(StopRequested):
        await_rendered(lambda: SLOW, 30.0, stop)
    assert time.monotonic() - began < 10
    keep_unrendered(run, [B], pending=True)
    assert read_unrendered(run, SRC) == SLOW
