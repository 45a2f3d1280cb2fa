"""What all of Flux's documents share: apiVersion, kind, metadata, and the outline of spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.fields import REQUIRED, Fields
from weir.spec.identity import UnitId

FLUX_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "source.toolkit.fluxcd.io": (
        "GitRepository",
        "OCIRepository",
        "HelmRepository",
        "HelmChart",
        "Bucket",
        "ExternalArtifact",
    ),
    "source.extensions.fluxcd.io": ("ArtifactGenerator",),
    "kustomize.toolkit.fluxcd.io": ("Kustomization",),
    "helm.toolkit.fluxcd.io": ("HelmRelease",),
    "image.toolkit.fluxcd.io": ("ImageRepository", "ImagePolicy", "ImageUpdateAutomation"),
    "notification.toolkit.fluxcd.io": ("Alert", "Provider", "Receiver"),
}
"""The kinds of Flux's API groups. Rule: the CustomResourceDefinitions that Flux 2.9 installs."""
FLUX_GROUPS: Final = tuple(FLUX_KINDS)
"""Groups whose objects are units and are never applied to the cluster."""

DEFAULT_NAMESPACE: Final = "flux-system"
"""Where an object lives that names no namespace."""

OWN: Final = "weir.dev/"
"""What annotations of Flux's objects start with that only Weir reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Identity and metadata of one document."""

    id: UnitId
    labels: dict[str, str]
    annotations: dict[str, str]


def is_flux_object(data: dict[str, object]) -> bool:
    """Whether a manifest is one of Flux's own kinds."""
    return str(data.get("apiVersion", "")).partition("/")[0] in FLUX_GROUPS


def read_header(document: Document, default_namespace: str = DEFAULT_NAMESPACE) -> Header:
    """Identity, labels and annotations of a document. Raises SpecError."""
    fields = Fields(document.data, document.where)
    kind = fields.text("kind", expected="a kind")
    fields.text("apiVersion", expected="an API version")
    meta = fields.child("metadata", required=True)
    if meta is None:
        raise fields.error("metadata", "a mapping")
    name = meta.name("name", REQUIRED)
    namespace = meta.name("namespace", default_namespace)
    unit = UnitId(kind, namespace, name)
    return Header(id=unit, labels=meta.text_map("labels"), annotations=meta.text_map("annotations"))


def own_annotations(annotations: Mapping[str, str], where: str) -> Fields:
    """Weir's annotations, as fields that are called by their full names; `where` is for messages."""
    values = {key: text for key, text in annotations.items() if key.startswith(OWN)}
    return Fields(values, where, "metadata.annotations")


def spec_fields(document: Document) -> Fields:
    """The fields of `spec`; refuses unknown fields beside it. Raises SpecError."""
    fields = Fields(document.data, document.where)
    spec = fields.child("spec", required=True)
    fields.mapping("metadata")
    fields.mapping("status")
    fields.text("kind", "")
    fields.text("apiVersion", "")
    fields.done()
    if spec is None:
        raise SpecError.at(document.where, "spec", found=None, expected="a mapping")
    return spec
