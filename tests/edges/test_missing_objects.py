"""What a LIST says of a place that is followed: what should be there and is not, and how often it is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.kube import Kube as Judge
from tests.support.kube import wait_for
from tests.support.units import config_map
from weir.edges.kube.client import Kube
from weir.edges.kube.following import Follower, Place
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.records import CONFIG_MAPS


@pytest.fixture
def proxy(kubeconfig: Path, tmp_path: Path) -> Iterator[FaultProxy]:
    with FaultProxy.of_cluster(kubeconfig, tmp_path) as running:
        yield running


@contextmanager
def followed(proxy: FaultProxy, namespace: str, told: list[str]) -> Iterator[Follower]:
    """The ConfigMaps of a namespace that carry a label, listed at least once; `told` gets `there NAME`, `gone NAME`."""
    follower = Follower(
        kube=Kube(load(str(proxy.kubeconfig))),
        place=Place(resource=CONFIG_MAPS, namespace=namespace, selector="mine=yes"),
        on_object=lambda obj: told.append(f"there {obj['metadata']['name']}"),
        on_gone=lambda obj: told.append(f"gone {obj['metadata']['name']}"),
        on_state=lambda _: None,
    )
    follower.start()
    try:
        assert follower.listed.wait(20)
        yield follower
    finally:
        follower.end()


def test_what_should_be_there_is_missed_by_every_list(proxy: FaultProxy, namespace: str) -> None:
    """It may have come and gone while nothing was followed, and was in no list before."""
    told: list[str] = []
    with followed(proxy, namespace, told) as follower:
        follower.expected = {(namespace, "a")}
        follower.relist()
        wait_for(lambda: told == ["gone a"])
        follower.relist()
        wait_for(lambda: told == ["gone a", "gone a"])


def test_a_server_to_which_every_version_is_too_old_is_asked_ever_more_seldom(
    proxy: FaultProxy, kube: Judge, namespace: str
) -> None:
    told: list[str] = []
    proxy.faults.append(Fault(path="watch=1", status=410))
    with followed(proxy, namespace, told):
        time.sleep(3.0)
        assert len(proxy.seen) < 16
        proxy.faults.clear()
        kube.apply(config_map(namespace, "a", labels={"mine": "yes"}))
        wait_for(lambda: told == ["there a"])
