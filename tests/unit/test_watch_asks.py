"""What people asked for: answered when it was done, and never when a run failed before it came to it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from weir.edges.kube.records import Stored
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord
from weir.watch.asks import Asks
from weir.watch.journal import Journal

UNIT: Final = UnitId("Kustomization", "flux", "apps")


def stored(says: str, asked: str = "") -> dict[UnitId, Stored]:
    """The unit's record as it says something, with a request."""
    record = UnitRecord(id=UNIT, stack="s")
    return {UNIT: Stored(record=record, version=f"{asked}/{says}", running=None, requested=asked)}


class Desk:
    """Requests of one unit, and those that were answered."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        records = SimpleNamespace(handle=lambda _, at: self.answered.append(at))
        journal = Journal("test", quiet=True)
        self.asks = Asks(cast("Any", records), journal, lambda work: work())

    def ask(self, at: str) -> None:
        assert self.asks.is_new(stored("A", at)[UNIT])
        self.asks.add(UNIT)

    def run(self, before: str, after: str, *, well: bool, again: bool = False) -> None:
        self.asks.begun(stored(before))
        self.asks.ended(stored(after), well=well, again=again)
        self.asks.done(None)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    made = Desk()
    made.ask("10:00")
    return made


def test_a_run_that_went_well_answers_also_when_nothing_had_to_be_done(desk: Desk) -> None:
    desk.run("A", "A", well=True)
    assert desk.answered == ["10:00"]


def test_a_run_that_failed_before_it_came_to_the_unit_answers_nothing(desk: Desk) -> None:
    desk.run("A", "A", well=False)
    assert desk.answered == []
    desk.run("A", "B", well=True)
    assert desk.answered == ["10:00"], "it was reconciled after all"


def test_a_run_that_failed_with_the_unit_answers_by_its_record(desk: Desk) -> None:
    desk.run("A", "A, not ready", well=False)
    assert desk.answered == ["10:00"]


def test_what_a_run_that_was_asked_to_end_did_not_come_to_is_up_to_the_next(desk: Desk) -> None:
    desk.run("A", "A", well=False, again=True)
    assert desk.answered == []
    assert desk.asks.join(None), "the next run is asked for it"
    desk.run("A", "A", well=True)
    assert desk.answered == ["10:00"]
