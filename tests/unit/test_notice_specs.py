"""Alert and Provider as specs: defaults, every field, every refusal with file, field, found, expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.alerts import notice
from weir.spec.alert import EventSource, parse_alert
from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.event import Severity
from weir.spec.provider import COMMENT_TYPES, MESSAGE_TYPES, STATUS_TYPES, parse_provider

SOURCES = [{"kind": "Kustomization", "name": "*"}]


def alert(**spec: Any) -> Document:
    return notice("Alert", {"providerRef": {"name": "slack"}, "eventSources": SOURCES, **spec})


def provider(**spec: Any) -> Document:
    return notice("Provider", {"type": "slack", **spec})


def refusal(parse: Callable[[Document], object], document: Document) -> str:
    with pytest.raises(SpecError) as caught:
        parse(document)
    where = f"f.yaml: {document.data['kind']}/flux-system/ops: "
    assert str(caught.value).startswith(where)
    return str(caught.value).removeprefix(where)


def test_an_alert_has_flux_defaults() -> None:
    spec = parse_alert(alert())
    assert str(spec.provider) == "Provider/flux-system/slack"
    assert spec.sources == (EventSource(kind="Kustomization", namespace="flux-system", name="*", labels={}),)
    assert (spec.severity, spec.suspend, spec.summary, spec.metadata) == (Severity.INFO, False, "", {})
    assert (spec.inclusion_list, spec.exclusion_list) == ((), ())


def test_an_alert_with_every_field() -> None:
    spec = parse_alert(
        alert(
            eventSeverity="error",
            eventSources=[
                {
                    "apiVersion": "source.toolkit.fluxcd.io/v1",
                    "kind": "GitRepository",
                    "name": "fleet",
                    "namespace": "apps",
                    "matchLabels": {"team": "a"},
                },
                {"kind": "HelmRelease", "name": "*", "namespace": "*"},
            ],
            inclusionList=[".*succeeded.*"],
            exclusionList=["waiting.*socket", r"\bretry\b"],
            eventMetadata={"env": "prod"},
            summary="Production",
            suspend=True,
        )
    )
    assert spec.severity is Severity.ERROR
    assert spec.sources == (
        EventSource(kind="GitRepository", namespace="apps", name="fleet", labels={"team": "a"}),
        EventSource(kind="HelmRelease", namespace="*", name="*", labels={}),
    )
    assert spec.inclusion_list == (".*succeeded.*",)
    assert spec.exclusion_list == ("waiting.*socket", r"\bretry\b")
    assert (spec.metadata, spec.summary, spec.suspend) == ({"env": "prod"}, "Production", True)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"providerRef": None}, "spec.providerRef: found nothing, expected a mapping"),
        (
            {"eventSources": []},
            "spec.eventSources: found [], expected one or more mappings with kind and name",
        ),
        (
            {"eventSources": [{"kind": "Deployment", "name": "*"}]},
            "spec.eventSources[0].kind: found 'Deployment'",
        ),
        ({"eventSources": [{"kind": "Bucket"}]}, "spec.eventSources[0].name: found nothing"),
        (
            {"eventSources": [{"kind": "Bucket", "name": "a", "namespace": "*"}]},
            "spec.eventSources[0].namespace: found '*', expected a name, or '*' where name is '*' too",
        ),
        ({"eventSeverity": "warn"}, "spec.eventSeverity: found 'warn', expected info or error"),
        (
            {"inclusionList": ["ok", "("]},
            "spec.inclusionList[1]: found '(', expected a regular expression in Go's",
        ),
        (
            {"exclusionList": ["a(?=b)"]},
            "spec.exclusionList[0]: found 'a(?=b)', expected a regular expression",
        ),
        ({"summary": "x" * 256}, "spec.summary: found 'xxx"),
        ({"summery": "x"}, "spec.summery: found 'an unknown field'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_an_alert_that_says_something_else_is_refused(spec: dict[str, Any], expected: str) -> None:
    assert refusal(parse_alert, alert(**spec)).startswith(expected)


def test_a_provider_has_flux_defaults() -> None:
    spec = parse_provider(provider())
    assert (spec.type, spec.timeout, spec.suspend) == ("slack", 15.0, False)
    assert (spec.address, spec.channel, spec.username, spec.secret, spec.proxy) == ("", "", "", "", "")


def test_a_provider_with_every_field() -> None:
    spec = parse_provider(
        provider(
            type="gitlab",
            interval="10m",
            address="https://gitlab.example/acme/fleet",
            channel="deploys",
            username="bot",
            timeout="30s",
            secretRef={"name": "token"},
            certSecretRef={"name": "ca"},
            proxy="http://proxy.example:3128",
            proxySecretRef={"name": "proxy"},
            commitStatusExpr="event.involvedObject.kind",
            suspend=True,
        )
    )
    assert (spec.address, spec.channel, spec.username) == (
        "https://gitlab.example/acme/fleet",
        "deploys",
        "bot",
    )
    assert (spec.secret, spec.cert_secret, spec.proxy_secret) == ("token", "ca", "proxy")
    assert (spec.timeout, spec.proxy, spec.suspend) == (30.0, "http://proxy.example:3128", True)
    assert spec.commit_status_expr == "event.involvedObject.kind"


@pytest.mark.parametrize("kind", [*MESSAGE_TYPES, *STATUS_TYPES, *COMMENT_TYPES])
def test_every_known_type_is_read(kind: str) -> None:
    assert parse_provider(provider(type=kind)).type == kind


def test_a_type_that_weir_does_not_send_to_is_refused_with_those_it_knows() -> None:
    text = refusal(parse_provider, provider(type="nats"))
    assert text.startswith("spec.type: found 'nats', expected generic or generic-hmac or slack or ")
    assert all(f" {kind}" in text for kind in (*MESSAGE_TYPES, *STATUS_TYPES, *COMMENT_TYPES))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"address": "x" * 2049}, "spec.address: found 'xxx"),
        (
            {"proxy": "socks5://proxy"},
            "spec.proxy: found 'socks5://proxy', expected an http:// or https:// URL",
        ),
        ({"timeout": "soon"}, "spec.timeout: found 'soon', expected a duration"),
        ({"serviceAccountName": "sender"}, "spec.serviceAccountName: found 'sender', expected nothing"),
        (
            {"commitStatusExpr": "'a'"},
            "spec.commitStatusExpr: found \"'a'\", expected nothing for type slack",
        ),
        ({"token": "abc"}, "spec.token: found 'an unknown field'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_provider_that_says_something_else_is_refused(spec: dict[str, Any], expected: str) -> None:
    assert refusal(parse_provider, provider(**spec)).startswith(expected)


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1beta2"])
def test_another_version_is_refused(version: str) -> None:
    version = f"notification.toolkit.fluxcd.io/{version}"
    expected = f"apiVersion: found '{version}', expected notification.toolkit.fluxcd.io/v1beta3"
    for kind, parse in (("Alert", parse_alert), ("Provider", parse_provider)):
        assert refusal(parse, notice(kind, {}, version=version)) == expected
