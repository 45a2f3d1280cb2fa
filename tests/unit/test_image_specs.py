"""ImageRepository and ImagePolicy as specs: defaults, every refusal with file, field, found, expected."""

from __future__ import annotations

from typing import Any

import pytest

from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.image_policy import (
    AlphabeticalRule,
    MoveRules,
    NumericalRule,
    SemverRule,
    TagFilter,
    parse_image_policy,
)
from weir.spec.image_repository import may_use, parse_image_repository

V1 = "image.toolkit.fluxcd.io/v1"


def document(
    kind: str, spec: dict[str, Any], annotations: dict[str, str] | None = None, version: str = V1
) -> Document:
    metadata = {"name": "web", "namespace": "apps", "annotations": annotations or {}}
    return Document("f.yaml", 0, {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})


def repository(**spec: Any) -> Document:
    return document("ImageRepository", {"image": "ghcr.io/acme/web", "interval": "5m", **spec})


def policy(annotations: dict[str, str] | None = None, **spec: Any) -> Document:
    base = {"imageRepositoryRef": {"name": "web"}, "policy": {"semver": {"range": "1.x"}}}
    return document("ImagePolicy", {**base, **spec}, annotations)


def test_a_repository_has_flux_defaults() -> None:
    spec = parse_image_repository(repository())
    assert (spec.interval, spec.timeout, spec.provider, spec.insecure) == (300.0, 300.0, "generic", False)
    assert spec.exclusion_list == (r"^.*\.sig$",)


def test_a_repository_with_every_field() -> None:
    spec = parse_image_repository(
        repository(
            timeout="30s",
            secretRef={"name": "pull"},
            serviceAccountName="scanner",
            certSecretRef={"name": "ca"},
            proxySecretRef={"name": "proxy"},
            provider="aws",
            insecure=True,
            exclusionList=["-debug$"],
            accessFrom={"namespaceSelectors": [{"matchLabels": {"team": "a"}}]},
            suspend=True,
        )
    )
    assert (spec.timeout, spec.secret, spec.service_account) == (30.0, "pull", "scanner")
    assert (spec.cert_secret, spec.proxy_secret, spec.provider) == ("ca", "proxy", "aws")
    assert (spec.insecure, spec.suspend, spec.exclusion_list) == (True, True, ("-debug$",))
    assert spec.access_from == ({"team": "a"},)


def test_an_empty_exclusion_list_is_the_default_and_a_short_timeout_is_a_second() -> None:
    spec = parse_image_repository(repository(exclusionList=[], timeout="10ms"))
    assert (spec.exclusion_list, spec.timeout) == ((r"^.*\.sig$",), 1.0)


@pytest.mark.parametrize("version", [V1, "image.toolkit.fluxcd.io/v1beta2"])
def test_both_versions_are_read(version: str) -> None:
    spec = parse_image_policy(document("ImagePolicy", policy().data["spec"], version=version))
    assert str(spec.repository) == "ImageRepository/apps/web"


@pytest.mark.parametrize("kind", ["ImageRepository", "ImagePolicy"])
def test_another_version_is_refused(kind: str) -> None:
    parse = {"ImageRepository": parse_image_repository, "ImagePolicy": parse_image_policy}[kind]
    with pytest.raises(
        SpecError, match=r"apiVersion: found 'image\.toolkit\.fluxcd\.io/v1alpha1', expected .*/v1 or"
    ):
        parse(document(kind, {}, version="image.toolkit.fluxcd.io/v1alpha1"))


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("image", None, "an image name"),
        ("image", "https://ghcr.io/acme/web", "without scheme"),
        ("image", "ghcr.io/acme/web:1.0", "without scheme, tag and digest"),
        ("image", "ghcr.io/acme/web@sha256:" + "a" * 64, "without scheme, tag and digest"),
        ("image", "ghcr.io/Acme/web", "an image name"),
        ("image", "ghcr.io//web", "an image name"),
        ("image", "../web", "an image name"),
        ("image", "a/" * 200 + "b", "at most 255 characters"),
        ("interval", "soon", "a duration such as"),
        ("provider", "github", "generic or aws or azure or gcp"),
        ("exclusionList", "x", "a list of texts"),
        ("exclusionList", ["x"] * 26, "at most 25"),
        ("accessFrom", {"namespaceSelector": []}, "an unknown field"),
        ("accessFrom", {"namespaceSelectors": [{"matchExpressions": []}]}, "an unknown field"),
        ("secretRef", {"name": "Bad_Name"}, "a name of lower-case letters"),
        ("insecure", "yes", "true or false"),
        ("scanInterval", "1m", "an unknown field"),
    ],
)
def test_a_bad_repository_field_is_named(field: str, value: Any, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_image_repository(repository(**{field: value}))
    assert str(caught.value).startswith(f"f.yaml: ImageRepository/apps/web: spec.{field}")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("image", "want"),
    [
        ("alpine", "docker.io/library/alpine"),
        ("acme/web", "docker.io/acme/web"),
        ("docker.io/alpine", "docker.io/library/alpine"),
        ("index.docker.io/acme/web", "docker.io/acme/web"),
        ("ghcr.io/acme/web", "ghcr.io/acme/web"),
        ("localhost/web", "localhost/web"),
        ("registry:5000/web", "registry:5000/web"),
        ("[::1]:5000/web", "[::1]:5000/web"),
    ],
)
def test_an_image_has_one_full_name(image: str, want: str) -> None:
    assert parse_image_repository(repository(image=image)).image_name.canonical == want


