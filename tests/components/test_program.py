"""The program as its user sees it when the look ahead ends early."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from components import program
from weir.flow.outcome import Problem
from weir.spec.errors import SourceError

SECRET = "hunter2-hunter2"


class Ahead:
    """A look ahead that fails with its first unit."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def outcomes(self, _: object) -> Iterator[Any]:
        yield from ()
        raise self.error


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(pulumi.log, "debug", lines.append)
    monkeypatch.setattr(program, "tidy", lambda _: None)
    return lines


def produced(error: Exception) -> list[Any]:
    """What the look ahead hands over until it ends."""
    session: Any = SimpleNamespace(ahead=Ahead(error), store=None)
    registry: Any = None

    async def read() -> list[Any]:
        queue = program._produce(session, registry)
        return [await queue.get(), await queue.get()]

    with closing(asyncio.new_event_loop()) as loop:
        found = loop.run_until_complete(asyncio.wait_for(read(), 20))
    for thread in [one for one in threading.enumerate() if one.name == "ahead"]:
        thread.join(20)  # it tidies after its last word
    return found


def test_an_unexpected_error_is_shown_by_its_type_alone(logged: list[str]) -> None:
    error = ValueError(f"no number: {SECRET}")
    error.__cause__ = KeyError(SECRET)
    problem = Problem(
        "stack", "the look ahead ended early: unexpected ValueError; run again with --debug for details"
    )
    assert produced(error) == [problem, None]
    (frames,) = logged
    assert "in outcomes" in frames
    assert SECRET not in frames


@pytest.mark.usefixtures("logged")
def test_an_error_of_its_own_says_what_it_says() -> None:
    problem = Problem("stack", "the look ahead ended early: fleet: no answer; try again")
    assert produced(SourceError("fleet: no answer", hint="try again")) == [problem, None]
