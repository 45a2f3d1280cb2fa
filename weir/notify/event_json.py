"""Events as Flux writes them, for programs that read Flux's.

Rule: https://fluxcd.io/flux/components/notification/events/#event-structure
"""

from __future__ import annotations

from typing import Any, Final

from weir.notify.uid import uid
from weir.spec.event import Event

CONTROLLER: Final = "weir"
"""Who reports, to people."""

_SOURCE: Final = ("source.toolkit.fluxcd.io/v1", "source-controller")
_REFLECTOR: Final = ("image.toolkit.fluxcd.io/v1", "image-reflector-controller")
_FLUX: Final = {
    "Kustomization": ("kustomize.toolkit.fluxcd.io/v1", "kustomize-controller"),
    "HelmRelease": ("helm.toolkit.fluxcd.io/v2", "helm-controller"),
    "ArtifactGenerator": ("source.extensions.fluxcd.io/v1beta1", "source-watcher"),
    "ImageUpdateAutomation": ("image.toolkit.fluxcd.io/v1", "image-automation-controller"),
    **dict.fromkeys(("GitRepository", "OCIRepository", "Bucket"), _SOURCE),
    **dict.fromkeys(("HelmRepository", "HelmChart", "ExternalArtifact"), _SOURCE),
    **dict.fromkeys(("ImageRepository", "ImagePolicy"), _REFLECTOR),
}
"""Kind -> its version, and the controller that reports it in Flux: what reads Flux's events goes by these."""


def controller(event: Event) -> str:
    """Whom Flux's event names as the reporting controller."""
    return _FLUX.get(event.unit.kind, ("", CONTROLLER))[1]


def instance(event: Event) -> str:
    """Who reports in truth: Weir, and for which stack."""
    return f"{CONTROLLER}/{event.stack}"


def event_json(event: Event) -> dict[str, Any]:
    """An event in the form of Flux's."""
    unit = event.unit
    involved = {
        "apiVersion": _FLUX.get(unit.kind, ("", ""))[0],
        "kind": unit.kind,
        "name": unit.name,
        "namespace": unit.namespace,
        "uid": uid(unit, event.stack),
    }
    return {
        "involvedObject": involved,
        "severity": event.severity.value,
        "timestamp": event.at,
        "message": event.message,
        "reason": event.reason,
        "metadata": dict(event.metadata),
        "reportingController": controller(event),
        "reportingInstance": instance(event),
    }