@pytest.mark.parametrize(
    ("access", "namespace", "labels", "want"),
    [
        (None, "apps", {}, True),
        (None, "other", {}, False),
        ({"namespaceSelectors": []}, "other", {"team": "a"}, False),
        ({"namespaceSelectors": [{}]}, "other", {}, True),
        ({"namespaceSelectors": [{"matchLabels": {"team": "a"}}]}, "other", {"team": "a", "x": "y"}, True),
        ({"namespaceSelectors": [{"matchLabels": {"team": "a", "x": "z"}}]}, "other", {"team": "a"}, False),
        (
            {"namespaceSelectors": [{"matchLabels": {"team": "b"}}, {"matchLabels": {"team": "a"}}]},
            "other",
            {"team": "a"},
            True,
        ),
    ],
)
def test_who_may_use_a_repository(
    access: dict[str, Any] | None, namespace: str, labels: dict[str, str], want: bool
) -> None:
    assert may_use(parse_image_repository(repository(accessFrom=access)), namespace, labels) is want


@pytest.mark.parametrize(
    ("choice", "rule"),
    [
        ({"semver": {"range": "^1.2"}}, SemverRule("^1.2")),
        ({"alphabetical": {}}, AlphabeticalRule()),
        ({"alphabetical": {"order": "desc"}, "numerical": None}, AlphabeticalRule(descending=True)),
        ({"numerical": {"order": "asc"}}, NumericalRule()),
        ({"numerical": {"order": "desc"}}, NumericalRule(descending=True)),
    ],
)
def test_the_rule_of_a_policy(choice: dict[str, Any], rule: object) -> None:
    assert parse_image_policy(policy(policy=choice)).rule == rule


def test_a_policy_with_every_field() -> None:
    spec = parse_image_policy(
        policy(
            {"weir.dev/minimum-age": "1h30m", "weir.dev/missing-tag": "rollback", "team": "a"},
            imageRepositoryRef={"name": "web", "namespace": "images"},
            filterTags={"pattern": "^main-(?P<n>[0-9]+)$", "extract": "$n"},
            digestReflectionPolicy="Always",
            interval="10m",
            suspend=True,
        )
    )
    assert str(spec.repository) == "ImageRepository/images/web"
    assert spec.filter_tags == TagFilter(pattern="^main-(?P<n>[0-9]+)$", extract="$n")
    assert (spec.digest_reflection, spec.interval, spec.suspend) == ("Always", 600.0, True)
    assert spec.moves == MoveRules(minimum_age=5400.0, missing_tag="rollback")


def test_a_policy_without_annotations_never_goes_back() -> None:
    assert parse_image_policy(policy()).moves == MoveRules(
        minimum_age=0.0, allow_downgrade=False, missing_tag="hold"
    )


@pytest.mark.parametrize(
    ("field", "spec", "expected"),
    [
        ("policy", {"policy": {}}, "found nothing, expected exactly one of semver, alphabetical and"),
        ("policy", {"policy": None}, "a mapping"),
        (
            "policy",
            {"policy": {"semver": {"range": "1"}, "numerical": {}}},
            "found 'semver and numerical', expected exactly one",
        ),
        ("policy.calver", {"policy": {"calver": {}, "numerical": {}}}, "an unknown field"),
        ("policy.semver.range", {"policy": {"semver": {}}}, "a text"),
        ("policy.semver.range", {"policy": {"semver": {"range": 1}}}, "a text"),
        ("policy.semver.order", {"policy": {"semver": {"range": "1", "order": "asc"}}}, "an unknown"),
        ("policy.numerical.order", {"policy": {"numerical": {"order": "ASC"}}}, "asc or desc"),
        ("filterTags.patern", {"filterTags": {"patern": "x"}}, "an unknown field"),
        ("digestReflectionPolicy", {"digestReflectionPolicy": "always"}, "Never or IfNotPresent or Always"),
        ("interval", {"digestReflectionPolicy": "Always"}, "found nothing, expected a duration"),
        ("interval", {"interval": "1m"}, "nothing unless spec.digestReflectionPolicy is Always"),
        ("imageRepositoryRef", {"imageRepositoryRef": None}, "a mapping"),
        ("imageRepositoryRef.kind", {"imageRepositoryRef": {"name": "a", "kind": "b"}}, "an unknown field"),
        ("tags", {"tags": []}, "an unknown field"),
    ],
)
def test_a_bad_policy_field_is_named(field: str, spec: dict[str, Any], expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_image_policy(policy(**spec))
    assert str(caught.value).startswith(f"f.yaml: ImagePolicy/apps/web: spec.{field}: ")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("minimum-age", "1d", "a duration such as"),
        ("allow-downgrade", "yes", "true or false"),
        ("missing-tag", "delete", "hold or rollback"),
        ("minimum-aeg", "1h", "an unknown field"),
    ],
)
def test_a_bad_annotation_is_named(key: str, value: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_image_policy(policy({f"weir.dev/{key}": value}))
    assert str(caught.value).startswith(
        f"f.yaml: ImagePolicy/apps/web: metadata.annotations.weir.dev/{key}: "
    )
    assert expected in str(caught.value)
