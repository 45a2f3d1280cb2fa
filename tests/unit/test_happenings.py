"""Events for pages: read seldom, kept through an outage, bounded."""

from __future__ import annotations

from dataclasses import replace

from tests.support.stack_view import events
from weir.spec.errors import ClusterError
from weir.spec.event import Event
from weir.watch.happenings import KEPT, MOST, Happenings


class Cluster:
    def __init__(self, *found: Event) -> None:
        self.found, self.reads, self.now, self.away = list(found), 0, 50.0, False

    def read(self) -> list[Event]:
        self.reads += 1
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
