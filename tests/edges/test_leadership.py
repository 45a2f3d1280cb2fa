"""Several watchers, one leader: who leads, who takes over, and who stops in time. Real leases, real seconds."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.kube import Kube as Judge
from tests.support.kube import wait_for
from weir.edges.kube.client import Kube
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.lease import Lease
from weir.edges.slots import Slots
from weir.spec.errors import ClusterError
from weir.watch.leadership import Leadership

DURATION = 2


@dataclass
class Wire:
    """A client whose connection can be cut."""

    kube: Kube
    cut: threading.Event = field(default_factory=threading.Event)

    def in_a_hurry(self, seconds: float) -> Wire:
        self.kube = self.kube.in_a_hurry(seconds)
        return self

    def request(self, *call: Any) -> Any:
        if self.cut.is_set():
            raise ClusterError("the cable is cut")
        return self.kube.request(*call)


@pytest.fixture
def wires(kubeconfig: Path) -> list[Wire]:
    return [Wire(Kube(load(str(kubeconfig)))) for _ in range(2)]


def leadership(
    wire: Wire,
    namespace: str,
    holder: str,
    stack: str = "a",
    slots: Slots | None = None,
    duration: int = DURATION,
) -> Leadership:
    kube: Any = wire
    return Leadership(Lease(kube, namespace, f"weir-watch-{stack}", holder, duration), slots)


def test_one_leads_and_the_other_follows_when_it_leaves(
    wires: list[Wire], kube: Judge, namespace: str
) -> None:
    stop = threading.Event()
    duration = 3 * DURATION
    with leadership(wires[0], namespace, "one", duration=duration) as one:
        assert one.wait(stop)
        with leadership(wires[1], namespace, "two", duration=duration) as two:
            time.sleep(duration + 0.5)
            wait_for(one.is_leader)
            assert not two.is_leader()
            assert (one.leader, two.leader) == ("one", "one")
            stop.set()
            assert not two.wait(stop)
            token = one.token
            one.__exit__(None, None, None)
            lease = kube.get("coordination.k8s.io/v1", "Lease", "weir-watch-a", namespace)
            assert lease is not None
            assert lease["spec"]["holderIdentity"] != "one", "it was given up, not waited for"
            assert two.wait(threading.Event())
            assert two.token > token
            assert not one.is_leader()
    assert not two.is_leader()


def test_a_leader_without_a_cluster_stops_before_another_leads(wires: list[Wire], namespace: str) -> None:
    duration = 3 * DURATION
    with leadership(wires[0], namespace, "one", duration=duration) as one:
        assert one.wait(threading.Event())
        with leadership(wires[1], namespace, "two", duration=duration) as two:
            wait_for(lambda: two.leader == "one", seconds=60)
            wires[0].cut.set()
            wait_for(lambda: not one.is_leader(), seconds=60, every=0.01)
            assert not two.is_leader(), "it led while the other still did"
            wait_for(two.is_leader, seconds=60)
            wires[0].cut.clear()
            wait_for(lambda: one.leader == "two", seconds=60)
            assert not one.is_leader()


def test_why_there_is_no_leader_is_told(wires: list[Wire], namespace: str) -> None:
    wires[0].cut.set()
    with leadership(wires[0], namespace, "one") as one:
        wait_for(lambda: one.problem, seconds=60)
        assert "the cable is cut" in one.problem
        wires[0].cut.clear()
        assert one.wait(threading.Event())
        wait_for(lambda: not one.problem)


@pytest.mark.slow
def test_stacks_are_shared_among_replicas_and_taken_over_when_one_ends(
    wires: list[Wire], namespace: str, tmp_path: Path
) -> None:
    stacks = "abcd"
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    with contextlib.ExitStack() as first:
        with contextlib.ExitStack() as second:
            slots = [Slots.make(folder, 2) for folder in folders]
            replicas = [
                [
                    place.enter_context(
                        leadership(wire, namespace, f"replica-{number}-{stack}", stack, own, 3 * DURATION)
                    )
                    for stack in stacks
                ]
                for number, (place, wire, own) in enumerate(zip((first, second), wires, slots, strict=True))
            ]
            wait_for(lambda: sum(one.is_leader() for row in replicas for one in row) == 4, seconds=30)
            assert [sum(one.is_leader() for one in row) for row in replicas] == [2, 2]
        wait_for(lambda: all(one.is_leader() for one in replicas[0]), seconds=30)
