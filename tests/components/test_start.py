"""The program's first step: what its user sees when the plugin, or the stack's settings, are no good."""

from __future__ import annotations

from typing import Any

import grpc
import pulumi
import pytest
from pulumi.runtime import set_mocks
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

from components import program
from components.start import READY, start


class NoPluginError(grpc.RpcError):  # type: ignore[misc] # grpc has no types
    """What the engine answers about a plugin that does not start."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return "could not load plugin for weir"


class Plugin(Mocks):
    """Notes what it is asked for, and answers or does not start."""

    def __init__(self, *, starts: bool) -> None:
        self.starts = starts
        self.asked: list[str] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        raise AssertionError(args.name)

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        self.asked.append(args.token)
        if not self.starts:
            raise NoPluginError
        return {}, []


def begin() -> None:
    """The first step as the engine's language host runs it, which ends with errors of calls that nobody minded."""
    test: Any = pulumi.runtime.test
    test(start)()


@pytest.mark.parametrize("starts", [True, False])
def test_the_stack_is_declared_whether_or_not_the_plugin_starts(
    monkeypatch: pytest.MonkeyPatch, *, starts: bool
) -> None:
    plugin = Plugin(starts=starts)
    set_mocks(plugin, project="weir", stack="test")
    declared: list[str] = []

    async def declare() -> None:
        declared.append("declared")

    monkeypatch.setattr(program, "declare", declare)
    begin()
    assert declared == ["declared"]
    assert plugin.asked == [READY]


@pytest.mark.parametrize("starts", [True, False])
def test_settings_that_are_no_good_are_what_the_user_reads(
    monkeypatch: pytest.MonkeyPatch, *, starts: bool
) -> None:
    set_mocks(Plugin(starts=starts), project="weir", stack="test")
    monkeypatch.setenv("PULUMI_CONFIG", "{}")
    with pytest.raises(pulumi.RunError, match="exactly one of weir:objects and weir:source"):
        begin()
