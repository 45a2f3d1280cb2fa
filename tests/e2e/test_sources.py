"""Many sources: a dead one costs its own timeout and nobody else's."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.support.git_server import GitServer, Repo
from tests.support.stack import git_repository, kustomization
from tests.support.world import Obj, World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

HEALTHY = 19


def commit(world: World, repos: list[Repo], value: str) -> None:
    for number, repo in enumerate(repos):
        obj = config_map(world.namespace, f"app-{number:02}", VALUE=value)
        text = "\n".join(f"{key}: {_inline(item)}" for key, item in obj.items())
        repo.commit({"app/a.yaml": text})


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_inline(item)}" for key, item in value.items()) + "}"
    return f'"{value}"'


def seconds_until_live(world: World, value: str) -> float:
    """Run `up`; seconds until the units of all healthy sources are live."""
    begin = time.monotonic()
    process = threading.Thread(target=world.stack.up)
    process.start()
    kind = world.rest.kind("v1", "ConfigMap")
    while True:
        items = world.rest.list(kind, namespace=world.namespace)
        if sum(item.get("data", {}).get("VALUE") == value for item in items) >= HEALTHY:
            break
        assert time.monotonic() - begin < 60, "the units of the healthy sources are not live after a minute"
        time.sleep(0.05)
    seconds = time.monotonic() - begin
    process.join()
    return seconds


def documents(world: World, repos: list[Repo], hanging: Repo) -> list[Obj]:
    found: list[Obj] = []
    for name, repo in [*((f"app-{n:02}", repo) for n, repo in enumerate(repos)), ("hanging", hanging)]:
        found.append(git_repository(name, repo.url, namespace=world.flux, timeout="8s"))
        found.append(kustomization(name, name, "./app", namespace=world.flux))
    return found


def more_seconds(world: World, repos: list[Repo], slow: GitServer, word: str) -> float:
    """What a server that hangs costs the others: two runs, one right after the other, first without that."""
    if slow.trouble.hang:
        slow.trouble.hang.set()
        slow.trouble.hang = None
    commit(world, repos, f"{word} without")
    without = seconds_until_live(world, f"{word} without")
    slow.trouble.hang = threading.Event()
    commit(world, repos, f"{word} beside")
    return seconds_until_live(world, f"{word} beside") - without


@pytest.mark.slow
def test_one_hanging_source_of_twenty_delays_nobody(world: World, tmp_path: Path) -> None:
    repos = [world.server.repo(f"app-{number:02}") for number in range(HEALTHY)]
    with GitServer(tmp_path / "slow") as slow:
        hanging = slow.repo("hanging")
        hanging.commit(
            {
                "app/a.yaml": "apiVersion: v1\nkind: ConfigMap\n"
                f"metadata: {{name: slow, namespace: {world.namespace}}}\n"
            }
        )
        world.stack.write_objects("stack.yaml", documents(world, repos, hanging))
        commit(world, repos, "first")
        seconds_until_live(world, "first")
        uid = world.live("v1", "ConfigMap", "slow")["metadata"]["uid"]
        pairs = (more_seconds(world, repos, slow, word) for word in ("second", "third", "fourth"))
        assert any(more < 1.0 for more in pairs), "it delays the others"
        assert world.live("v1", "ConfigMap", "slow")["metadata"]["uid"] == uid
