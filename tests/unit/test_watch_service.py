"""What pages and metrics are told of a watcher that hangs, has not looked yet, does not lead, or is not asked."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.kube import wait_for
from tests.support.stack_view import ready, record
from tests.support.watched_loop import SOURCE, WEB, blind, looked
from weir.edges.kube.records import Stored
from weir.edges.runs import Run
from weir.spec.identity import UnitId
from weir.watch.dashboard.access import Access
from weir.watch.dashboard.pages import Dashboard
from weir.watch.exchange import Request
from weir.watch.loop import Watcher
from weir.watch.metrics import Metrics
from weir.watch.seen import present
from weir.watch.service import Address, Service
from weir.watch.view import Health, StackView, Sync
from weir.watch.vitals import Vitals

GREEN = (Sync.SYNCED, Health.HEALTHY)
HOUR = 3600.0
AWAY = "https://10.0.0.1: cannot be reached: connection refused"


CLUSTERS = SimpleNamespace(
    stack="test",
    main=SimpleNamespace(writes={}, in_a_hurry=lambda _: None),
    records=SimpleNamespace(namespace="weir-system"),
)


class Place:
    """A stack's service whose loop goes round, and whose time passes, when the test says so."""

    def __init__(self, watcher: Watcher) -> None:
        self.now = 0.0
        """Seconds since the test began."""
        self._began = (time.time(), time.monotonic())
        self.watcher = watcher
        self.vitals = Vitals(lambda: self.now)
        self.service = Service(
            stack="test",
            clusters=cast("Any", CLUSTERS),
            journal=watcher.journal,
            open_session=watcher.open_session,
            engine=watcher.engine,
            _vitals=self.vitals,
            _watcher=watcher,
        )
        self._metrics = Metrics(self.service.current, self.vitals, dict, self.time)
        access = Access("", loopback=True)
        self._pages = Dashboard(self.service.current, lambda _: None, tuple, access, self.time).routes()

    def time(self) -> float:
        return self._began[0] + self.now

    def monotonic(self) -> float:
        return self._began[1] + self.now

    def thread_time(self) -> float:
        return self.now

    def pass_unasked(self, seconds: float) -> list[float]:
        """Let so much time pass while the loop goes round and nobody asks; the pauses between the service's views."""
        end, pauses = self.now + seconds, []

        def wait(pause: float) -> bool:
            pauses.append(pause)
            self.now += pause
            self.vitals.tick()
            return self.now >= end

        self.service._stop = cast("Any", SimpleNamespace(wait=wait))
        self.service._keep_viewing()
        return pauses

    def wait(self, *, leader: str = "", problem: str = "") -> None:
        """Watch no more: another one leads, or the cluster does not say who."""
        self.service._watcher = None
        self.service._leadership = cast("Any", SimpleNamespace(leader=leader, problem=problem))

    def look(self, revision: str = "A") -> None:
        """A look finds a revision where A was applied."""
        self.watcher._take_look(looked(revision))
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
    made = Place(blind())
    for module in ("seen", "service"):
        monkeypatch.setattr(f"weir.watch.{module}.time", made)
    return made


def test_a_loop_that_hangs_shows_nothing_as_good_although_it_noted_no_trouble(place: Place) -> None:
    place.look()
    assert place.states() == {SOURCE: GREEN, WEB: GREEN}
    place.now += HOUR
    assert place.watcher.reachable
    assert place.states()[WEB] == (Sync.UNKNOWN, Health.UNKNOWN)
    assert place.metric("weir_view_age_seconds") == pytest.approx(HOUR)
    assert "as of <b>1 h</b> ago" in place.page()
    place.vitals.tick()
    assert place.states()[WEB] == GREEN
    assert place.metric("weir_view_age_seconds") == 0.0


def test_before_the_first_look_the_facts_have_no_age_and_no_stack_is_called_empty(place: Place) -> None:
    assert math.isnan(place.metric("weir_view_age_seconds"))
    assert "waiting for the first look" in place.page()
    assert "The stack has no units." not in place.page()
    place.look()
    assert place.metric("weir_view_age_seconds") == 0.0
    assert "waiting for the first look" not in place.page()


def test_why_nobody_is_known_to_lead_is_on_every_page_and_counts_as_a_problem(place: Place) -> None:
    place.wait(leader="weir-1", problem=AWAY)
    assert all(AWAY in place.page(path) for path in ("/", "/images", "/events"))
    assert "Kept converged by" not in place.page(), "weir-1 led when the cluster last answered"
    assert place.metric("weir_leader_info") == 0.0
    assert place.metric("weir_look_problems") == 1.0
    place.now += HOUR
    assert place.metric("weir_unsynced_seconds") == pytest.approx(HOUR)


def test_who_waits_for_another_one_has_no_problem(place: Place) -> None:
    place.wait(leader="weir-1")
    assert "Kept converged by weir-1" in place.page()
    assert place.metric("weir_leader_info") == 1.0
    assert (place.metric("weir_look_problems"), place.metric("weir_unsynced_seconds")) == (0.0, 0.0)


def test_what_is_not_as_git_says_counts_from_its_beginning_and_not_from_the_first_question(
    place: Place,
) -> None:
    place.look()
    place.pass_unasked(100.0)
    place.look("B")
    place.pass_unasked(600.0)
    assert place.metric("weir_unsynced_seconds") == pytest.approx(600.0, abs=6.0)


def test_what_came_right_meanwhile_does_not_count(place: Place) -> None:
    place.look("B")
    assert place.metric("weir_unsynced_seconds") == 0.0
    place.look("A")
    place.pass_unasked(600.0)
    place.look("B")
    assert place.metric("weir_unsynced_seconds") == 0.0


def test_a_view_that_takes_long_is_made_seldom(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.look()

    def slow(*given: Any) -> StackView:
        place.now += 0.5
        return present(*given)

    assert set(place.pass_unasked(20.0)) == {5.0}
    monkeypatch.setattr("weir.watch.service.present", slow)
    _, *pauses = place.pass_unasked(5000.0)
    assert pauses
    assert min(pauses) == pytest.approx(250.0)


@contextlib.contextmanager
def _nobody(*_: object) -> Iterator[Any]:
    """A lease that cannot be asked for."""
    yield SimpleNamespace(leader="", problem=AWAY, is_leader=lambda: False)


@pytest.mark.parametrize("flag", ["probes", "pages"])
def test_a_service_with_readers_sees_how_things_are_before_they_ask(
    flag: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time does not pass, so only its first view could say since when."""
    monkeypatch.setattr("weir.watch.service.Leadership", _nobody)
    monkeypatch.setattr("weir.watch.service.collector", SimpleNamespace(live_on=lambda: None))
    monkeypatch.setattr("weir.watch.service.heap", SimpleNamespace(share_one=lambda: None))
    service = place.service
    service._watcher = None
    setattr(service, flag, Address(host="127.0.0.1", port=0))
    running = threading.Thread(target=service.run)
    running.start()
    try:
        first = wait_for(lambda: service._view, seconds=60)
        place.now += HOUR
        assert first is not None
        assert first.problems == (AWAY,)
        assert place.metric("weir_unsynced_seconds") == pytest.approx(HOUR)
    finally:
        service.end()
        running.join(60)
        Run.current().remove()
    assert not running.is_alive()
