"""Events for pages: read seldom, kept through an outage, bounded."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tests.support.stack_view import events
from weir.spec.errors import ClusterError
from weir.spec.event import Event
from weir.watch.happenings import KEPT, MOST, Happenings


class Cluster:
    def __init__(self, *found: Event) -> None:
        self.found, self.reads, self.now, self.away = list(found), 0, 50.0, False
        self.took = 0.0
        """Seconds that a read takes."""
        self.asked, self.answers = threading.Event(), threading.Event()
        """A read began; it ends."""
        self.answers.set()

    def read(self) -> list[Event]:
        self.reads += 1
        self.now += self.took
        self.asked.set()
        self.answers.wait()
        if self.away:
            raise ClusterError("away")
        return self.found


def test_the_latest_come_first_and_are_read_once_in_a_while() -> None:
    oldest, *_, newest = events()
    cluster = Cluster(oldest, newest)
    happenings = Happenings(cluster.read, lambda: cluster.now)
    assert happenings.latest() == (newest, oldest)
    cluster.now += KEPT
    assert happenings.latest() == (newest, oldest)
    assert cluster.reads == 1
    cluster.now += 0.1
    cluster.found.append(oldest)
    assert happenings.latest() == (oldest, newest, oldest)


def test_what_was_known_stays_while_the_cluster_is_away_and_it_is_not_hammered() -> None:
    cluster = Cluster(events()[0])
    happenings = Happenings(cluster.read, lambda: cluster.now)
    known = happenings.latest()
    cluster.away = True
    cluster.now += KEPT + 1
    assert [happenings.latest() for _ in range(3)] == [known] * 3
    assert cluster.reads == 2


def test_only_the_latest_of_many_are_kept() -> None:
    many = [replace(events()[0], message=str(number)) for number in range(MOST + 5)]
    assert [one.message for one in Happenings(Cluster(*many).read).latest()][:: MOST - 1] == [
        str(MOST + 4),
        "5",
    ]


def test_a_cluster_that_is_slow_to_fail_gets_as_long_a_rest_as_another() -> None:
    cluster = Cluster()
    cluster.away, cluster.took = True, KEPT * 3
    happenings = Happenings(cluster.read, lambda: cluster.now)
    assert [happenings.latest() for _ in range(5)] == [()] * 5
    assert cluster.reads == 1


def test_nobody_waits_for_a_read_of_somebody_else() -> None:
    cluster = Cluster()
    happenings = Happenings(cluster.read, lambda: cluster.now)
    with ThreadPoolExecutor() as pool:
        try:
            for found, known, unread in (
                (events()[:1], (), "the cluster has not answered yet"),
                (events()[:2], events()[:1], ""),
            ):
                cluster.found = [*reversed(found)]
                cluster.now += KEPT + 1
                cluster.asked.clear()
                cluster.answers.clear()
                first = pool.submit(happenings.latest)
                assert cluster.asked.wait(60)
                assert pool.submit(happenings.latest).result(60) == known
                assert happenings.unread == unread
                cluster.answers.set()
                assert first.result(60) == found
                assert happenings.unread == ""
        finally:
            cluster.answers.set()
    assert cluster.reads == 2
