"""Following objects on a real API server: everything that happens is told, whatever happens to the connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.kube import Kube as Judge
from tests.support.kube import wait_for
from tests.support.rights import grant, user_of
from tests.support.units import config_map
from weir.edges.kube import following
from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery, Resource
from weir.edges.kube.following import Follower, Place
from weir.edges.kube.kubeconfig import load
from weir.edges.local_cluster import LocalCluster

Obj = dict[str, Any]

MINE = {"mine": "yes"}
WATCH = "watch=1"


@dataclass
class Told:
    """What a follower said, in order, and what is there by its word."""

    events: list[tuple[str, str, str]] = field(default_factory=list)
    """(there or gone, name, data.key)."""
    states: list[str] = field(default_factory=list)
    gone: list[Obj] = field(default_factory=list)
    present: dict[str, str] = field(default_factory=dict)
    follower: Follower | None = None

    def see(self, obj: Obj) -> None:
        name, value = obj["metadata"]["name"], obj["data"]["key"]
        assert (obj["apiVersion"], obj["kind"]) == ("v1", "ConfigMap")
        self.present[name] = value
        self.events.append(("there", name, value))

    def miss(self, obj: Obj) -> None:
        name = obj["metadata"]["name"]
        self.present.pop(name)
        self.events.append(("gone", name, ""))
        self.gone.append(obj)

    def turns(self) -> list[str]:
        """The states without repetitions."""
        return [text for text, _ in groupby(self.states)]


@pytest.fixture
def client(kubeconfig: Path) -> Kube:
    return Kube(load(str(kubeconfig)))


@pytest.fixture
def proxy(kubeconfig: Path, tmp_path: Path) -> Iterator[FaultProxy]:
    with FaultProxy.of_cluster(kubeconfig, tmp_path) as running:
        yield running


@pytest.fixture
def through(proxy: FaultProxy) -> Kube:
    return Kube(load(str(proxy.kubeconfig)))


def threads() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name == "follow configmaps"}


def config_maps(client: Kube) -> Resource:
    return Discovery(client).resource("v1", "ConfigMap")


@contextmanager
def followed(client: Kube, namespace: str, told: Told | None = None, **place: str) -> Iterator[Told]:
    """The test's own ConfigMaps of a namespace, followed; by default once they were listed."""
    said, others = told or Told(), threads()
    covered = Place(resource=config_maps(client), namespace=namespace, **(place or {"selector": "mine=yes"}))
    follower = said.follower = Follower(
        kube=client, place=covered, on_object=said.see, on_gone=said.miss, on_state=said.states.append
    )
    follower.start()
    try:
        if told is None:
            assert follower.listed.wait(20)
        yield said
    finally:
        follower.end()
        for thread in threads() - others:
            thread.join(5)
        assert threads() <= others


def put(kube: Judge, namespace: str, name: str, value: str = "1") -> None:
    kube.apply(config_map(namespace, name, {"key": value}, labels=MINE))


def actual(kube: Judge, namespace: str) -> dict[str, str]:
    """What is there, by another client."""
    found = kube.list("v1", "ConfigMap", namespace, "mine=yes")
    return {obj["metadata"]["name"]: obj["data"]["key"] for obj in found}


def converge(told: Told, kube: Judge, namespace: str, seconds: float = 20) -> None:
    wanted = actual(kube, namespace)
    wait_for(lambda: told.present == wanted, seconds=seconds, every=0.01)


def test_everything_is_told_once_and_idleness_costs_nothing(
    proxy: FaultProxy, through: Kube, kube: Judge, namespace: str
) -> None:
    put(kube, namespace, "a")
    put(kube, namespace, "b")
    with followed(through, namespace) as told:
        put(kube, namespace, "c")
        put(kube, namespace, "a", "2")
        kube.delete("v1", "ConfigMap", "b", namespace)
        put(kube, namespace, "b", "new")
        wait_for(lambda: len(told.events) == 6, every=0.01)
        time.sleep(0.3)
        assert told.events == [
            ("there", "a", "1"),
            ("there", "b", "1"),
            ("there", "c", "1"),
            ("there", "a", "2"),
            ("gone", "b", ""),
            ("there", "b", "new"),
        ]
        assert told.turns() == [""]
        asked = [one.path for one in proxy.seen if "/configmaps" in one.path]
        assert [WATCH in path for path in asked] == [False, True]


