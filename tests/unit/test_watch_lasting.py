"""What the watcher tells again, how often, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.kube import wait_for
from tests.support.watched_loop import DOCUMENT, SOURCE, WEB, blind, looked
from weir.edges.kube.records import Stored
from weir.flow.repair import Outcome, Repair
from weir.spec.event import Severity
from weir.spec.identity import ObjectId
from weir.spec.record import Condition, UnitRecord
from weir.watch.findings import HealthNews
from weir.watch.lasting import PAUSE, Lasting
from weir.watch.looking import Looked
from weir.watch.service import Service
from weir.watch.view import Finding, ObjectNote

DOWN = "https://git.example.com: cannot be reached"
CONFIG = ObjectId("", "ConfigMap", "web", "a")
POD = ObjectId("", "Pod", "web", "b")
WELL = Condition(status="True", reason="ReconciliationSucceeded", message="Applied revision: A")


class Place:
    """A stack in which something fails, and time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lasting = Lasting(lambda: self.now)
        self.notes: dict[ObjectId, tuple[ObjectNote, ...]] = {}
        self.looked: Looked = looked("A")
        self.stored: dict[Any, Stored] = {}
        self.record(WEB, WELL)
        self.want(WEB, retry=600.0)

    def want(self, unit: Any, **facts: Any) -> None:
        wanted = {**self.looked.wanted, unit: replace(self.looked.wanted[unit], **facts)}
        declared = {SOURCE: SimpleNamespace(document=DOCUMENT)}
        self.looked = replace(self.looked, wanted=wanted, declared=cast("Any", declared))

    def record(self, unit: Any, ready: Condition, **facts: Any) -> None:
        record = UnitRecord(id=unit, stack="test", revision="A", ready=ready, **facts)
        self.stored[unit] = Stored(record=record, version="1", running=None)

    def fail(self, message: str = DOWN) -> None:
        self.want(SOURCE, error=message)
        self.record(SOURCE, Condition(status="False", reason="GitOperationFailed", message=message))

    def told(self, seconds: float) -> list[str]:
        """What is told again in so many seconds."""
        found: list[str] = []
        end = self.now + seconds
        while self.now < end:
            self.now += PAUSE
            due = self.lasting.due(self.looked, self.stored, lambda _: self.notes)
            found += [f"{self.now:g} {event.message}" for _, event in due]
        return found


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_source_that_stays_away_is_told_every_15_minutes_until_it_is_back(place: Place) -> None:
    place.fail()
    assert place.told(1900.0) == [f"910 {DOWN}", f"1810 {DOWN}"]
    place.want(SOURCE, error="")
    assert place.told(1900.0) == []
    place.want(SOURCE, error=DOWN)
    assert place.told(900.0) == [], "it failed anew, and a run tells that"


def test_another_error_is_news_that_a_run_tells(place: Place) -> None:
    place.fail()
    place.told(890.0)
    place.fail("404")
    assert place.told(890.0) == []


@pytest.mark.parametrize("where", ["record", "document", "gone"])
def test_what_is_suspended_or_gone_is_not_told_again(place: Place, where: str) -> None:
    place.fail()
    if where == "record":
        place.record(SOURCE, Condition(status="False", reason="X", message=DOWN), suspended=True)
    elif where == "document":
        place.want(SOURCE, suspended=True)
    else:
        place.looked = replace(place.looked, wanted={WEB: place.looked.wanted[WEB]})
    assert place.told(3000.0) == []


def test_lost_health_is_told_again_after_the_retry_interval_while_it_is_seen(place: Place) -> None:
    place.lasting.health(HealthNews(unit=WEB, lost={CONFIG: "x", POD: "crashes"}))
    place.notes = {POD: (ObjectNote(Finding.FAILED, "crashes"),)}
    again = f"{POD} is not healthy any more: crashes"
    assert place.told(1300.0) == [f"610 {again}", f"1210 {again}"]
    place.lasting.health(HealthNews(unit=WEB, regained=(POD,)))
    assert place.told(1300.0) == []


def test_a_unit_that_is_not_ready_is_told_of_by_its_runs(place: Place) -> None:
    place.lasting.health(HealthNews(unit=WEB, lost={POD: "crashes"}))
    place.notes = {POD: (ObjectNote(Finding.FAILED, "crashes"),)}
    place.record(WEB, Condition(status="False", reason="HealthCheckFailed", message="crashes"))
    assert place.told(1300.0) == []


def test_a_refused_repair_is_told_again_but_not_more_often_than_every_five_minutes(place: Place) -> None:
    place.want(WEB, retry=30.0)
    place.lasting.repaired(WEB, Repair(id=CONFIG, outcome=Outcome.REFUSED, text="denied"))
    place.notes = {CONFIG: (ObjectNote(Finding.DRIFTED, "not corrected: denied"),)}
    assert place.told(620.0) == [f"310 {CONFIG}: denied", f"610 {CONFIG}: denied"]
    place.notes = {}
    assert place.told(620.0) == []
    place.notes = {CONFIG: (ObjectNote(Finding.DRIFTED, "reported"),)}
    place.lasting.repaired(WEB, Repair(id=CONFIG, outcome=Outcome.REPORTED, text="denied"))
    assert place.told(620.0) == []


def test_the_event_is_as_the_run_told_it(place: Place) -> None:
    place.fail()
    place.told(900.0)
    place.now += PAUSE
    ((about, event),) = place.lasting.due(place.looked, place.stored, lambda _: place.notes)
    assert about.unit == SOURCE
    assert (event.severity, event.reason) == (Severity.ERROR, "GitOperationFailed")
    assert (event.metadata, event.stack) == ({"revision": "A"}, "test")


def test_the_service_tells_it_beside_the_loop(place: Place, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    place.fail()
    watcher, told = blind(), list[Mapping[str, Any]]()
    watcher.looked, watcher.stored = place.looked, place.stored
    service = Service(
        stack="test",
        clusters=cast("Any", None),
        journal=watcher.journal,
        open_session=watcher.open_session,
        engine=watcher.engine,
        _watcher=watcher,
        _teller=cast("Any", SimpleNamespace(tell=lambda _, events: told.extend(events))),
        _lasting=place.lasting,
    )
    service._ticked()
    place.now = 900.0
    service._ticked()
    wait_for(lambda: len(told) == 1)
