"""ImageRepository (image.toolkit.fluxcd.io/v1 and v1beta2): the fields of Flux's document, parsed once.

Rule: https://fluxcd.io/flux/components/image/imagerepositories/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from weir.spec.documents import Document
from weir.spec.fields import Fields, name_only
from weir.spec.header import read_header, spec_fields
from weir.spec.identity import UnitId
from weir.spec.image_name import ImageName, parse_image_name

GROUP: Final = "image.toolkit.fluxcd.io"
API_VERSIONS: Final = (f"{GROUP}/v1", f"{GROUP}/v1beta2")
"""Of ImageRepository and ImagePolicy."""
EXCLUDED: Final = (r"^.*\.sig$",)
"""The exclusion list of a repository that has none: signatures of cosign."""
MAX_EXCLUDED: Final = 25
LEAST_TIMEOUT: Final = 1.0
"""Seconds; shorter timeouts are raised to this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRepositorySpec:
    """One ImageRepository object."""

    id: UnitId
    where: str
    """`file: Kind/namespace/name`, for messages."""
    annotations: dict[str, str]
    image: str
    """As written: without scheme, tag and digest."""
    interval: float
    """Seconds."""
    timeout: float
    """Seconds; the interval by default, at least one."""
    secret: str = ""
    """Name of a Secret in the same namespace."""
    service_account: str = ""
    cert_secret: str = ""
    proxy_secret: str = ""
    provider: str = "generic"
    insecure: bool = False
    """Whether plain HTTP is allowed."""
    exclusion_list: tuple[str, ...] = EXCLUDED
    """Regular expressions of tags that do not count, in Go's syntax."""
    access_from: tuple[dict[str, str], ...] = ()
    """Labels of other namespaces whose ImagePolicies may use it, one set for each selector."""
    suspend: bool = False

    @property
    def image_name(self) -> ImageName:
        """The image with registry and path made explicit."""
        return parse_image_name(self.image, f"{self.where}: spec.image")


def parse_image_repository(document: Document) -> ImageRepositorySpec:
    """The spec of an ImageRepository document. Raises SpecError."""
    check_api_version(document)
    header = read_header(document)
    spec = spec_fields(document)
    interval = spec.duration("interval")
    parsed = ImageRepositorySpec(
        id=header.id,
        where=document.where,
        annotations=header.annotations,
        image=_parse_image(spec),
        interval=interval,
        timeout=max(spec.duration("timeout", interval), LEAST_TIMEOUT),
        secret=name_only(spec.child("secretRef")),
        service_account=spec.name("serviceAccountName", ""),
        cert_secret=name_only(spec.child("certSecretRef")),
        proxy_secret=name_only(spec.child("proxySecretRef")),
        provider=spec.text("provider", "generic", one_of=("generic", "aws", "azure", "gcp")),
        insecure=spec.boolean("insecure"),
        exclusion_list=_parse_exclusion_list(spec),
        access_from=_parse_access(spec.child("accessFrom")),
        suspend=spec.boolean("suspend"),
    )
    spec.done()
    return parsed


def check_api_version(document: Document) -> None:
    """Refuse versions of Flux's image group that are not read. Raises SpecError."""
    Fields(document.data, document.where).text("apiVersion", one_of=API_VERSIONS)


def may_use(spec: ImageRepositorySpec, namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether ImagePolicies of a namespace with these labels may use the repository.

    Its own namespace always may; others when a selector of `accessFrom` matches, an empty one matching all.
    """
    if namespace == spec.id.namespace:
        return True
    return any(selector.items() <= labels.items() for selector in spec.access_from)


def _parse_image(spec: Fields) -> str:
    image: str = spec.text("image", expected="an image name such as ghcr.io/stefanprodan/podinfo")
    parse_image_name(image, f"{spec.where}: {spec.path}.image")
    return image


def _parse_exclusion_list(spec: Fields) -> tuple[str, ...]:
    patterns = spec.texts("exclusionList")
    if len(patterns) > MAX_EXCLUDED:
        raise spec.error("exclusionList", f"at most {MAX_EXCLUDED} regular expressions")
    return patterns or EXCLUDED


def _parse_access(fields: Fields | None) -> tuple[dict[str, str], ...]:
    if fields is None:
        return ()
    selectors = fields.children("namespaceSelectors")
    found = tuple(selector.text_map("matchLabels") for selector in selectors)
    for part in (*selectors, fields):
        part.done()
    return found
