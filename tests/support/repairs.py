"""One applied unit as the watcher holds it, and what happens in the middle of its repairs and runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from tests.support.units import Unit
from weir.edges.kube.records import Records
from weir.flow.plan import decide_placed
from weir.flow.repair import Held, Repair, hold, repair
from weir.spec.identity import ObjectId

Obj = dict[str, Any]

REVISION: Final = "main@sha1:1"


class Watched:
    """One applied unit, held as it was applied."""

    def __init__(self, unit: Unit, objects: Sequence[Obj], **spec: Any) -> None:
        self.unit = unit
        unit.must_apply(objects, REVISION, **spec)
        request = unit.request(unit.spec(**spec))
        self.held: Held = hold(request, [unit.label(obj) for obj in objects], f"sha256:{REVISION}")

    def repair(
        self, name: str, kind: str = "ConfigMap", group: str = "", stop: threading.Event | None = None
    ) -> Repair:
        item = ObjectId(group, kind, self.unit.namespace, name)
        return repair(self.held, item, self.unit.records, stop or threading.Event())


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], *, before: bool) -> None:
    """Have something happen once, just before or after the decision about the next repair."""
    pending = [act]

    def deciding(*arguments: Any) -> Any:
        if before and pending:
            pending.pop()()
        works = decide_placed(*arguments)
        if pending:
            pending.pop()()
        return works

    monkeypatch.setattr("weir.flow.repair.decide_placed", deciding)


def in_the_middle_of_a_run(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something happen once, after the plan of a run and before the first write to its record."""
    write, pending = Records.write, [act]

    def writing_record(*arguments: Any, **more: Any) -> str:
        if pending:
            pending.pop()()
        return write(*arguments, **more)

    monkeypatch.setattr(Records, "write", writing_record)
