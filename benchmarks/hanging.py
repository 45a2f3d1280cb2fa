"""B10.hanging: what a source that does not answer costs the other nineteen."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks import content
from benchmarks.session import Clock, Sample, Session
from demo.server import Repository
from tests.support.git_server import GitServer
from tests.support.stack import StackRun, git_repository, kustomization

_HEALTHY: Final = 19
_TIMEOUT: Final = "20s"


def delay(box: Session) -> Mapping[str, Sample]:
    """A commit in each of 19 sources until all are live, while a twentieth hangs; the floor is the same without it."""
    namespace = box.namespace()
    repositories = [box.repository() for _ in range(_HEALTHY)]
    with GitServer(box.folder / f"{namespace}-slow") as slow:
        hanging = slow.repo("hanging")
        hanging.commit({"unit/a.yaml": content.dump([_settings(namespace, "slow", "first")])})
        stack = box.stack(repositories[0], {})
        urls = [f"{box.server.url}/{one.bare.name}" for one in repositories]
        stack.write_objects("bench.yaml", _documents([*urls, hanging.url]))
        _commit(repositories, namespace, "first")
        stack.up().must()
        without = _live(box, stack, repositories, namespace, "without")
        slow.trouble.hang = threading.Event()
        beside = _live(box, stack, repositories, namespace, "beside")
    stack.destroy().must()
    box.drop(namespace)
    return {"B10.hanging": Sample(beside, without, {"more": beside - without})}


def _documents(urls: Sequence[str]) -> list[content.Obj]:
    found: list[content.Obj] = []
    for number, url in enumerate(urls):
        found.append(git_repository(f"s{number}", url, timeout=_TIMEOUT))
        found.append(kustomization(f"u{number}", f"s{number}", "./unit"))
    return found


def _settings(namespace: str, name: str, value: str) -> content.Obj:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"VALUE": value}}


def _commit(repositories: Sequence[Repository], namespace: str, value: str) -> None:
    for number, repository in enumerate(repositories):
        content.write_unit(repository.work / "unit", [_settings(namespace, f"s{number}", value)])
        repository.commit(value)


def _live(
    box: Session, stack: StackRun, repositories: Sequence[Repository], namespace: str, value: str
) -> float:
    """Seconds from the start of `weir up` until a commit in each of these repositories is live."""
    _commit(repositories, namespace, value)
    kind = box.rest.kind("v1", "ConfigMap")

    def look() -> bool:
        items = box.rest.list(kind, namespace=namespace)
        live = [item for item in items if item.get("data", {}).get("VALUE") == value]
        return len(live) == len(repositories)

    with Clock(look, f"{value} in every unit") as clock:
        stack.up()  # which fails for the one that hangs, after its timeout
    return clock.seconds
