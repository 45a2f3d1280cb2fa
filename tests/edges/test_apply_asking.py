"""How often the server is asked: never more than needed, and always when its answer is not certain."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.kube import Kube, wait_for
from tests.support.units import Unit, config_map, deployment, secret
from weir.edges.kube import writing
from weir.edges.kube.errors import KubeStatusError
from weir.flow import live_ahead
from weir.flow.live_ahead import LiveAhead
from weir.objects.normal import normalise
from weir.objects.validate import certain_create


@pytest.fixture
def proxy(kubeconfig: Path, tmp_path: Path) -> Iterator[FaultProxy]:
    with FaultProxy.of_cluster(kubeconfig, tmp_path) as running:
        yield running


def dry_runs(proxy: FaultProxy) -> int:
    return len([one for one in proxy.seen if "dryRun=All" in one.path])


def test_unchanged_unit_costs_a_few_reads_and_no_write(proxy: FaultProxy, namespace: str) -> None:
    unit = Unit(proxy.kubeconfig, namespace)
    objects = [config_map(namespace, f"cm-{n:03}") for n in range(60)]
    objects += [deployment(namespace, f"web-{n:03}") for n in range(10)]
    unit.must_apply(objects)
    proxy.seen.clear()
    assert unit.must_apply(objects).changeset.unchanged == 70
    assert {one.method for one in proxy.seen} == {"GET"}
    assert len(proxy.seen) <= 4


def test_what_a_controller_writes_between_read_and_dry_run_is_no_change_of_ours(
    proxy: FaultProxy, kube: Kube, namespace: str
) -> None:
    unit = Unit(proxy.kubeconfig, namespace)
    unit.must_apply([config_map(namespace, "a", {"key": "old"})])
    proxy.seen.clear()
    proxy.faults.append(Fault(method="PATCH", path="dryRun=All", times=1, delay=1.0))
    with ThreadPoolExecutor(1) as background:
        planned = background.submit(unit.plan, [config_map(namespace, "a", {"key": "new"})])
        wait_for(lambda: dry_runs(proxy), seconds=20)
        kube.apply_as("controller", config_map(namespace, "a", {"theirs": "1"}))
        (change,) = planned.result(60).changeset.changes
    assert [str(item) for item in change.fields] == ["data.key: old -> new"]


def test_the_apply_after_a_plan_asks_only_about_what_is_not_as_planned(
    proxy: FaultProxy, kube: Kube, namespace: str
) -> None:
    unit = Unit(proxy.kubeconfig, namespace)
    unit.must_apply([config_map(namespace, f"cm-{n}", {"key": "old"}) for n in range(20)])
    objects = [config_map(namespace, f"cm-{n}", {"key": "new"}) for n in range(20)]
    objects += [deployment(namespace, f"web-{n}") for n in range(10)]
    plan = unit.plan(objects)
    kube.apply_as("rival", config_map(namespace, "cm-7", {"key": "rival"}))
    objects[3] = config_map(namespace, "cm-3", {"key": "newer"})
    proxy.seen.clear()
    unit.must_apply(objects, known=plan.decisions)
    assert dry_runs(proxy) == 2
    for name, text in (("cm-0", "new"), ("cm-3", "newer"), ("cm-7", "new")):
        live = kube.get("v1", "ConfigMap", name, namespace)
        assert live is not None
        assert live["data"] == {"key": text}
    assert unit.must_apply(objects).changeset.unchanged == 30


def test_large_unit_is_read_while_the_program_renders(
    proxy: FaultProxy, kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_ahead, "FRESH", 60.0)
    unit = Unit(proxy.kubeconfig, namespace)
    objects = [config_map(namespace, f"cm-{n:03}", {"key": "git"}) for n in range(live_ahead.LARGE)]
    unit.must_apply(objects)
    clusters, name = unit.clusters(), unit.spec().id
    kube.apply_as("rival", config_map(namespace, "cm-007", {"key": "rival"}))

    def ahead() -> LiveAhead:
        return LiveAhead(clusters, threading.Event())

    lists = ahead().take(name, clusters.main)
    assert [len(items) for items in lists.values()] == [live_ahead.LARGE]
    proxy.seen.clear()
    (change,) = unit.plan(objects, lists=lists).changeset.changes
    assert [str(item) for item in change.fields] == ["data.key: rival -> git"]
    assert [one.method for one in proxy.seen if "labelSelector" in one.path] == []
    assert ahead().take(name, unit.kube) == {}, "it was read by another identity"
    dropped = ahead()
    dropped.drop()
    assert dropped.take(name, clusters.main) == {}, "something was written since"
    monkeypatch.setattr(live_ahead, "FRESH", 0.0)
    assert ahead().take(name, clusters.main) == {}, "it was read too long ago"
    for thread in [one for one in threading.enumerate() if one.name == "live-ahead"]:
        thread.join(20)


def test_plain_creates_are_asked_about_once_a_kind_and_written_once(
    proxy: FaultProxy, namespace: str
) -> None:
    unit = Unit(proxy.kubeconfig, namespace)
    objects = [config_map(namespace, f"cm-{n:03}") for n in range(30)]
    objects += [secret(namespace, f"s-{n:03}", stringData={"a": "b"}) for n in range(30)]
    unit.must_apply(objects)
    assert dry_runs(proxy) == 2
    assert len([one for one in proxy.writes() if "/cm-" in one.path or "/s-" in one.path]) == 60


def test_kinds_with_behaviour_are_all_asked_about(proxy: FaultProxy, namespace: str) -> None:
    unit = Unit(proxy.kubeconfig, namespace)
    unit.must_apply([deployment(namespace, f"web-{n:03}") for n in range(25)])
    assert dry_runs(proxy) == 25


def test_one_doubtful_object_among_plain_ones_fails_the_whole_before_any_write(
    proxy: FaultProxy, kube: Kube, namespace: str
) -> None:
    unit = Unit(proxy.kubeconfig, namespace)
    objects = [config_map(namespace, f"cm-{n:03}") for n in range(30)]
    result = unit.apply([*objects, config_map(namespace, "zz", {"bad key": "x"})])
    assert f"ConfigMap/{namespace}/zz: data[bad key]" in result.condition.message
    assert not [
        one for one in kube.list("v1", "ConfigMap", namespace) if one["metadata"]["name"].startswith("cm-")
    ]


@pytest.mark.parametrize("what", ["webhook", "quota"])
def test_admission_that_may_object_is_asked_about_every_object(
    proxy: FaultProxy, kube: Kube, namespace: str, what: str
) -> None:
    if what == "quota":
        meta = {"name": "some", "namespace": namespace}
        kube.apply(
            {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": "99"}}}
        )
    else:
        kube.apply(_webhook(namespace))
    try:
        unit = Unit(proxy.kubeconfig, namespace)
        unit.must_apply([config_map(namespace, f"cm-{n:03}") for n in range(30)])
        assert dry_runs(proxy) == 30
    finally:
        kube.delete("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", f"{namespace}-hook")


def _webhook(namespace: str) -> dict[str, Any]:
    """One that could see ConfigMaps, and fails open because nobody listens."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"{namespace}-hook"},
        "webhooks": [
            {
                "name": "hook.example.com",
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "failurePolicy": "Ignore",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["*"],
                        "operations": ["*"],
                        "resources": ["configmaps"],
                    }
                ],
            }
        ],
    }


