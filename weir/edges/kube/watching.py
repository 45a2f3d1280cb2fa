"""Wait until objects are what they should be: one LIST and then one WATCH per kind and namespace."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Resource
from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.reading import read_live
from weir.spec.errors import StopRequested, WeirError
from weir.spec.identity import ObjectId

Obj = dict[str, Any]

_WATCH_SECONDS: Final = 30
"""A watch is asked to end after this and everything is read again, so a dead connection costs no more."""
_SLACK: Final = 10.0
_MOST_WATCHES: Final = 24
"""Threads; kinds beyond it are read again and again."""
_POLL_SECONDS: Final = 2.0
_TICK: Final = 0.2
_PAUSE: Final = 1.0


class Judgement(Protocol):
    """What a health rule says of one object."""

    @property
    def status(self) -> str:
        """`Current`, `InProgress`, `Failed` or `NotFound`."""
        ...

    @property
    def message(self) -> str:
        """Why."""
        ...


IsReady = Callable[[ObjectId, Obj | None], Judgement]


@dataclass(slots=True)
class _Wait:
    """One wait: news come in from watching threads, judgements are made here."""

    kube: Kube
    wanted: Mapping[ObjectId, Resource]
    is_ready: IsReady
    news: queue.SimpleQueue[tuple[ObjectId, Obj | None] | WeirError] = field(
        default_factory=queue.SimpleQueue
    )
    open: list[Any] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def watch(self, resource: Resource, namespace: str, items: Mapping[str, ObjectId]) -> None:
        """Report every change of these objects until the wait ends. Runs in its own thread."""
        may_watch = "watch" in resource.verbs
        while not self.ended.is_set():
            try:
                version = self._list(resource, namespace, items)
                if may_watch:
                    self._follow(resource, namespace, items, version)
                else:
                    self.ended.wait(_POLL_SECONDS)
            except KubeStatusError as err:
                may_watch = may_watch and err.status not in (403, 405)
                if err.status not in (403, 405, 410):
                    self.news.put(err)
                self.ended.wait(_PAUSE)
            except WeirError as err:
                self.news.put(err)
                self.ended.wait(_PAUSE)

    def _query(self, items: Mapping[str, ObjectId]) -> dict[str, str]:
        return {"fieldSelector": f"metadata.name={next(iter(items))}"} if len(items) == 1 else {}

    def _list(self, resource: Resource, namespace: str, items: Mapping[str, ObjectId]) -> str:
        answer = self.kube.request("GET", resource.path(namespace), urlencode(self._query(items)))
        found = {}
        for obj in answer.get("items") or ():
            obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
            found[obj["metadata"]["name"]] = obj
        for name, item in items.items():
            self.news.put((item, found.get(name)))
        return str(answer["metadata"]["resourceVersion"])

    def _follow(
        self, resource: Resource, namespace: str, items: Mapping[str, ObjectId], version: str
    ) -> None:
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
            "resourceVersion": version,
            **self._query(items),
        }
        path, timeout = resource.path(namespace), _WATCH_SECONDS + _SLACK
        events = self.kube.stream(path, urlencode(query), timeout=timeout, on_open=self.open)
        if self.ended.is_set():
            # it ended while the connection was made, when there was nothing to hang up on yet
            Kube.hang_up(self.open)
        for event in events:
            if self.ended.is_set():
                return
            obj = event.get("object") or {}
            if event.get("type") == "ERROR":
                return
            item = items.get((obj.get("metadata") or {}).get("name", ""))
            if item is not None and event.get("type") != "BOOKMARK":
                self.news.put((item, None if event["type"] == "DELETED" else obj))


def wait_ready(
    kube: Kube,
    wanted: Mapping[ObjectId, Resource],
    is_ready: IsReady,
    *,
    timeout: float,
    stop: threading.Event,
    on_progress: Callable[[Mapping[ObjectId, Judgement]], None] = lambda _: None,
) -> Mapping[ObjectId, Judgement]:
    """The last judgement of every object: returns as soon as all are `Current`, one is `Failed`, or time is up.

    `timeout` in seconds. A server that goes away meanwhile is waited for within the timeout; the caller tells a
    timeout by judgements that are not `Current`.

    Raises:
        StopRequested: `stop` was set; within a second.
        KubeStatusError, ClusterError: the first reading failed.
    """
    deadline = time.monotonic() + timeout
    live = read_live(kube.until(stop), wanted, stop=stop)
    verdicts = {item: is_ready(item, live.get(item)) for item in wanted}
    on_progress(verdicts)
    pending = {item for item, verdict in verdicts.items() if verdict.status != "Current"}
    if not pending or any(verdict.status == "Failed" for verdict in verdicts.values()):
        return verdicts
    state = _Wait(kube, wanted, is_ready)
    threads = _start(state, pending)
    try:
        _collect(state, verdicts, deadline, stop, on_progress)
    finally:
        state.ended.set()
        Kube.hang_up(state.open)
        for thread in threads:
            thread.join(_PAUSE)
    return verdicts


def _start(state: _Wait, pending: Iterable[ObjectId]) -> list[threading.Thread]:
    """One watch per kind and namespace, at most so many; what is beyond that is polled."""
    groups: dict[tuple[Resource, str], dict[str, ObjectId]] = {}
    for item in pending:
        groups.setdefault((state.wanted[item], item.namespace), {})[item.name] = item
    threads = [
        threading.Thread(
            target=state.watch, args=(resource, space, items), daemon=True, name=f"watch {resource.plural}"
        )
        for (resource, space), items in list(groups.items())[:_MOST_WATCHES]
    ]
    rest = {
        item: state.wanted[item] for items in list(groups.values())[_MOST_WATCHES:] for item in items.values()
    }
    if rest:
        threads.append(threading.Thread(target=_poll, args=(state, rest), daemon=True, name="poll the rest"))
    for thread in threads:
        thread.start()
    return threads


def _poll(state: _Wait, wanted: Mapping[ObjectId, Resource]) -> None:
    while not state.ended.wait(_POLL_SECONDS):
        try:
            live = read_live(state.kube, wanted)
        except WeirError as err:
            state.news.put(err)
            continue
        for item in wanted:
            state.news.put((item, live.get(item)))


def _collect(
    state: _Wait,
    verdicts: dict[ObjectId, Judgement],
    deadline: float,
    stop: threading.Event,
    on_progress: Callable[[Mapping[ObjectId, Judgement]], None],
) -> None:
    """Judge news until nothing is pending, something failed or time is up."""
    while time.monotonic() < deadline:
        if stop.is_set():
            raise StopRequested(
                "the run was cancelled while it waited for health", hint="run again to finish"
            )
        try:
            found = state.news.get(timeout=_TICK)
        except queue.Empty:
            continue
        if isinstance(found, KubeStatusError) and found.status in (401, 404):
            raise found
        if isinstance(found, WeirError):
            continue
        item, obj = found
        before, after = verdicts[item], state.is_ready(item, obj)
        verdicts[item] = after
        if (before.status, before.message) != (after.status, after.message):
            on_progress(verdicts)
        if after.status == "Failed" or all(verdict.status == "Current" for verdict in verdicts.values()):
            return


def wait_absent(
    kube: Kube,
    wanted: Mapping[ObjectId, Resource],
    uids: Mapping[ObjectId, str],
    *,
    timeout: float,
    stop: threading.Event,
) -> Mapping[ObjectId, Obj]:
    """Those objects, by uid, that are still there after at most `timeout` seconds; empty when all are gone.

    Raises:
        StopRequested: `stop` was set.
        KubeStatusError, ClusterError: the server refused or cannot be reached.
    """
    deadline, pause = time.monotonic() + timeout, 0.05
    left: dict[ObjectId, Obj] = {}
    todo = dict(wanted)
    while True:
        live = read_live(kube.until(stop), todo, stop=stop)
        left = {item: obj for item, obj in live.items() if obj["metadata"]["uid"] == uids[item]}
        if not left or time.monotonic() + pause > deadline:
            return left
        todo = {item: wanted[item] for item in left}
        if stop.wait(pause):
            raise StopRequested(
                "the run was cancelled while it waited for deletions", hint="run again to finish"
            )
        pause = min(pause * 1.6, 1.0)
