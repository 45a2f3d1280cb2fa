"""Receiver as a spec: defaults, every field, every refusal with file, field, found, expected."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.receivers import V1, receiver_document
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId
from weir.spec.receiver import KINDS, TYPES, parse_receiver


def test_a_receiver_has_flux_defaults() -> None:
    spec = parse_receiver(receiver_document())
    assert (spec.type, spec.interval, spec.events, spec.suspend) == ("github", 600.0, (), False)
    assert (spec.secret, spec.resource_filter) == ("hook-token", "")
    (item,) = spec.resources
    assert (item.kind, item.name, item.namespace) == ("GitRepository", "fleet", "apps")
    assert (dict(item.labels), item.filter) == ({}, "")


def test_a_receiver_with_every_field() -> None:
    resource = {
        "apiVersion": "image.toolkit.fluxcd.io/v1beta2",
        "kind": "ImageRepository",
        "name": "*",
        "namespace": "images",
        "matchLabels": {"team": "a"},
        "filter": "req.tag == 'x'",
    }
    spec = parse_receiver(
        receiver_document(
            type="gitlab",
            interval="1h",
            events=["Push Hook"],
            resources=[resource],
            resourceFilter="true",
            suspend=True,
        )
    )
    assert (spec.type, spec.interval, spec.events, spec.suspend) == ("gitlab", 3600.0, ("Push Hook",), True)
    assert spec.resource_filter == "true"
    (item,) = spec.resources
    assert (item.name, item.namespace, dict(item.labels)) == ("*", "images", {"team": "a"})
    assert item.filter == "req.tag == 'x'"


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_read(kind: str) -> None:
    assert parse_receiver(receiver_document(type=kind)).type == kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_with_its_group(kind: str) -> None:
    resource = {"apiVersion": f"{KINDS[kind]}/v1", "kind": kind, "name": "a"}
    assert parse_receiver(receiver_document(resources=[resource])).resources[0].kind == kind


@pytest.mark.parametrize("version", [V1, "notification.toolkit.fluxcd.io/v1beta2"])
def test_both_versions_are_read(version: str) -> None:
    assert str(parse_receiver(receiver_document(version)).id) == "Receiver/apps/push"


def _resource(**fields: Any) -> list[dict[str, Any]]:
    return [{"kind": "GitRepository", "name": "fleet", **fields}]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("type", None, "generic or generic-hmac or github"),
        ("type", "gogs", "found 'gogs', expected generic or generic-hmac"),
        ("type", "gcr", "have the sender sign with generic-hmac"),
        ("type", "generic-oidc", "have the sender sign with generic-hmac"),
        ("interval", "soon", "a duration such as"),
        ("events", "push", "a list of texts"),
        ("secretRef", None, "found nothing, expected a mapping"),
        ("secretRef", {"name": "Bad_Name"}, "a name of lower-case letters"),
        ("secretRef", {"name": "a", "key": "b"}, "an unknown field"),
        ("resources", [], "one resource or more"),
        ("resources", _resource(kind="Deployment"), "resources[0].kind: found 'Deployment', expected Bucket"),
        ("resources", _resource(apiVersion="v1"), "source.toolkit.fluxcd.io/<version>, or nothing"),
        ("resources", _resource(name="*"), "labels, because name is '*'"),
        ("resources", _resource(matchLabels={"a": "b"}), "'*' beside matchLabels"),
        ("resources", _resource(name=".*"), "a name of lower-case letters"),
        ("resources", _resource(namespace="A/B"), "a name of lower-case letters"),
        ("resources", _resource(labels={}), "an unknown field"),
        ("suspend", "no", "true or false"),
        ("oidcProviders", [], "an unknown field"),
    ],
)
def test_a_bad_field_is_named(field: str, value: Any, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_receiver(receiver_document(**{field: value}))
    assert str(caught.value).startswith(f"f.yaml: Receiver/apps/push: spec.{field}")
    assert expected in str(caught.value)


def test_another_version_is_refused() -> None:
    with pytest.raises(SpecError, match=r"apiVersion: found 'notification\.toolkit\.fluxcd\.io/v1beta1'"):
        parse_receiver(receiver_document("notification.toolkit.fluxcd.io/v1beta1"))


@pytest.mark.parametrize(
    ("unit", "labels", "want"),
    [
        (UnitId("GitRepository", "apps", "fleet"), {}, True),
        (UnitId("GitRepository", "apps", "fleet2"), {}, False),
        (UnitId("GitRepository", "other", "fleet"), {}, False),
        (UnitId("Kustomization", "apps", "fleet"), {}, False),
        (UnitId("ImageRepository", "apps", "a"), {"team": "a", "b": "c"}, True),
        (UnitId("ImageRepository", "apps", "a"), {"team": "b"}, False),
        (UnitId("ImageRepository", "apps", "a"), {}, False),
    ],
    ids=str,
)
def test_a_name_means_one_unit_and_a_star_those_with_the_labels(
    unit: UnitId, labels: dict[str, str], want: bool
) -> None:
    star = {"kind": "ImageRepository", "name": "*", "matchLabels": {"team": "a"}}
    spec = parse_receiver(receiver_document(resources=[*_resource(), star]))
    assert any(item.means(unit, labels) for item in spec.resources) is want