_WORDS = st.text(st.sampled_from("aA0-._/ é\n"), max_size=8)
_NAMES = st.one_of(
    _WORDS, st.sampled_from(["a", "a.b", "a..b", "-a", "a-", "A", "a" * 63, "a" * 64, "a" * 254, ".", ".."])
)
_PLAIN = st.text(max_size=6)
_ENCODED = st.one_of(st.binary(max_size=6).map(lambda raw: base64.b64encode(raw).decode()), _PLAIN)
_VALUES = st.one_of(_ENCODED, st.none(), st.integers(), st.just("x" * 1_048_000), st.just("x" * 1_048_577))
_TEXTS = st.dictionaries(_NAMES, st.one_of(_NAMES, _PLAIN), max_size=2)


@st.composite
def _manifests(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["ConfigMap", "Secret", "ServiceAccount"]))
    meta: dict[str, Any] = {"name": draw(_NAMES)}
    for part in ("labels", "annotations"):
        if draw(st.booleans()):
            meta[part] = draw(_TEXTS)
    body: dict[str, Any] = {"apiVersion": "v1", "kind": kind, "metadata": meta}
    if kind != "ServiceAccount" and draw(st.booleans()):
        body["data"] = draw(st.dictionaries(_NAMES, _VALUES, max_size=2))
    if kind == "ServiceAccount" and draw(st.booleans()):
        body["automountServiceAccountToken"] = draw(st.sampled_from([True, False, "yes"]))
    if kind == "Secret" and draw(st.booleans()):
        body["type"] = draw(st.sampled_from(["Opaque", "kubernetes.io/tls"]))
    return body


@pytest.mark.property
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(manifest=_manifests())
@example(
    manifest={
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "0", "annotations": {"0": "\x7f"}},
    }
)
def test_what_is_called_certain_is_accepted_by_the_server(
    kubeconfig: Path, namespace: str, manifest: Any
) -> None:
    unit = Unit(kubeconfig, namespace)
    obj = normalise({**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}})
    if not certain_create(obj):
        return
    resource = unit.discovery.resource("v1", obj["kind"])
    try:
        writing.apply(unit.kube, resource, obj, dry_run=True)
    except KubeStatusError as err:
        raise AssertionError(f"called certain, refused: {err.message[:300]}") from err