def test_news_come_within_moments(client: Kube, kube: Judge, namespace: str) -> None:
    with followed(client, namespace) as told:
        put(kube, namespace, "first")
        wait_for(lambda: told.present, every=0.005)
        began = time.monotonic()
        put(kube, namespace, "a")
        wait_for(lambda: "a" in told.present, every=0.005)
        assert time.monotonic() - began < 10, "it did not wait for the end of a silence"


def test_a_label_that_is_taken_away_counts_as_gone(client: Kube, kube: Judge, namespace: str) -> None:
    put(kube, namespace, "a")
    with followed(client, namespace) as told:
        kube.patch("v1", "ConfigMap", "a", namespace, {"metadata": {"labels": {"mine": None}}})
        wait_for(lambda: told.gone)
        assert told.present == {}
        kube.patch("v1", "ConfigMap", "a", namespace, {"metadata": {"labels": MINE}})
        wait_for(lambda: told.present == {"a": "1"})


def test_one_object_by_its_name(client: Kube, kube: Judge, namespace: str) -> None:
    put(kube, namespace, "other")
    with followed(client, namespace, name="a") as told:
        put(kube, namespace, "other", "2")
        put(kube, namespace, "a")
        wait_for(lambda: told.present == {"a": "1"})
        kube.delete("v1", "ConfigMap", "a", namespace)
        wait_for(lambda: told.gone)
        assert {name for _, name, _ in told.events} == {"a"}


