"""Pulumi's mocks for components: nothing is created, and what is registered can be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pulumi
from pulumi.runtime import set_mocks
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks


class Echo(Mocks):
    """Every resource's state is its inputs."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return f"{args.name}-id", args.inputs

    def call(
        self,
        args: MockCallArgs,  # noqa: ARG002 - the signature is the SDK's
    ) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None


def registered(
    build: Callable[[], object], project: str, config: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """The state of every resource that `build` registers, by the last part of its URN: types and name."""
    monitor = MockMonitor(Echo())
    set_mocks(Echo(), project=project, stack="test", monitor=monitor)
    for key, value in (config or {}).items():
        pulumi.runtime.set_config(key, value)
    test: Any = pulumi.runtime.test
    test(build)()
    found = monitor.get_registered_resources()
    return {urn.split("::", 2)[2]: item.state for urn, item in found.items()}
