"""Kustomization (kustomize.toolkit.fluxcd.io/v1): the fields of Flux's document, parsed once.

Rule: https://fluxcd.io/flux/components/kustomize/kustomizations/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.fields import Fields
from weir.spec.header import read_header, spec_fields
from weir.spec.identity import UnitId
from weir.spec.tree import FOLDER, confined

KIND: Final = "Kustomization"
GROUP: Final = "kustomize.toolkit.fluxcd.io"
SOURCE_KINDS: Final = ("GitRepository", "OCIRepository", "Bucket", "ExternalArtifact")
LEAST_TIMEOUT: Final = 30.0
"""Seconds; kustomize-controller raises shorter timeouts to this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which objects a patch or an ignore rule touches; texts are regular expressions, empty means any."""

    group: str = ""
    version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    label_selector: str = ""
    annotation_selector: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A strategic merge or JSON 6902 patch, as written."""

    patch: str
    target: Selector | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An entry of `images`."""

    name: str
    new_name: str = ""
    new_tag: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubstituteFrom:
    """A ConfigMap, Secret or (Weir's own) StackOutput or Config that holds variables."""

    kind: str
    name: str
    optional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One object whose health counts."""

    api_version: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthExpr:
    """CEL rules of health for a kind; only the group of `api_version` counts, an empty kind means all of the group."""

    api_version: str
    kind: str
    current: str
    in_progress: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A unit that must be ready first, perhaps by a CEL rule over `self` and `dep`."""

    id: UnitId
    ready_expr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRule:
    """JSON pointers left out of drift and apply; no target means all objects."""

    paths: tuple[str, ...]
    target: Selector | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KustomizationSpec:
    """One Kustomization object."""

    id: UnitId
    where: str
    labels: dict[str, str]
    annotations: dict[str, str]
    source: UnitId
    path: str
    """Folder inside the artifact, without empty, `.` and `..` parts; empty for its root."""
    interval: float
    """Seconds."""
    retry_interval: float
    """Seconds."""
    timeout: float
    """Seconds for build, apply and health together."""
    prune: bool
    wait: bool = False
    force: bool = False
    suspend: bool = False
    deletion_policy: str = "MirrorPrune"
    target_namespace: str = ""
    name_prefix: str = ""
    name_suffix: str = ""
    service_account: str = ""
    kube_config_secret: str = ""
    kube_config_key: str = ""
    depends_on: tuple[Dependency, ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False
    patches: tuple[Patch, ...] = ()
    images: tuple[Image, ...] = ()
    common_labels: dict[str, str] = field(default_factory=dict)
    common_annotations: dict[str, str] = field(default_factory=dict)
    build_metadata: tuple[str, ...] = ()
    substitute: dict[str, str] = field(default_factory=dict)
    substitute_from: tuple[SubstituteFrom, ...] = ()
    substitute_strategy: str = "WithVariables"
    post_build: bool = False
    """Whether spec.postBuild is present at all."""
    health_checks: tuple[HealthCheck, ...] = ()
    health_exprs: tuple[HealthExpr, ...] = ()
    ignore: tuple[IgnoreRule, ...] = ()
    decryption: bool = False
    raw: dict[str, Any] = field(default_factory=dict)
    """The document as written, for `self` in CEL and for digests."""
    confidential: bool = False
    """Whether the document holds the value of a secret variable of its parent."""


def parse_kustomization(document: Document) -> KustomizationSpec:
    """The spec of a Kustomization document. Raises SpecError."""
    header = read_header(document)
    spec = spec_fields(document)
    namespace = header.id.namespace
    interval = spec.duration("interval")
    parsed = KustomizationSpec(
        id=header.id,
        where=document.where,
        labels=header.labels,
        annotations=header.annotations,
        source=_parse_source(spec, namespace),
        path=_parse_path(spec),
        interval=interval,
        retry_interval=spec.duration("retryInterval", interval),
        timeout=max(spec.duration("timeout", interval - LEAST_TIMEOUT), LEAST_TIMEOUT),
        prune=spec.boolean("prune", None),
        depends_on=tuple(_parse_dependency(item, namespace) for item in spec.children("dependsOn")),
        **_parse_build(spec),
        **_parse_post_build(spec.child("postBuild")),
        **_parse_behaviour(spec, namespace),
        raw=document.data,
        confidential=document.confidential,
    )
    if parsed.prune is None:
        raise spec.error("prune", "true or false")
    spec.done()
    return parsed


def _parse_source(spec: Fields, namespace: str) -> UnitId:
    source = spec.child("sourceRef", required=True)
    if source is None:
        raise spec.error("sourceRef", "a mapping")
    kind = source.text("kind", one_of=SOURCE_KINDS)
    source.text("apiVersion", "")
    unit = UnitId(kind, source.name("namespace", namespace), source.name("name"))
    source.done()
    return unit


def _parse_path(spec: Fields) -> str:
    folder = confined(spec.text("path", ""))
    if folder is None:
        raise spec.error("path", FOLDER)
    return folder


def _parse_dependency(fields: Fields, namespace: str) -> Dependency:
    kind = fields.text("kind", KIND)
    unit = UnitId(kind, fields.name("namespace", namespace), fields.name("name"))
    dependency = Dependency(id=unit, ready_expr=fields.text("readyExpr", ""))
    fields.text("apiVersion", "")
    fields.done()
    return dependency


def _parse_build(spec: Fields) -> dict[str, Any]:
    meta = spec.child("commonMetadata")
    labels = meta.text_map("labels") if meta else {}
    annotations = meta.text_map("annotations") if meta else {}
    if meta:
        meta.done()
    components = spec.texts("components")
    for component in components:
        if component.startswith("/") or "://" in component:
            raise spec.error("components", "relative paths inside the source")
    return {
        "target_namespace": spec.name("targetNamespace", ""),
        "name_prefix": spec.text("namePrefix", ""),
        "name_suffix": spec.text("nameSuffix", ""),
        "components": components,
        "ignore_missing_components": spec.boolean("ignoreMissingComponents"),
        "patches": tuple(_parse_patch(item) for item in spec.children("patches")),
        "images": tuple(_parse_image(item) for item in spec.children("images")),
        "build_metadata": spec.texts("buildMetadata"),
        "common_labels": labels,
        "common_annotations": annotations,
        "decryption": spec.child("decryption") is not None,
    }


def _parse_patch(fields: Fields) -> Patch:
    patch = Patch(patch=fields.text("patch"), target=_parse_selector(fields.child("target")))
    fields.done()
    return patch


def _parse_selector(fields: Fields | None) -> Selector | None:
    if fields is None:
        return None
    selector = Selector(
        group=fields.text("group", ""),
        version=fields.text("version", ""),
        kind=fields.text("kind", ""),
        namespace=fields.text("namespace", ""),
        name=fields.text("name", ""),
        label_selector=fields.text("labelSelector", ""),
        annotation_selector=fields.text("annotationSelector", ""),
    )
    fields.done()
    return selector


def _parse_image(fields: Fields) -> Image:
    image = Image(
        name=fields.text("name"),
        new_name=fields.text("newName", ""),
        new_tag=fields.text("newTag", ""),
        digest=fields.text("digest", ""),
    )
    fields.done()
    return image


def _parse_post_build(fields: Fields | None) -> dict[str, Any]:
    if fields is None:
        return {}
    sources = []
    for item in fields.children("substituteFrom"):
        kind = item.text("kind", one_of=("ConfigMap", "Secret", "StackOutput", "StackConfig"))
        sources.append(SubstituteFrom(kind=kind, name=item.text("name"), optional=item.boolean("optional")))
        item.done()
    parsed = {
        "post_build": True,
        "substitute": fields.text_map("substitute"),
        "substitute_from": tuple(sources),
        "substitute_strategy": fields.text(
            "substituteStrategy", "WithVariables", one_of=("WithVariables", "Always")
        ),
    }
    fields.done()
    return parsed


def _parse_behaviour(spec: Fields, namespace: str) -> dict[str, Any]:
    secret, key = _parse_kube_config(spec.child("kubeConfig"))
    return {
        "wait": spec.boolean("wait"),
        "force": spec.boolean("force"),
        "suspend": spec.boolean("suspend"),
        "deletion_policy": spec.text(
            "deletionPolicy", "MirrorPrune", one_of=("MirrorPrune", "Delete", "WaitForTermination", "Orphan")
        ),
        "service_account": spec.name("serviceAccountName", ""),
        "kube_config_secret": secret,
        "kube_config_key": key,
        "health_checks": tuple(
            _parse_health_check(item, namespace) for item in spec.children("healthChecks")
        ),
        "health_exprs": tuple(_parse_health_expr(item) for item in spec.children("healthCheckExprs")),
        "ignore": tuple(_parse_ignore(item) for item in spec.children("ignore")),
    }


def _parse_kube_config(fields: Fields | None) -> tuple[str, str]:
    if fields is None:
        return "", ""
    if fields.data.get("configMapRef") is not None:
        hint = "use spec.kubeConfig.secretRef"
        raise fields.error(
            "configMapRef", "nothing: credentials from a cloud provider are not supported", hint=hint
        )
    secret = fields.child("secretRef", required=True)
    fields.done()
    if secret is None:
        raise fields.error("secretRef", "a mapping")
    found = secret.name("name"), secret.text("key", "")
    secret.done()
    return found


def _parse_health_check(fields: Fields, namespace: str) -> HealthCheck:
    check = HealthCheck(
        api_version=fields.text("apiVersion", "apps/v1"),
        kind=fields.text("kind"),
        namespace=fields.text("namespace", namespace),
        name=fields.text("name"),
    )
    fields.done()
    return check


def _parse_health_expr(fields: Fields) -> HealthExpr:
    expr = HealthExpr(
        api_version=fields.text("apiVersion"),
        kind=fields.text("kind", ""),
        current=fields.text("current"),
        in_progress=fields.text("inProgress", ""),
        failed=fields.text("failed", ""),
    )
    fields.done()
    return expr


def _parse_ignore(fields: Fields) -> IgnoreRule:
    paths = fields.texts("paths")
    if not paths or not all(path.startswith("/") for path in paths):
        raise fields.error("paths", "JSON pointers that start with '/'")
    rule = IgnoreRule(paths=paths, target=_parse_selector(fields.child("target")))
    fields.done()
    return rule


def check_references(spec: KustomizationSpec) -> None:
    """Refuse a unit that depends on itself. Raises SpecError."""
    for dependency in spec.depends_on:
        if dependency.id == spec.id:
            raise SpecError.at(spec.where, "spec.dependsOn", found=str(spec.id), expected="another unit")
