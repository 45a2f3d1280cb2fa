"""Receiver (notification.toolkit.fluxcd.io/v1 and v1beta2): the fields of Flux's document, parsed once.

Rule: https://fluxcd.io/flux/components/notification/receivers/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.fields import Fields, name_only
from weir.spec.header import read_header, spec_fields
from weir.spec.identity import UnitId
from weir.spec.oidc_provider import OidcProvider, parse_oidc_providers

GROUP: Final = "notification.toolkit.fluxcd.io"
API_VERSIONS: Final = (f"{GROUP}/v1", f"{GROUP}/v1beta2")
ANY: Final = "*"
"""The name that stands for every unit of a kind and namespace with certain labels."""
INTERVAL: Final = 600.0
"""Seconds; what Flux takes when the field is missing."""

OIDC: Final = "generic-oidc"
TYPES: Final = (
    "generic",
    "generic-hmac",
    OIDC,
    "github",
    "gitlab",
    "bitbucket",
    "harbor",
    "dockerhub",
    "quay",
    "gcr",
    "nexus",
    "acr",
    "cdevents",
)
"""Senders whose webhooks are understood."""
TOKEN_TYPES: Final = (OIDC, "gcr")
"""Senders that prove themselves by an ID token of an identity provider."""

_SOURCE: Final = "source.toolkit.fluxcd.io"
_IMAGE: Final = "image.toolkit.fluxcd.io"
KINDS: Final[Mapping[str, str]] = {
    "Bucket": _SOURCE,
    "ExternalArtifact": _SOURCE,
    "GitRepository": _SOURCE,
    "HelmChart": _SOURCE,
    "HelmRepository": _SOURCE,
    "OCIRepository": _SOURCE,
    "ArtifactGenerator": "source.extensions.fluxcd.io",
    "HelmRelease": "helm.toolkit.fluxcd.io",
    "ImagePolicy": _IMAGE,
    "ImageRepository": _IMAGE,
    "ImageUpdateAutomation": _IMAGE,
    "Kustomization": "kustomize.toolkit.fluxcd.io",
}
"""What a receiver may ask for, and the API group that each kind belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverResource:
    """Units that a webhook asks for: one by name, or all of a kind and namespace with certain labels."""

    kind: str
    name: str
    """`*` for those that `labels` means."""
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    filter: str = ""
    """CEL that has to be true as well; empty for always."""

    def means(self, unit: UnitId, labels: Mapping[str, str]) -> bool:
        """Whether a unit with these labels is meant, its filter left aside."""
        if (unit.kind, unit.namespace) != (self.kind, self.namespace):
            return False
        return self.labels.items() <= labels.items() if self.name == ANY else unit.name == self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSpec:
    """One Receiver object."""

    id: UnitId
    where: str
    """`file: Kind/namespace/name`, for messages."""
    annotations: dict[str, str]
    type: str
    """One of TYPES."""
    interval: float = INTERVAL
    """Seconds. Flux reads the Secret again so often; Weir does within a minute."""
    events: tuple[str, ...] = ()
    """Events that count, in any case of letters; all when empty. Only some types name their events."""
    resources: tuple[ReceiverResource, ...]
    resource_filter: str = ""
    """CEL that has to be true for each unit; empty for always."""
    secret: str = ""
    """Name of a Secret in the same namespace, with the key `token`; empty for OIDC only."""
    providers: tuple[OidcProvider, ...] = ()
    """Never empty for OIDC, empty for all others."""
    suspend: bool = False


def parse_receiver(document: Document) -> ReceiverSpec:
    """The spec of a Receiver document. Raises SpecError."""
    Fields(document.data, document.where).text("apiVersion", one_of=API_VERSIONS)
    header = read_header(document)
    spec = spec_fields(document)
    kind: str = spec.text("type", one_of=TYPES)
    parsed = ReceiverSpec(
        id=header.id,
        where=document.where,
        annotations=header.annotations,
        type=kind,
        interval=spec.duration("interval", INTERVAL),
        events=spec.texts("events"),
        resources=_parse_resources(spec, header.id.namespace),
        resource_filter=spec.text("resourceFilter", ""),
        secret=name_only(spec.child("secretRef", required=kind != OIDC)),
        providers=parse_oidc_providers(spec),
        suspend=spec.boolean("suspend"),
    )
    spec.done()
    _check_proof(spec, parsed)
    return parsed


def _check_proof(spec: Fields, parsed: ReceiverSpec) -> None:
    """OIDC has issuers and no Secret, all others the other way round."""
    if parsed.type != OIDC:
        if parsed.providers:
            raise spec.error("oidcProviders", f"nothing for type {parsed.type}")
    elif parsed.secret:
        raise spec.error("secretRef", f"nothing for type {OIDC}: the sender's ID token is the proof")
    elif not parsed.providers:
        raise spec.error("oidcProviders", "one issuer or more")


def _parse_resources(spec: Fields, namespace: str) -> tuple[ReceiverResource, ...]:
    found = tuple(_parse_resource(fields, namespace) for fields in spec.children("resources"))
    if not found:
        raise spec.error("resources", "one resource or more")
    return found


def _parse_resource(fields: Fields, namespace: str) -> ReceiverResource:
    kind: str = fields.text("kind", one_of=KINDS)
    version: str = fields.text("apiVersion", "")
    if version and version.partition("/")[0] != KINDS[kind]:
        raise fields.error("apiVersion", f"{KINDS[kind]}/<version>, or nothing")
    anyone = fields.data.get("name") == ANY
    name: str = fields.text("name") if anyone else fields.name("name")
    labels = fields.text_map("matchLabels")
    _check_labels(fields, anyone=anyone, labels=labels)
    found = ReceiverResource(
        kind=kind,
        name=name,
        namespace=fields.name("namespace", namespace),
        labels=labels,
        filter=fields.text("filter", ""),
    )
    fields.done()
    return found


def _check_labels(fields: Fields, *, anyone: bool, labels: Mapping[str, str]) -> None:
    """Labels go with `*` and only with it: alone it would mean everything, and a name would leave them unread."""
    if anyone and not labels:
        raise fields.error("matchLabels", f"labels, because name is {ANY!r}")
    if labels and not anyone:
        raise SpecError.at(
            fields.where,
            f"{fields.path}.name",
            found=fields.data.get("name"),
            expected=f"{ANY!r} beside matchLabels",
        )
