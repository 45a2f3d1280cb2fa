"""What is applied is what is compared: fluxcd/pkg ssa/normalize."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

from weir.objects.normal import normalise

Obj = dict[str, Any]


def obj(kind: str, api: str = "v1", **fields: Any) -> Obj:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "a"}, **fields}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_string_data_becomes_data_and_wins() -> None:
    found = normalise(
        obj("Secret", data={"a": b64("old"), "b": b64("kept")}, stringData={"a": "new", "c": "ü"})
    )
    assert found["data"] == {"a": b64("new"), "b": b64("kept"), "c": b64("ü")}
    assert "stringData" not in found


def test_wrapped_base64_gets_its_one_form() -> None:
    wrapped = b64("x" * 100)
    found = normalise(obj("Secret", data={"a": f"{wrapped[:76]}\n{wrapped[76:]}\n", "b": "not\nbase64!"}))
    assert found["data"] == {"a": wrapped, "b": "not\nbase64!"}


@pytest.mark.parametrize("bad", [{"a": 1}, {"a": None, "b": {}}, ["x"]])
def test_string_data_that_is_no_text_is_left_for_the_server_to_refuse(bad: Any) -> None:
    written = obj("Secret", stringData=bad)
    assert "stringData" in normalise(written)


def test_string_data_of_another_kind_is_its_own_business() -> None:
    written = obj("Secret", "example.com/v1", stringData={"a": "b"})
    assert normalise(written) == written


def test_what_only_the_server_sets_goes() -> None:
    written = obj("ConfigMap", status={"x": 1})
    written["metadata"] |= {
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "generation": 3,
        "managedFields": [{}],
        "resourceVersion": "1",
        "selfLink": "/x",
        "uid": "1",
        "labels": {"a": "b"},
    }
    assert normalise(written) == obj("ConfigMap") | {"metadata": {"name": "a", "labels": {"a": "b"}}}


def test_nulls_go_in_built_in_kinds_and_stay_in_custom_resources() -> None:
    spec = {
        "a": None,
        "b": [{"c": None, "d": 1}, None],
        "template": {"metadata": {"creationTimestamp": None}},
    }
    built_in = normalise(obj("Deployment", "apps/v1", spec=spec))
    assert built_in["spec"] == {"b": [{"d": 1}, None], "template": {"metadata": {}}}
    custom = normalise(obj("Widget", "example.com/v1", spec=spec))
    assert custom["spec"] == {"a": None, "b": [{"c": None, "d": 1}, None], "template": {"metadata": {}}}


def test_null_metadata_goes_in_every_kind() -> None:
    written = obj("Widget", "example.com/v1")
    written["metadata"] |= {"annotations": None, "labels": {"a": None}}
    assert normalise(written)["metadata"] == {"name": "a", "labels": {}}


@pytest.mark.parametrize(
    ("kind", "api", "path"),
    [
        ("Pod", "v1", ["spec"]),
        ("Deployment", "apps/v1", ["spec", "template", "spec"]),
        ("StatefulSet", "apps/v1", ["spec", "template", "spec"]),
        ("DaemonSet", "apps/v1", ["spec", "template", "spec"]),
        ("Job", "batch/v1", ["spec", "template", "spec"]),
        ("CronJob", "batch/v1", ["spec", "jobTemplate", "spec", "template", "spec"]),
    ],
)
def test_container_ports_say_their_protocol(kind: str, api: str, path: list[str]) -> None:
    ports = [
        {"containerPort": 80},
        {"containerPort": 53, "protocol": "UDP"},
        {"containerPort": 1, "protocol": ""},
    ]
    pod: Any = {
        "containers": [{"name": "a", "ports": ports}],
        "initContainers": [{"name": "b", "ports": ports[:1]}],
    }
    for step in reversed(path):
        pod = {step: pod}
    found: Any = normalise(obj(kind, api, **pod))
    for step in path:
        found = found[step]
    assert [port["protocol"] for port in found["containers"][0]["ports"]] == ["TCP", "UDP", "TCP"]
    assert found["initContainers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


def test_service_ports_say_their_protocol() -> None:
    assert normalise(obj("Service", spec={"ports": [{"port": 1}]}))["spec"]["ports"][0]["protocol"] == "TCP"


@pytest.mark.parametrize(
    ("bundle", "kept"), [("Cg==", False), ("???", False), (b64("-----BEGIN CERTIFICATE-----\nx"), True)]
)
def test_a_placeholder_ca_bundle_goes(bundle: str, kept: bool) -> None:
    client = {"caBundle": bundle, "service": {"name": "x"}}
    written = obj(
        "CustomResourceDefinition",
        "apiextensions.k8s.io/v1",
        spec={"conversion": {"webhook": {"clientConfig": client}}},
    )
    found = normalise(written)["spec"]["conversion"]["webhook"]["clientConfig"]
    assert ("caBundle" in found) is kept
    assert found["service"] == {"name": "x"}


@pytest.mark.parametrize(
    "spec", [None, [], "x", {"template": []}, {"template": {"spec": {"containers": "x"}}}]
)
def test_a_malformed_spec_is_left_for_the_server_to_refuse(spec: Any) -> None:
    written = obj("Deployment", "apps/v1", spec=spec)
    assert normalise(written).get("spec") == spec


def test_numbers_beyond_64_bits_survive() -> None:
    written = obj("Widget", "example.com/v1", spec={"n": 2**70})
    assert normalise(written) == written


def test_quantities_stay_as_written() -> None:
    spec = {"hard": {"cpu": "1000m"}}
    assert normalise(obj("ResourceQuota", spec=spec))["spec"] == spec


def test_the_argument_is_not_changed() -> None:
    written = obj("Secret", stringData={"a": "b"}, status={})
    before = copy.deepcopy(written)
    normalise(written)
    assert written == before
