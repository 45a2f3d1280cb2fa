"""Checks, labels and order of what a unit renders."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.property.strategies import kustomization
from weir.render.finish import Finished, finish
from weir.spec.documents import Document
from weir.spec.errors import RenderError
from weir.spec.identity import ObjectId

OWNER = {
    "kustomize.toolkit.fluxcd.io/name": "apps",
    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
}


def thing(name: str = "a", kind: str = "ConfigMap", api: str = "v1", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, **more.pop("metadata", {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **more}


def finished(*objects: dict[str, Any], secret: frozenset[int] = frozenset(), **spec: Any) -> Finished:
    documents = [Document(f"f{index}.yaml", 0, data) for index, data in enumerate(objects)]
    return finish(documents, kustomization(**spec), secret)


def test_objects_are_labelled_with_their_owner_and_sorted() -> None:
    result = finished(thing("b"), thing("a"), thing("c", "Deployment", "apps/v1"))
    assert [item["metadata"]["name"] for item in result.objects] == ["a", "b", "c"]
    assert all(item["metadata"]["labels"] == OWNER for item in result.objects)
    assert result.children == ()


def test_common_metadata_replaces_what_an_object_says() -> None:
    item = thing(metadata={"labels": {"team": "a", "app": "web"}, "annotations": {"x": "1"}})
    common = {"labels": {"team": "b"}, "annotations": {"x": "2", "y": "3"}}
    (result,) = finished(item, commonMetadata=common).objects
    assert result["metadata"]["labels"] == {"team": "b", "app": "web", **OWNER}
    assert result["metadata"]["annotations"] == {"x": "2", "y": "3"}
    assert item["metadata"]["labels"] == {"team": "a", "app": "web"}


def test_an_owner_label_in_git_does_not_stand() -> None:
    item = thing(metadata={"labels": {"kustomize.toolkit.fluxcd.io/name": "other"}})
    assert finished(item).objects[0]["metadata"]["labels"] == OWNER


def test_flux_kinds_become_children_and_kustomize_files_nothing() -> None:
    child = thing("web", "Kustomization", "kustomize.toolkit.fluxcd.io/v1", spec={})
    result = finished(child, thing("x", "Kustomization", "kustomize.config.k8s.io/v1beta1"), thing("a"))
    assert [item["kind"] for item in result.objects] == ["ConfigMap"]
    (document,) = result.children
    assert document.file == "Kustomization/flux-system/apps: f0.yaml"
    assert document.data["metadata"]["labels"] == OWNER
    assert result.warnings == ("f1.yaml: Kustomization/x: left out: a kustomize file is not an object",)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"kind": "ConfigMap", "metadata": {"name": "a"}}, "f0.yaml: ConfigMap/a: apiVersion: found nothing"),
        ({"apiVersion": "v1", "metadata": {"name": "a"}}, "f0.yaml: a: kind: found nothing, expected a text"),
        (thing(name=""), "f0.yaml: ConfigMap: metadata.name: found '', expected a text"),
        ({"apiVersion": "v1", "kind": "Pod"}, "f0.yaml: Pod: metadata: found nothing, expected a mapping"),
        (
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "x-"}},
            "f0.yaml: Pod: metadata.generateName: found 'x-', expected metadata.name: it must stay the same",
        ),
        (thing(metadata={"name": 1}), "f0.yaml: ConfigMap/1: metadata.name: found 1, expected a text"),
        (
            thing(metadata={"namespace": 1}),
            "f0.yaml: ConfigMap/1/a: metadata.namespace: found 1, expected a text",
        ),
        (
            thing(metadata={"labels": {"a": 1}}),
            "f0.yaml: ConfigMap/a: metadata.labels.a: found 1, expected a text",
        ),
        (
            thing(metadata={"labels": ["a"]}),
            "f0.yaml: ConfigMap/a: metadata.labels: found ['a'], expected a mapping",
        ),
    ],
)
def test_what_is_no_object_is_named(item: dict[str, Any], message: str) -> None:
    with pytest.raises(RenderError) as caught:
        finished(item)
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_the_same_object_twice_names_both_files_whatever_the_version() -> None:
    with pytest.raises(
        RenderError, match=r"^f1.yaml: Deployment/a: found it twice, first in f0.yaml; remove one"
    ):
        finished(thing("a", "Deployment", "apps/v1"), thing("a", "Deployment", "apps/v1beta2"))


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (thing(kind="Deployment", api="apps/v1", sops={"mac": "x"}), "sops"),
        (thing(kind="Secret", data={"k": encode("a: ENC[AES256_GCM,data:x]")}), "data.k"),
        (thing(kind="Secret", data={"k": encode('{"a": 1, "sops": {"mac": ""}}')}), "data.k"),
        (thing(kind="Secret", data={"k": encode("A=b\nsops_version=3.9\n")}), "data.k"),
        (thing(kind="Secret", data={"k": encode("a: b\nsops:\n  mac: x\n")}), "data.k"),
        (thing(kind="Secret", data={"k": "ENC[AES256_GCM,data:x]"}), "data.k"),
        (thing(kind="Secret", stringData={"k": "ENC[AES256_GCM,data:x]"}), "stringData.k"),
    ],
)
def test_what_is_encrypted_is_never_applied(item: dict[str, Any], field: str) -> None:
    problem = (
        f"f0.yaml: {item['kind']}/a: {field}: is encrypted with SOPS, and decryption is not supported yet"
    )
    with pytest.raises(RenderError) as caught:
        finished(item)
    assert caught.value.message == problem
    item["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/decrypt": "disabled"}
    assert len(finished(item).objects) == 1


def test_a_plain_secret_is_not_taken_for_an_encrypted_one() -> None:
    item = thing(
        kind="Secret", data={"a": encode("the word sops: is fine"), "b": "%%%"}, stringData={"c": "sops"}
    )
    assert finished(item).secret_ids == {ObjectId("", "Secret", "", "a")}


def test_objects_with_secret_variables_are_known() -> None:
    result = finished(thing("a"), thing("b"), secret=frozenset((1,)))
    assert result.secret_ids == {ObjectId("", "ConfigMap", "", "b")}


LEVEL = "pod-security.kubernetes.io/enforce"


@pytest.mark.parametrize("present", [{}, {LEVEL: "restricted"}])
def test_common_labels_do_not_change_pod_security(present: dict[str, str]) -> None:
    item = thing(kind="Namespace", metadata={"labels": present})
    with pytest.raises(RenderError, match=f"Namespace/a: spec.commonMetadata.labels.{LEVEL}: would change"):
        finished(item, commonMetadata={"labels": {LEVEL: "privileged"}})


def test_common_labels_may_repeat_pod_security() -> None:
    item = thing(kind="Namespace", metadata={"labels": {LEVEL: "privileged"}})
    assert finished(item, thing("b"), commonMetadata={"labels": {LEVEL: "privileged"}}).objects


def test_a_unit_name_too_long_for_a_label_is_refused() -> None:
    spec = kustomization()
    object.__setattr__(spec, "id", type(spec.id)("Kustomization", "flux-system", "x" * 64))
    with pytest.raises(RenderError, match="metadata: found a name of 64 characters, expected at most 63"):
        finish([], spec)
