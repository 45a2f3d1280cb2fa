"""Receiver as a spec: defaults, every field, every refusal with file, field, found, expected."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.receivers import ISSUER, PROVIDER, V1, receiver_document
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId
from weir.spec.receiver import KINDS, OIDC, TYPES, parse_receiver


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
        ("type", None, "generic or generic-hmac or generic-oidc"),
        ("type", "gogs", "found 'gogs', expected generic or generic-hmac"),
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
        ("oidcProviders", [PROVIDER], "expected nothing for type github"),
    ],
)
def test_a_bad_field_is_named(field: str, value: Any, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_receiver(receiver_document(**{field: value}))
    assert str(caught.value).startswith(f"f.yaml: Receiver/apps/push: spec.{field}")
    assert expected in str(caught.value)


def test_issuers_have_flux_defaults() -> None:
    spec = parse_receiver(receiver_document(type=OIDC))
    (provider,) = spec.providers
    assert (spec.secret, provider.issuer, provider.audience) == ("", ISSUER, "notification-controller")
    assert provider.variables == ()
    (validation,) = provider.validations
    assert (validation.expression, validation.message) == ("claims.repository_owner == 'us'", "not ours")


def test_issuers_with_every_field() -> None:
    variables = [{"name": "a", "expression": "claims.a"}, {"name": "b", "expression": "vars.a"}]
    other = {**PROVIDER, "issuerURL": f"{ISSUER}/realms/a", "audience": "weir", "variables": variables}
    first, second = parse_receiver(receiver_document(type=OIDC, oidcProviders=[PROVIDER, other])).providers
    assert (first.issuer, second.issuer, second.audience) == (ISSUER, f"{ISSUER}/realms/a", "weir")
    assert [(item.name, item.expression) for item in second.variables] == [("a", "claims.a"), ("b", "vars.a")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"issuerURL": None}, "oidcProviders[0].issuerURL: found nothing"),
        ({"issuerURL": "http://issuer.example"}, "oidcProviders[0].issuerURL: found 'http://issuer.example'"),
        ({"issuerURL": "https://a:b@issuer.example"}, "expected a URL such as"),
        ({"issuerURL": "https://issuer.example?a=b"}, "expected a URL such as"),
        ({"issuerURL": "https://issuer.example#"}, "expected a URL such as"),
        ({"issuerURL": "https://[::1"}, "expected a URL such as"),
        ({"issuerURL": "https:///a"}, "expected a URL such as"),
        ({"issuerURL": "https://issuer.example/\n"}, "expected a URL such as"),
        ({"validations": None}, "anybody may have tokens of a public issuer"),
        ({"validations": []}, "oidcProviders[0].validations: found [], expected one validation or more"),
        ({"validations": [{"message": "a"}]}, "validations[0].expression: found nothing"),
        ({"validations": [{"expression": "true", "message": ""}]}, "validations[0].message: found ''"),
        ({"variables": [{"name": "a-b", "expression": "1"}]}, "variables[0].name: found 'a-b'"),
        ({"variables": [{"name": "a"}]}, "variables[0].expression: found nothing"),
        ({"clientID": "a"}, "an unknown field"),
    ],
    ids=range(15),
)
def test_a_bad_issuer_is_named(change: dict[str, Any], expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_receiver(receiver_document(type=OIDC, oidcProviders=[{**PROVIDER, **change}]))
    assert str(caught.value).startswith("f.yaml: Receiver/apps/push: spec.oidcProviders[0]")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"oidcProviders": None}, "spec.oidcProviders: found nothing, expected one issuer or more"),
        ({"oidcProviders": []}, "spec.oidcProviders: found [], expected one issuer or more"),
        ({"secretRef": {"name": "a"}}, "spec.secretRef: found {'name': 'a'}, expected nothing for type"),
        (
            {"oidcProviders": [PROVIDER, PROVIDER]},
            "oidcProviders[1].issuerURL: found 'https://issuer.example'",
        ),
    ],
    ids=["none", "empty", "a secret", "twice"],
)
def test_oidc_has_issuers_and_no_secret(spec: dict[str, Any], expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_receiver(receiver_document(type=OIDC, **spec))
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
