"""The client against a real API server, with a proxy between them that spoils things."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.units import config_map
from weir.edges.kube import writing
from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery
from weir.edges.kube.errors import KubeStatusError, UnreachableError
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.parallel import each
from weir.spec.errors import StopRequested

VERSION = "/version"


@pytest.fixture
def proxy(kubeconfig: Path, tmp_path: Path) -> Iterator[FaultProxy]:
    with FaultProxy.of_cluster(kubeconfig, tmp_path) as running:
        yield running


@pytest.fixture
def client(proxy: FaultProxy) -> Kube:
    kube = Kube(load(str(proxy.kubeconfig)))
    kube.request("GET", VERSION)
    proxy.seen.clear()
    return kube


def stop_after(seconds: float) -> threading.Event:
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    return stop


def test_requests_that_change_something_are_counted(client: Kube, namespace: str) -> None:
    resource = Discovery(client).resource("v1", "ConfigMap")
    writing.apply(client.in_a_hurry(20.0), resource, config_map(namespace, "a"), dry_run=True)
    assert client.writes == {}
    writing.apply(client, resource, config_map(namespace, "a"))
    client.request("DELETE", resource.path(namespace, "a"))
    assert client.writes == {"PATCH": 1, "DELETE": 1}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(client: Kube, proxy: FaultProxy, status: int) -> None:
    proxy.faults.append(Fault(path=VERSION, status=status, times=2))
    assert client.request("GET", VERSION)["major"] == "1"
    assert len(proxy.seen) == 3


def test_retry_after_is_honoured(client: Kube, proxy: FaultProxy) -> None:
    proxy.faults.append(Fault(path=VERSION, status=429, retry_after="1", times=1))
    client.request("GET", VERSION)
    assert proxy.seen[1].at - proxy.seen[0].at >= 1.0


@pytest.mark.parametrize("fault", [Fault(drop=True, times=1), Fault(cut_after=10, times=1)])
def test_a_cut_connection_is_tried_again(
    client: Kube, proxy: FaultProxy, namespace: str, fault: Fault
) -> None:
    proxy.faults.append(fault)
    resource = Discovery(client).resource("v1", "ConfigMap")
    stored = writing.apply(client, resource, config_map(namespace, "a"))
    assert stored["data"] == {"key": "value"}


def test_a_manifest_that_the_server_cannot_read_is_not_sent_again(
    client: Kube, proxy: FaultProxy, namespace: str
) -> None:
    resource = Discovery(client).resource("v1", "ConfigMap")
    with pytest.raises(KubeStatusError, match=r"\.data\.a: expected string") as caught:
        writing.apply(client, resource, config_map(namespace, "a", {"a": 5}))
    assert caught.value.status == 500
    assert len([one for one in proxy.seen if one.method == "PATCH"]) == 1


def test_a_server_that_never_answered_is_given_up_soon_and_named(kubeconfig: Path, tmp_path: Path) -> None:
    with FaultProxy.of_cluster(kubeconfig, tmp_path) as proxy:
        access = load(str(proxy.kubeconfig))
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r"https://127\.0\.0\.1:\d+: cannot be reached"):
        Kube(access).request("GET", VERSION)
    assert time.monotonic() - began < 20


def test_who_is_wary_waits_once_for_a_server_that_says_nothing(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Kube(load(str(proxy.kubeconfig)))
    silence = threading.Event()
    proxy.faults.append(Fault(stall=silence))
    wary = client.wary(0.5)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="timed out"):
        wary.request("GET", VERSION)
    with monkeypatch.context() as patch:
        patch.setattr(Kube, "_patiently", lambda *_: pytest.fail("it was asked"))
        for _ in range(3):
            with pytest.raises(UnreachableError, match="gave no answer a moment ago"):
                wary.request("GET", VERSION)
    assert time.monotonic() - began < 20
    proxy.faults.clear()
    silence.set()
    client.request("GET", VERSION)
    assert wary.request("GET", VERSION)["major"]


def test_tries_grow_rarer(client: Kube, proxy: FaultProxy) -> None:
    proxy.faults.append(Fault(path=VERSION, status=503))
    with pytest.raises(StopRequested):
        client.until(stop_after(3)).request("GET", VERSION)
    assert len(proxy.seen) < 15


@pytest.mark.parametrize("stalled", [True, False])
def test_stop_ends_a_waiting_call(client: Kube, proxy: FaultProxy, stalled: bool) -> None:
    """Long before its time is over, whether the server says nothing or asks to come back in 25 seconds."""
    fault = Fault(stall=threading.Event()) if stalled else Fault(status=429, retry_after="25")
    proxy.faults.append(fault)
    stop = stop_after(0.5)
    bound = client.until(stop)
    began = time.monotonic()
    with pytest.raises(StopRequested):
        each(bound, lambda _: bound.request("GET", VERSION), range(20), stop)
    assert time.monotonic() - began < 15
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")]


def test_wrong_credentials_name_the_kubeconfig(kubeconfig: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(kubeconfig.read_text())
    document["users"][0]["user"] = {"token": "wrong-token-canary"}
    wrong = tmp_path / "wrong"
    wrong.write_text(yaml.safe_dump(document))
    with pytest.raises(KubeStatusError, match="check the credentials in the kubeconfig") as caught:
        Kube(load(str(wrong))).request("GET", VERSION + "x")
    assert "canary" not in str(caught.value)


def test_access_shows_no_credential(kubeconfig: Path) -> None:
    access = load(str(kubeconfig))
    assert access.token
    assert access.token not in repr(access)


def test_foreign_certificate_authority_is_refused(kubeconfig: Path, tmp_path: Path) -> None:
    with FaultProxy.of_cluster(kubeconfig, tmp_path) as proxy:
        document = yaml.safe_load(kubeconfig.read_text())
        document["clusters"][0]["cluster"]["server"] = proxy.url
        mixed = tmp_path / "mixed"
        mixed.write_text(yaml.safe_dump(document))
        with pytest.raises(UnreachableError, match="check the certificate authority"):
            Kube(load(str(mixed))).request("GET", VERSION)


def test_impersonation_is_what_the_server_sees(kubeconfig: Path, namespace: str) -> None:
    kube = Kube(load(str(kubeconfig)), impersonate=f"system:serviceaccount:{namespace}:default")
    with pytest.raises(KubeStatusError, match=f"system:serviceaccount:{namespace}:default") as caught:
        kube.request("GET", f"/api/v1/namespaces/{namespace}/secrets")
    assert caught.value.status == 403
