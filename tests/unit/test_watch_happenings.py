"""That events cannot be read is said, and for as long as they cannot."""

from __future__ import annotations

from tests.support.stack_view import events
from weir.spec.errors import ClusterError
from weir.spec.event import Event
from weir.watch.happenings import KEPT, Happenings


class Cluster:
    """One whose events cannot be read while it is `away`."""

    def __init__(self) -> None:
        self.now, self.away = 50.0, True

    def read(self) -> list[Event]:
        if self.away:
            raise ClusterError("not allowed to list events")
        return [events()[0]]


def test_why_events_cannot_be_read_is_known_until_they_can_be() -> None:
    cluster = Cluster()
    happenings = Happenings(cluster.read, lambda: cluster.now)
    assert happenings.unread == ""
    assert happenings.latest() == ()
    assert happenings.unread == "not allowed to list events"
    cluster.away = False
    assert happenings.latest() == ()
    assert happenings.unread, "it was not asked again yet"
    cluster.now += KEPT + 1
    assert happenings.latest() == (events()[0],)
    assert happenings.unread == ""
