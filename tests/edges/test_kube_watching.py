"""Waiting for objects on a real API server, and reading them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.kube import Kube as Judge
from tests.support.units import config_map, deployment
from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery, Resource
from weir.edges.kube.errors import KubeStatusError, UnknownKindError
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.reading import list_objects, read_live
from weir.edges.kube.watching import wait_ready
from weir.objects.health import Health, health
from weir.spec.errors import ClusterError, StopRequested
from weir.spec.identity import ObjectId


@pytest.fixture
def client(kubeconfig: Path) -> Kube:
    return Kube(load(str(kubeconfig)))


@pytest.fixture
def proxy(kubeconfig: Path, tmp_path: Path) -> Iterator[FaultProxy]:
    with FaultProxy.of_cluster(kubeconfig, tmp_path) as running:
        yield running


def wanted(client: Kube, namespace: str, *names: str, kind: str = "ConfigMap") -> dict[ObjectId, Resource]:
    version = "apps/v1" if kind == "Deployment" else "v1"
    resource = Discovery(client).resource(version, kind)
    return {ObjectId(resource.group, kind, namespace, name): resource for name in names}


def by_data(_: ObjectId, live: Any) -> Health:
    if live is None:
        return Health("NotFound", "not there")
    state = live["data"].get("state", "")
    return Health(
        {"done": "Current", "bad": "Failed"}.get(state, "InProgress"),  # type: ignore[arg-type]
        f"state is {state}",
    )


def later(seconds: float, act: Any) -> None:
    threading.Timer(seconds, act).start()


def test_deployment_is_waited_for_until_its_pods_are_ready(client: Kube, kube: Judge, namespace: str) -> None:
    kube.apply(deployment(namespace, "web", replicas=2))
    items = wanted(client, namespace, "web", kind="Deployment")
    verdicts = wait_ready(client, items, lambda _, live: health(live), timeout=60, stop=threading.Event())
    assert {verdict.status for verdict in verdicts.values()} == {"Current"}


def test_news_end_the_wait_at_once(client: Kube, kube: Judge, namespace: str) -> None:
    for name in "ab":
        kube.apply(config_map(namespace, name, {"state": "busy"}))
    began = time.monotonic()
    later(
        1.0,
        lambda: [
            kube.patch("v1", "ConfigMap", name, namespace, {"data": {"state": "done"}}) for name in "ab"
        ],
    )
    verdicts = wait_ready(
        client, wanted(client, namespace, "a", "b"), by_data, timeout=30, stop=threading.Event()
    )
    assert {verdict.status for verdict in verdicts.values()} == {"Current"}
    assert 0.9 < time.monotonic() - began < 15


def test_first_failure_ends_the_wait(client: Kube, kube: Judge, namespace: str) -> None:
    for name in "ab":
        kube.apply(config_map(namespace, name, {"state": "busy"}))
    later(0.5, lambda: kube.patch("v1", "ConfigMap", "b", namespace, {"data": {"state": "bad"}}))
    verdicts = wait_ready(
        client, wanted(client, namespace, "a", "b"), by_data, timeout=30, stop=threading.Event()
    )
    assert {item.name: verdict.status for item, verdict in verdicts.items()} == {
        "a": "InProgress",
        "b": "Failed",
    }


def test_time_is_up_with_the_last_judgement(client: Kube, namespace: str) -> None:
    began = time.monotonic()
    verdicts = wait_ready(
        client, wanted(client, namespace, "none"), by_data, timeout=1, stop=threading.Event()
    )
    assert [verdict.message for verdict in verdicts.values()] == ["not there"]
    assert time.monotonic() - began < 20


def test_stop_ends_the_wait_long_before_its_time_is_up_and_leaves_no_thread(
    client: Kube, namespace: str
) -> None:
    stop, before = threading.Event(), set(threading.enumerate())
    later(0.5, stop.set)
    began = time.monotonic()
    with pytest.raises(StopRequested):
        wait_ready(client, wanted(client, namespace, "none"), by_data, timeout=30, stop=stop)
    assert time.monotonic() - began < 15
    left = [item for item in set(threading.enumerate()) - before if item.name.startswith("watch ")]
    for thread in left:
        thread.join(20)
    assert not [thread for thread in left if thread.is_alive()]


def test_a_watch_that_opens_after_the_wait_is_hung_up(
    client: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, before = Kube.stream, set(threading.enumerate())

    def late(*args: Any, **options: Any) -> Any:
        time.sleep(2)
        return stream(*args, **options)

    monkeypatch.setattr(Kube, "stream", late)
    wait_ready(client, wanted(client, namespace, "none"), by_data, timeout=0.3, stop=threading.Event())
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive(), thread.name


@pytest.mark.parametrize(
    "fault", [Fault(path="watch=1", status=403), Fault(path="watch=1", drop=True, times=3)]
)
def test_wait_survives_watches_that_are_refused_or_break(
    proxy: FaultProxy, kube: Judge, namespace: str, fault: Fault
) -> None:
    through = Kube(load(str(proxy.kubeconfig)))
    proxy.faults.append(fault)
    kube.apply(config_map(namespace, "a", {"state": "busy"}))
    later(1.0, lambda: kube.patch("v1", "ConfigMap", "a", namespace, {"data": {"state": "done"}}))
    verdicts = wait_ready(
        through, wanted(through, namespace, "a"), by_data, timeout=20, stop=threading.Event()
    )
    assert [verdict.status for verdict in verdicts.values()] == ["Current"]


def test_absent_objects_are_left_out_and_lists_are_paged(client: Kube, kube: Judge, namespace: str) -> None:
    names = [f"cm-{n:03}" for n in range(12)]
    for name in names:
        kube.apply(config_map(namespace, name))
    live = read_live(client, wanted(client, namespace, *names, "none"), selector="nobody=has-it")
    assert sorted(item.name for item in live) == names
    assert {obj["kind"] for obj in live.values()} == {"ConfigMap"}


def test_more_than_a_page_is_read_whole(client: Kube, kube: Judge, namespace: str) -> None:
    resource = Discovery(client).resource("v1", "ConfigMap")
    for n in range(510):
        client.request("POST", resource.path(namespace), body=config_map(namespace, f"cm-{n:03}"))
    assert (
        len(
            [
                item
                for item in list_objects(client, resource, namespace)
                if item["metadata"]["name"] != "kube-root-ca.crt"
            ]
        )
        == 510
    )


def test_forbidden_reads_raise_and_are_not_absence(client: Kube, kube: Judge, namespace: str) -> None:
    tenant = client.acting_as(f"system:serviceaccount:{namespace}:default")
    for names in (("a",), tuple("abcdefg")):
        with pytest.raises(KubeStatusError, match="forbidden"):
            read_live(tenant, wanted(client, namespace, *names))


@pytest.mark.parametrize("names", [("a",), tuple("abcdefg")])
def test_kind_that_went_away_is_not_absence(client: Kube, namespace: str, names: tuple[str, ...]) -> None:
    gone = Resource(
        group="gone.example.com",
        version="v1",
        kind="Thing",
        plural="things",
        namespaced=True,
        verbs=frozenset(),
    )
    items = {ObjectId("gone.example.com", "Thing", namespace, name): gone for name in names}
    with pytest.raises(ClusterError, match="was served a moment ago and is not any more"):
        read_live(client, items)


def test_discovery_knows_versions_and_scopes(client: Kube) -> None:
    discovery = Discovery(client)
    assert discovery.resource("apps/v1", "Deployment").plural == "deployments"
    assert not discovery.resource("v1", "Namespace").namespaced
    assert discovery.any_version("autoscaling", "HorizontalPodAutoscaler", "v9").version == "v2"
    with pytest.raises(UnknownKindError, match=r"serves no such kind in apps/v1beta1; it serves v1"):
        discovery.resource("apps/v1beta1", "Deployment")


def test_discovery_in_the_older_form_says_the_same(client: Kube) -> None:
    older = Discovery(client, aggregated=False)
    assert older.resource("apps/v1", "Deployment") == Discovery(client).resource("apps/v1", "Deployment")
    assert older.any_version("", "ConfigMap").path("a", "b") == "/api/v1/namespaces/a/configmaps/b"
    with pytest.raises(UnknownKindError):
        older.resource("apps/v1", "Gadget")
