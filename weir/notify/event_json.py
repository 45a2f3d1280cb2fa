"""Events as Flux writes them, for programs that read Flux's.

Rule: https://fluxcd.io/flux/components/notification/events/#event-structure
"""

from __future__ import annotations

from typing import Any, Final

from weir.spec.event import Event

CONTROLLER: Final = "weir"
"""Who reports, where Flux names one of its controllers."""

_SOURCE: Final = "source.toolkit.fluxcd.io/v1"
_IMAGE: Final = "image.toolkit.fluxcd.io/v1"
_API_VERSIONS: Final = {
    "Kustomization": "kustomize.toolkit.fluxcd.io/v1",
    "HelmRelease": "helm.toolkit.fluxcd.io/v2",
    "ArtifactGenerator": "source.extensions.fluxcd.io/v1beta1",
    **dict.fromkeys(("GitRepository", "OCIRepository", "Bucket"), _SOURCE),
    **dict.fromkeys(("HelmRepository", "HelmChart", "ExternalArtifact"), _SOURCE),
    **dict.fromkeys(("ImageRepository", "ImagePolicy", "ImageUpdateAutomation"), _IMAGE),
}


def event_json(event: Event) -> dict[str, Any]:
    """An event in the form of Flux's. What Flux calls the reporting instance is the stack."""
    unit = event.unit
    involved = {
        "apiVersion": _API_VERSIONS.get(unit.kind, ""),
        "kind": unit.kind,
        "name": unit.name,
        "namespace": unit.namespace,
    }
    return {
        "involvedObject": involved,
        "severity": event.severity.value,
        "timestamp": event.at,
        "message": event.message,
        "reason": event.reason,
        "metadata": dict(event.metadata),
        "reportingController": CONTROLLER,
        "reportingInstance": event.stack,
    }
