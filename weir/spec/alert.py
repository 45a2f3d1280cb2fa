"""Alert (notification.toolkit.fluxcd.io/v1beta3): the fields of Flux's document, parsed once.

Rule: https://fluxcd.io/flux/components/notification/alerts/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.event import Severity
from weir.spec.fields import REQUIRED, Fields, name_only
from weir.spec.go_regexp import Pattern
from weir.spec.header import read_header, spec_fields
from weir.spec.identity import UnitId

KIND: Final = "Alert"
GROUP: Final = "notification.toolkit.fluxcd.io"
API_VERSIONS: Final = (f"{GROUP}/v1beta3",)
"""Versions of Alert and Provider that are read."""

ANY: Final = "*"
"""The name, and with it the namespace, that means all."""

MAX_SUMMARY: Final = 255
"""Characters."""

_KINDS: Final = (
    "Bucket",
    "GitRepository",
    "Kustomization",
    "HelmRelease",
    "HelmChart",
    "HelmRepository",
    "ImageRepository",
    "ImagePolicy",
    "ImageUpdateAutomation",
    "OCIRepository",
    "ArtifactGenerator",
    "ExternalArtifact",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """Whose events are meant: one object's, or with the name `*` those of all of a kind in a namespace, or in all."""

    kind: str
    namespace: str
    name: str
    labels: dict[str, str]
    """All of these the object must have; empty for no condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSpec:
    """One Alert object."""

    id: UnitId
    where: str
    """`file: Kind/namespace/name`, for messages."""
    provider: UnitId
    """In the same namespace."""
    sources: tuple[EventSource, ...]
    severity: Severity = Severity.INFO
    """The least that counts: `info` is everything."""
    inclusion_list: tuple[str, ...] = ()
    """Go regular expressions; a message must fit one of them, empty for any message. No message fits a bad one."""
    exclusion_list: tuple[str, ...] = ()
    """Go regular expressions; a message that fits one of them is left out, whatever else it fits."""
    metadata: dict[str, str]
    """What is added to the metadata of an event."""
    summary: str = ""
    suspend: bool = False


def parse_alert(document: Document, on_bad_pattern: Callable[[SpecError], None] | None = None) -> AlertSpec:
    """The spec of an Alert document. Raises SpecError.

    With `on_bad_pattern`, a regular expression that cannot be read is no error but left to it: as in Flux, no message
    fits that one, and the others of the lists count.
    """
    check_api_version(document)
    header = read_header(document)
    spec = spec_fields(document)
    parsed = AlertSpec(
        id=header.id,
        where=document.where,
        provider=_parse_provider_ref(spec, header.id.namespace),
        sources=_parse_sources(spec, header.id.namespace),
        severity=Severity(spec.text("eventSeverity", Severity.INFO.value, one_of=tuple(Severity))),
        inclusion_list=_parse_patterns(spec, "inclusionList", on_bad_pattern),
        exclusion_list=_parse_patterns(spec, "exclusionList", on_bad_pattern),
        metadata=spec.text_map("eventMetadata"),
        summary=spec.text("summary", ""),
        suspend=spec.boolean("suspend"),
    )
    spec.done()
    if len(parsed.summary) > MAX_SUMMARY:
        raise spec.error("summary", f"at most {MAX_SUMMARY} characters")
    return parsed


def check_api_version(document: Document) -> None:
    """Refuse versions of Flux's notification group that are not read. Raises SpecError."""
    Fields(document.data, document.where).text("apiVersion", one_of=API_VERSIONS)


def _parse_provider_ref(spec: Fields, namespace: str) -> UnitId:
    return UnitId("Provider", namespace, name_only(spec.child("providerRef", required=True)))


def _parse_sources(spec: Fields, namespace: str) -> tuple[EventSource, ...]:
    sources = tuple(_parse_source(item, namespace) for item in spec.children("eventSources"))
    if not sources:
        raise spec.error("eventSources", "one or more mappings with kind and name")
    return sources


def _parse_source(fields: Fields, namespace: str) -> EventSource:
    fields.text("apiVersion", "")
    source = EventSource(
        kind=fields.text("kind", one_of=_KINDS),
        namespace=_name_or_any(fields, "namespace", namespace),
        name=_name_or_any(fields, "name"),
        labels=fields.text_map("matchLabels"),
    )
    fields.done()
    if source.namespace == ANY and source.name != ANY:
        raise fields.error("namespace", f"a name, or '{ANY}' where name is '{ANY}' too")
    return source


def _name_or_any(fields: Fields, field: str, default: Any = REQUIRED) -> str:
    return ANY if fields.data.get(field) == ANY and fields.text(field) else fields.name(field, default)


def _parse_patterns(spec: Fields, field: str, on_bad: Callable[[SpecError], None] | None) -> tuple[str, ...]:
    texts: tuple[str, ...] = spec.texts(field)
    for index, text in enumerate(texts):
        try:
            Pattern.parse(text, spec.where, f"{spec.path}.{field}[{index}]")
        except SpecError as err:
            if on_bad is None:
                raise
            on_bad(err)
    return texts