def test_many_objects_are_read_page_by_page(
    client: Kube, kube: Judge, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_PAGE", 2)
    for name in "abcde":
        put(kube, namespace, name)
    with followed(client, namespace) as told:
        assert told.events == [("there", name, "1") for name in "abcde"]
        kube.delete("v1", "ConfigMap", "e", namespace)
        converge(told, kube, namespace)


def test_nothing_is_missed_when_connections_are_cut_again_and_again(
    proxy: FaultProxy, through: Kube, kube: Judge, namespace: str
) -> None:
    cut = Fault(path=WATCH, cut_after=1500, times=3)
    proxy.faults.append(cut)
    with followed(through, namespace) as told:
        for number in range(24):
            put(kube, namespace, f"cm-{number % 8}", str(number))
            if number % 5 == 4:
                kube.delete("v1", "ConfigMap", f"cm-{number % 8}", namespace)
            time.sleep(0.05)
        wait_for(lambda: cut.times == 0)
        put(kube, namespace, "last")
        converge(told, kube, namespace)


def test_an_outage_is_told_once_and_nothing_of_it_is_missed(
    proxy: FaultProxy, through: Kube, kube: Judge, namespace: str
) -> None:
    put(kube, namespace, "a")
    put(kube, namespace, "b")
    with followed(through, namespace) as told:
        wait_for(lambda: told.states)
        proxy.down = True
        put(kube, namespace, "a", "2")
        wait_for(lambda: told.turns()[1:])
        kube.delete("v1", "ConfigMap", "b", namespace)
        put(kube, namespace, "c")
        time.sleep(1.5)
        proxy.down = False
        converge(told, kube, namespace)
        wait_for(lambda: told.states[-1] == "")
        first, problem, last = told.turns()
        assert (first, last) == ("", "")
        assert "cannot be reached" in problem


@pytest.mark.slow
def test_a_restart_of_the_server_is_survived(
    control_plane: LocalCluster, client: Kube, kube: Judge, namespace: str
) -> None:
    put(kube, namespace, "a")
    with followed(client, namespace) as told:
        control_plane.stop_apiserver()
        control_plane.start_apiserver()
        put(kube, namespace, "a", "2")
        put(kube, namespace, "b")
        converge(told, kube, namespace, seconds=60)


def test_a_version_that_is_too_old_lists_again_and_tells_what_is_missing(
    proxy: FaultProxy, through: Kube, kube: Judge, namespace: str
) -> None:
    put(kube, namespace, "a")
    put(kube, namespace, "b")
    proxy.faults += [Fault(path=WATCH, cut_after=1, times=1), Fault(path=WATCH, status=410, times=1)]
    with followed(through, namespace) as told:
        kube.delete("v1", "ConfigMap", "b", namespace)
        wait_for(lambda: told.gone)
        assert told.events == [
            (kind, name, value)
            for kind, name, value in (
                ("there", "a", "1"),
                ("there", "b", "1"),
                ("there", "a", "1"),
                ("gone", "b", ""),
            )
        ]
        assert told.gone == [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": namespace}}
        ]
        put(kube, namespace, "c")
        converge(told, kube, namespace)
        assert not [text for text in told.states if "injected" in text]


def test_the_servers_own_refusal_of_an_old_version_lists_again(
    client: Kube, kube: Judge, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = iter(["1"])
    listing = Follower._list
    monkeypatch.setattr(Follower, "_list", lambda self: next(versions, listing(self)))
    put(kube, namespace, "a")
    with followed(client, namespace) as told:
        wait_for(lambda: told.events == [("there", "a", "1")] * 2)
        put(kube, namespace, "b")
        converge(told, kube, namespace)
        assert told.turns() == [""]


def test_a_connection_that_says_nothing_is_given_up(
    proxy: FaultProxy, through: Kube, kube: Judge, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SILENCE_SECONDS", 3.0)
    proxy.faults.append(Fault(path=WATCH, stall=threading.Event(), times=1))
    with followed(through, namespace) as told:
        put(kube, namespace, "a")
        wait_for(lambda: told.present == {"a": "1"}, seconds=30)


def test_relist_tells_everything_once_more(client: Kube, kube: Judge, namespace: str) -> None:
    put(kube, namespace, "a")
    put(kube, namespace, "b")
    with followed(client, namespace) as told:
        assert told.follower
        put(kube, namespace, "c")
        wait_for(lambda: len(told.events) == 3)
        told.follower.relist()
        wait_for(lambda: len(told.events) == 6)
        assert told.events[3:] == [("there", name, "1") for name in "abc"]
        put(kube, namespace, "d")
        converge(told, kube, namespace)
        assert told.turns() == [""]


def test_a_relist_during_a_list_is_not_forgotten(client: Kube, kube: Judge, namespace: str) -> None:
    put(kube, namespace, "a")
    listing, go_on = threading.Event(), threading.Event()

    class Slow(Told):
        def see(self, obj: Obj) -> None:
            super().see(obj)
            listing.set()
            assert go_on.wait(20)

    with followed(client, namespace, Slow()) as told:
        assert listing.wait(20)
        assert told.follower
        told.follower.relist()
        go_on.set()
        wait_for(lambda: told.events == [("there", "a", "1")] * 2)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(None, id="watching"),
        pytest.param(Fault(path=WATCH, stall=threading.Event()), id="half-open"),
        pytest.param(Fault(path="/configmaps", status=403), id="refused"),
        pytest.param(Fault(path="/configmaps", drop=True), id="unreachable"),
    ],
)
def test_end_ends_the_thread_at_once(
    proxy: FaultProxy,
    through: Kube,
    kube: Judge,
    namespace: str,
    fault: Fault | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("weir.edges.kube.following.random.uniform", lambda *_: 100.0)
    proxy.faults += [fault] if fault else []
    others = threads()
    with followed(through, namespace, Told()) as told:
        assert told.follower
        wait_for(lambda: [one for one in proxy.seen if one.spoiled or WATCH in one.path])
        time.sleep(0.3)
        began = time.monotonic()
        told.follower.end()
        for thread in threads() - others:
            thread.join(20)
        assert time.monotonic() - began < 10, "it waits for no answer and no pause"
    before = list(told.events)
    put(kube, namespace, "late")
    time.sleep(0.1)
    assert told.events == before


def test_a_refusal_is_told_and_heals_when_allowed(client: Kube, kube: Judge, namespace: str) -> None:
    put(kube, namespace, "a")
    tenant = client.acting_as(user_of(namespace))
    with followed(tenant, namespace) as told:
        wait_for(lambda: told.states)
        assert "cannot list resource" in told.states[-1]
        assert told.events == []
        grant(kube, namespace, "list", "watch")
        converge(told, kube, namespace)
        wait_for(lambda: told.states[-1] == "")
        assert len(told.turns()) == 2
        put(kube, namespace, "b")
        converge(told, kube, namespace)


def test_who_may_list_but_not_watch_is_told_so_and_does_not_burden_the_server(
    proxy: FaultProxy, through: Kube, kube: Judge, namespace: str
) -> None:
    put(kube, namespace, "a")
    grant(kube, namespace, "list")
    tenant = through.acting_as(user_of(namespace))
    with followed(tenant, namespace) as told:
        began = time.monotonic()
        wait_for(lambda: "cannot watch resource" in "".join(told.states))
        time.sleep(max(began + 2.5 - time.monotonic(), 0))
        asked = [one for one in proxy.seen if "/configmaps" in one.path and WATCH not in one.path]
        assert len(asked) <= 4
        assert told.present == {"a": "1"}
        assert "cannot watch resource" in told.states[-1]
        assert len(told.turns()) <= 2
        grant(kube, namespace, "watch")
        wait_for(lambda: told.states[-1] == "")
        put(kube, namespace, "b")
        converge(told, kube, namespace)
