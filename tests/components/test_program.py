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
from weir.render.substitute import SecretText
from weir.spec.errors import RenderError, SourceError

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


def outputs(monkeypatch: pytest.MonkeyPatch, answer: Any) -> Any:
    """What a thread that renders is told twice when the engine answers so, and how often the engine was asked."""
    asked = []

    async def invoke(token: str, given: dict[str, str]) -> Any:
        asked.append((token, given["name"]))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(pulumi.runtime, "invoke_async", invoke)

    def read(stacks: program.StackOutputs) -> Any:
        try:
            return stacks.read("org/net/prod")
        except RenderError as err:
            return str(err)

    async def ask() -> list[Any]:
        stacks = program.StackOutputs(asyncio.get_running_loop())
        return [await asyncio.to_thread(read, stacks) for _ in range(2)]

    with closing(asyncio.new_event_loop()) as loop:
        found = loop.run_until_complete(ask())
    assert asked == [("pulumi:pulumi:readStackOutputs", "org/net/prod")]
    assert found[0] == found[1]
    return found[0]


def test_outputs_of_another_stack_are_variables_and_its_secrets_stay_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = {"outputs": {"host": "h", "password": SECRET, "no-name": "x"}, "secretOutputNames": ["password"]}
    found: Any = outputs(monkeypatch, answer)
    assert found == {"host": "h", "password": SECRET}
    assert [type(found[key]) for key in ("host", "password")] == [str, SecretText]


def test_stack_that_is_unknown_has_no_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    said = 'invoke of pulumi:pulumi:readStackOutputs failed: unknown stack "org/net/prod"'
    assert outputs(monkeypatch, Exception(said)) is None


def test_outputs_that_cannot_be_read_are_not_taken_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Any = outputs(monkeypatch, Exception(f"invoke failed: HTTP 503 for https://u:{SECRET}@backend"))
    assert found.startswith("StackOutput/org/net/prod: its outputs cannot be read")
    assert SECRET not in found
