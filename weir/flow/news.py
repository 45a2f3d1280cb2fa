"""What changes in the cluster while somebody looks on."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Generator
from typing import Any, Final

from weir.edges.kube.client import Kube
from weir.edges.kube.events import read_events
from weir.edges.kube.following import Follower, Place, record_place
from weir.edges.kube.records import stored_of
from weir.flow.clusters import Clusters
from weir.spec.errors import WeirError
from weir.spec.event import Event
from weir.spec.record import UnitRecord
from weir.spec.stack import StackConfig

Obj = dict[str, Any]

_TICK: Final = 0.5
_POLL: Final = 2.0
"""Seconds between two looks at the events, which are few: the cluster forgets them after an hour."""


def follow(kube: Kube, place: Place, on_trouble: Callable[[str], None]) -> Generator[Obj, None, None]:
    """Every object of a place, then each one that changes, for as long as somebody takes them.

    `on_trouble` hears why they cannot be followed for now.
    """
    found: queue.SimpleQueue[Obj | str] = queue.SimpleQueue()
    follower = Follower(kube, place, found.put, lambda _: None, found.put)
    follower.start()
    try:
        while True:
            try:
                news = found.get(timeout=_TICK)
            except queue.Empty:
                continue
            if not isinstance(news, str):
                yield news
            elif news:
                on_trouble(news)
    finally:
        follower.end()


def follow_records(
    clusters: Clusters, config: StackConfig, on_trouble: Callable[[str], None]
) -> Generator[UnitRecord, None, None]:
    """The record of every unit of a stack, then each one that changes. Raises ClusterError for a damaged one."""
    place = record_place(clusters.records)
    with contextlib.closing(follow(clusters.main, place, on_trouble)) as objects:
        for obj in objects:
            record = stored_of(obj).record
            if record.stack == config.name:
                yield record


def follow_events(
    clusters: Clusters, config: StackConfig, on_trouble: Callable[[str], None]
) -> Generator[Event, None, None]:
    """The events of a stack that the cluster still keeps, the oldest first, then each one that comes or comes again."""
    known: set[tuple[str, ...]] = set()
    while True:
        try:
            found = read_events(clusters.main, config.cluster.record_namespace, config.name)
        except WeirError as err:
            on_trouble(str(err))
        else:
            fresh = {(str(one.unit), one.reason, one.message, one.at): one for one in found}
            yield from (one for key, one in fresh.items() if key not in known)
            known = set(fresh)
        time.sleep(_POLL)
