"""What pages and metrics are told of a watcher that hangs, has not looked yet, or does not lead."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.stack_view import ready, record
from tests.support.watched_loop import SOURCE, WEB, blind, looked
from weir.edges.kube.records import Stored
from weir.spec.identity import UnitId
from weir.watch.dashboard.access import Access
from weir.watch.dashboard.pages import Dashboard
from weir.watch.exchange import Request
from weir.watch.loop import Watcher
from weir.watch.metrics import Metrics
from weir.watch.service import Service
from weir.watch.view import Health, Sync
from weir.watch.vitals import Vitals

GREEN = (Sync.SYNCED, Health.HEALTHY)
HOUR = 3600.0
AWAY = "https://10.0.0.1: cannot be reached: connection refused"


class Place:
    """A stack's service whose loop goes round when the test says so."""

    def __init__(self, watcher: Watcher) -> None:
        self.now = 0.0
        self.watcher = watcher
        self.vitals = Vitals(lambda: self.now)
        self.service = Service(
            stack="test",
            clusters=cast("Any", SimpleNamespace(main=SimpleNamespace(writes={}))),
            journal=watcher.journal,
            open_session=watcher.open_session,
            engine=watcher.engine,
            _vitals=self.vitals,
            _watcher=watcher,
        )
        self._metrics = Metrics(self.service.current, self.vitals, dict)
        access = Access("", loopback=True)
        self._pages = Dashboard(self.service.current, lambda _: None, tuple, access).routes()

    def wait(self, *, leader: str = "", problem: str = "") -> None:
        """Watch no more: another one leads, or the cluster does not say who."""
        self.service._watcher = None
        self.service._leadership = cast("Any", SimpleNamespace(leader=leader, problem=problem))

    def look(self) -> None:
        """A look finds the stack as it was applied."""
        self.watcher._take_look(looked("A"))
        for unit in (SOURCE, WEB):
            applied = record(unit, ready("applied"), source="", revision="A", attempted="A")
            self.watcher.stored[unit] = Stored(record=applied, version="1", running=None)

    def states(self) -> Mapping[UnitId, tuple[Sync, Health]]:
        return {unit.id: (unit.sync, unit.health) for unit in self.service.current().units}

    def page(self, path: str = "/") -> str:
        request = Request(method="GET", path=path, headers={"host": "localhost"})
        return self._pages[path](request).body.decode()

    def metric(self, name: str) -> float:
        lines = self._metrics.text().decode().splitlines()
        (line,) = (one for one in lines if one.startswith((f"{name} ", f"{name}{{")))
        return float(line.rpartition(" ")[2])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    return Place(blind())


def test_a_loop_that_hangs_shows_nothing_as_good_although_it_noted_no_trouble(place: Place) -> None:
    place.look()
    assert place.states() == {SOURCE: GREEN, WEB: GREEN}
    place.now += HOUR
    assert place.watcher.reachable
    assert place.states()[WEB] == (Sync.UNKNOWN, Health.UNKNOWN)
    assert place.service.current().age(time.time()) == pytest.approx(HOUR, abs=60.0)
    assert place.metric("weir_view_age_seconds") == pytest.approx(HOUR, abs=60.0)
    place.vitals.tick()
    assert place.states()[WEB] == GREEN
    assert place.metric("weir_view_age_seconds") < 60.0


def test_before_the_first_look_the_facts_have_no_age_and_no_stack_is_called_empty(place: Place) -> None:
    assert math.isnan(place.metric("weir_view_age_seconds"))
    assert "waiting for the first look" in place.page()
    assert "The stack has no units." not in place.page()
    place.look()
    assert place.metric("weir_view_age_seconds") < 60.0
    assert "waiting for the first look" not in place.page()


def test_why_nobody_is_known_to_lead_is_on_every_page_and_counts_as_a_problem(place: Place) -> None:
    place.wait(leader="weir-1", problem=AWAY)
    assert all(AWAY in place.page(path) for path in ("/", "/images", "/events"))
    assert "Kept converged by" not in place.page(), "weir-1 led when the cluster last answered"
    assert place.metric("weir_leader_info") == 0.0
    assert place.metric("weir_look_problems") == 1.0
    since = place.service.current().unsynced_since
    assert since is not None
    assert place.service.current().unsynced_since == since, "it counts on"


def test_who_waits_for_another_one_has_no_problem(place: Place) -> None:
    place.wait(leader="weir-1")
    assert "Kept converged by weir-1" in place.page()
    assert place.metric("weir_leader_info") == 1.0
    assert (place.metric("weir_look_problems"), place.metric("weir_unsynced_seconds")) == (0.0, 0.0)
