"""Events of units in a real cluster: written, counted, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.events import UNIT, event
from tests.support.kube import Kube as Independent
from weir.edges.kube.client import Kube
from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.events import LONGEST, read_events, write_event
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.records import record_name
from weir.spec.event import Severity
from weir.spec.identity import UnitId


@pytest.fixture
def client(kubeconfig: Path) -> Kube:
    """Weir's own client, as administrator."""
    return Kube(load(str(kubeconfig)))


def listed(kube: Independent, namespace: str) -> list[dict[str, Any]]:
    found: dict[str, Any] = kube.request("GET", f"/api/v1/namespaces/{namespace}/events")
    return list(found["items"])


def test_an_event_is_about_the_units_record(client: Kube, kube: Independent, namespace: str) -> None:
    told = event("it broke", severity=Severity.ERROR, reason="HealthCheckFailed")
    write_event(client, namespace, told)
    (found,) = listed(kube, namespace)
    assert found["involvedObject"]["kind"] == "ConfigMap"
    assert found["involvedObject"]["name"] == record_name(UNIT)
    assert (found["type"], found["reason"], found["message"]) == ("Warning", "HealthCheckFailed", "it broke")
    assert found["metadata"]["labels"]["weir.dev/stack"] == "test"
    assert read_events(client, namespace, "test") == (told,)
    assert read_events(client, namespace, "other") == ()


def test_the_same_again_is_counted_and_has_the_later_time(
    client: Kube, kube: Independent, namespace: str
) -> None:
    for minute in range(3):
        write_event(client, namespace, event("again", at=f"2026-11-21T10:0{minute}:00Z"))
    write_event(client, namespace, event("something else"))
    counts = {one["message"]: one["count"] for one in listed(kube, namespace)}
    assert counts == {"again": 3, "something else": 1}
    times = {one.message: one.at for one in read_events(client, namespace, "test")}
    assert times["again"] == "2026-11-21T10:02:00Z"


def test_long_names_and_texts_fit(client: Kube, namespace: str) -> None:
    unit = UnitId("Kustomization", "n" * 63, "u" * 250)
    told = event("é" * 5000, unit=unit, stack="s" * 90, metadata={"x": "y" * 20_000, "revision": "r"})
    write_event(client, namespace, told)
    (found,) = read_events(client, namespace, "s" * 90)
    assert found.unit == unit
    assert len(found.message.encode()) <= LONGEST
    assert found.message.endswith("é...")
    assert found.metadata == {"revision": "r"}


def test_events_of_others_are_left_out(client: Kube, kube: Independent, namespace: str) -> None:
    write_event(client, namespace, event("mine"))
    (mine,) = listed(kube, namespace)
    meta = {"name": "foreign", "namespace": namespace, "labels": mine["metadata"]["labels"]}
    foreign = {**mine, "metadata": meta}
    kube.request("POST", f"/api/v1/namespaces/{namespace}/events", foreign)
    assert [one.message for one in read_events(client, namespace, "test")] == ["mine"]


def test_a_refusal_says_so(client: Kube, namespace: str) -> None:
    nobody = client.acting_as("system:serviceaccount:nowhere:nobody")
    with pytest.raises(KubeStatusError) as err:
        write_event(nobody, namespace, event("x"))
    assert err.value.status == 403
