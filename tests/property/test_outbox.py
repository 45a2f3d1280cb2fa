"""The outbox against a model, with crashes at any file operation: nothing is lost, nothing is taken twice."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.events import event
from weir.edges.folders import write_whole
from weir.edges.outbox import Entry, Outbox
from weir.spec.identity import UnitId

pytestmark = pytest.mark.property

START: Final = 1_800_000_000.0
ALERT: Final = UnitId("Alert", "flux-system", "all")
PROVIDERS: Final = (UnitId("Provider", "flux-system", "a"), UnitId("Provider", "flux-system", "b"))


class Crash(BaseException):
    """The process is gone."""


class Crashing:
    """Ends the process before the n-th file is written."""

    def __init__(self) -> None:
        self.left = -1
        self._patch = mock.patch("weir.edges.outbox.write_whole", self.write)
        self._patch.start()

    def write(self, *given: Any, **named: Any) -> None:
        if self.left == 0:
            self.left = -1
            raise Crash
        self.left -= 1
        write_whole(*given, **named)

    def undo(self) -> None:
        self._patch.stop()


class OutboxMachine(RuleBasedStateMachine):
    """What was put and not delivered is there. One that reached both providers never reaches one of them again."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.crashing = Crashing()
        self.outbox = Outbox(self.folder)
        self.now = START
        self.number = 0
        self.due: set[tuple[str, UnitId]] = set()
        self.sent: list[tuple[str, UnitId]] = []

    def teardown(self) -> None:
        if hasattr(self, "crashing"):
            self.crashing.undo()
            shutil.rmtree(self.folder)

    def survive(self, act: Callable[[], object], crash: int) -> bool:
        """Do something that may crash; whether it did not. Afterwards there is a new process."""
        self.crashing.left = crash
        try:
            act()
        except Crash:
            return False
        finally:
            self.crashing.left = -1
            self.outbox = Outbox(self.folder)
        return True

    @rule(crash=st.integers(-1, 2))
    def put(self, crash: int) -> None:
        self.number += 1
        self.now += 1
        told = event(f"change {self.number}")
        if not self.survive(lambda: self.outbox.put([(told, {})], self.now), crash):
            assert self.outbox.put([(told, {})], self.now) in (0, 1)
        self.due |= {(told.message, one) for one in PROVIDERS}

    @precondition(lambda self: self.number)
    @rule(data=st.data())
    def put_again(self, data: st.DataObject) -> None:
        known = event(f"change {data.draw(st.integers(1, self.number))}")
        assert self.outbox.put([(known, {})], self.now) == 0

    def divide(self) -> None:
        for entry in self.outbox.entries():
            if entry.alert is None:
                self.outbox.divide(entry, [entry.to(ALERT, one) for one in PROVIDERS])

    def one(self, entry: Entry) -> None:
        self.outbox.update(entry)
        assert entry.provider
        self.sent.append((entry.event.message, entry.provider))
        self.outbox.remove(entry)

    @rule(crash=st.integers(-1, 3), most=st.integers(0, 4))
    def deliver(self, crash: int, most: int) -> None:
        """A crash here comes before a write, so before the sending or after the removal."""

        def act() -> None:
            self.divide()
            for entry in self.outbox.entries()[:most]:
                self.one(entry)

        self.survive(act, crash)

    @invariant()
    def nothing_is_lost_and_nothing_comes_twice(self) -> None:
        if not hasattr(self, "outbox"):
            return
        assert len(self.sent) == len(set(self.sent))
        waiting: set[tuple[str, UnitId]] = set()
        for entry in self.outbox.entries():
            names = [entry.provider] if entry.provider else list(PROVIDERS)
            waiting |= {(entry.event.message, one) for one in names}
        assert waiting == self.due - set(self.sent)
        assert [one.name for one in self.outbox.entries()] == sorted(
            one.name for one in self.outbox.entries()
        )


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
