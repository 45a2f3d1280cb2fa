"""What pages and metrics are told of a watcher that hangs."""

from __future__ import annotations

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
from weir.watch.loop import Watcher
from weir.watch.metrics import Metrics
from weir.watch.service import Service
from weir.watch.view import Health, Sync
from weir.watch.vitals import Vitals

GREEN = (Sync.SYNCED, Health.HEALTHY)
HOUR = 3600.0


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

    def look(self) -> None:
        """A look finds the stack as it was applied."""
        self.watcher._take_look(looked("A"))
        for unit in (SOURCE, WEB):
            applied = record(unit, ready("applied"), source="", revision="A", attempted="A")
            self.watcher.stored[unit] = Stored(record=applied, version="1", running=None)

    def states(self) -> Mapping[UnitId, tuple[Sync, Health]]:
        return {unit.id: (unit.sync, unit.health) for unit in self.service.current().units}

    def metric(self, name: str) -> float:
        (line,) = (one for one in self._metrics.text().decode().splitlines() if one.startswith(f"{name} "))
        return float(line.split()[1])


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
