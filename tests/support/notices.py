"""Alerts and Providers for tests."""

from __future__ import annotations

from typing import Any, Final

from weir.spec.alert import AlertSpec, parse_alert
from weir.spec.documents import Document
from weir.spec.provider import ProviderSpec, parse_provider

Obj = dict[str, Any]

_API: Final = "notification.toolkit.fluxcd.io/v1beta3"


def alert_object(provider: str = "sink", name: str = "all", **spec: Any) -> Obj:
    """An Alert on all Kustomizations of its namespace."""
    return {
        "apiVersion": _API,
        "kind": "Alert",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {
            "providerRef": {"name": provider},
            "eventSources": [{"kind": "Kustomization", "name": "*"}],
            **spec,
        },
    }


def provider_object(address: str, kind: str = "generic", name: str = "sink", **spec: Any) -> Obj:
    """A Provider."""
    return {
        "apiVersion": _API,
        "kind": "Provider",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {"type": kind, "address": address, **spec},
    }


def alert(provider: str = "sink", name: str = "all", **spec: Any) -> AlertSpec:
    """The same, parsed."""
    return parse_alert(Document("alert.yaml", 0, alert_object(provider, name, **spec)))


def provider(address: str, kind: str = "generic", name: str = "sink", **spec: Any) -> ProviderSpec:
    """The same, parsed."""
    return parse_provider(Document("provider.yaml", 0, provider_object(address, kind, name, **spec)))
