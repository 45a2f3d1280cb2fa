"""The last step of a render: every object checked, labelled and in order; Flux's own kinds set apart."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from weir.render.schema import API_GROUP
from weir.spec.documents import Document
from weir.spec.errors import RenderError
from weir.spec.header import is_flux_object
from weir.spec.identity import ObjectId
from weir.spec.kustomization import GROUP, KustomizationSpec

OWNER_NAME: Final = f"{GROUP}/name"
OWNER_NAMESPACE: Final = f"{GROUP}/namespace"
"""Labels that say which unit an object belongs to, as Flux sets them."""

DECRYPT: Final = f"{GROUP}/decrypt"
"""Label or annotation with the value `disabled`: what looks encrypted is meant to be."""

POD_SECURITY: Final = "pod-security.kubernetes.io/"
MAX_LABEL: Final = 63
"""Characters of a label value."""

_ENCRYPTED: Final = "ENC[AES256_GCM,"
_SOPS: Final = re.compile(r'(?m)^sops_version=|^sops:$|"sops":\s*\{')


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a unit renders."""

    objects: tuple[dict[str, Any], ...]
    """To be applied; sorted by identity."""
    children: tuple[Document, ...]
    """Flux's own kinds: units, never applied; sorted by identity."""
    secret_ids: frozenset[ObjectId]
    """Secrets, and objects that hold a secret variable's value."""
    warnings: tuple[str, ...]


def finish(
    documents: Sequence[Document], spec: KustomizationSpec, secret: Iterable[int] = frozenset()
) -> Finished:
    """The objects with `commonMetadata` and the owner's labels, each of which replaces what was there.

    `secret`: positions of documents that hold a secret variable's value.

    Raises:
        RenderError: an object without apiVersion, kind or name, one that occurs twice, one that is still encrypted, or
            a common label that would change the pod security of a Namespace; names object and file.
    """
    labels = _labels(spec)
    seen: dict[ObjectId, Document] = {}
    hidden: set[ObjectId] = set()
    warnings: list[str] = []
    positions = frozenset(secret)
    for index, document in enumerate(documents):
        if str(document.data.get("apiVersion", "")).startswith(f"{API_GROUP}/"):
            warnings.append(f"{document.where}: left out: a kustomize file is not an object")
            continue
        _check_clear(document)
        identity = _identify(document)
        if identity in seen:
            problem = f"found it twice, first in {seen[identity].file}"
            raise RenderError(f"{document.where}: {problem}", hint="remove one of them, or rename it")
        seen[identity] = Document(document.file, document.index, _mark(document, spec, labels))
        if (identity.kind == "Secret" and not identity.group) or index in positions:
            hidden.add(identity)
    ordered = [seen[identity] for identity in sorted(seen)]
    return Finished(
        objects=tuple(document.data for document in ordered if not is_flux_object(document.data)),
        children=_children(ordered, spec, hidden),
        secret_ids=frozenset(hidden),
        warnings=tuple(warnings),
    )


def _labels(spec: KustomizationSpec) -> dict[str, str]:
    for value in (spec.id.name, spec.id.namespace):
        if len(value) > MAX_LABEL:
            problem = f"metadata: found a name of {len(value)} characters, expected at most {MAX_LABEL}"
            raise RenderError(problem, hint="it is a label of every object, so give the unit a shorter name")
    return {**spec.common_labels, OWNER_NAME: spec.id.name, OWNER_NAMESPACE: spec.id.namespace}


def _children(
    ordered: Sequence[Document], spec: KustomizationSpec, hidden: Collection[ObjectId]
) -> tuple[Document, ...]:
    flux = [document for document in ordered if is_flux_object(document.data)]
    return tuple(
        Document(f"{spec.id}: {one.file}", index, one.data, ObjectId.of(one.data) in hidden)
        for index, one in enumerate(flux)
    )


def _identify(document: Document) -> ObjectId:
    data = document.data
    meta = data.get("metadata")
    if not isinstance(meta, dict):
        raise _broken(document, "metadata", meta, "a mapping with a name")
    if meta.get("generateName") and not meta.get("name"):
        raise _broken(
            document, "metadata.generateName", meta["generateName"], "metadata.name: it must stay the same"
        )
    for field, value in (
        ("apiVersion", data.get("apiVersion")),
        ("kind", data.get("kind")),
        ("metadata.name", meta.get("name")),
    ):
        if not isinstance(value, str) or not value:
            raise _broken(document, field, value, "a text")
    if not isinstance(meta.get("namespace") or "", str):
        raise _broken(document, "metadata.namespace", meta["namespace"], "a text")
    return ObjectId.of(data)


def _broken(document: Document, field: str, found: object, expected: str) -> RenderError:
    shown = "nothing" if found is None else repr(found)[:60]
    return RenderError(
        f"{document.where}: {field}: found {shown}, expected {expected}", hint="correct the object"
    )


def _check_clear(document: Document) -> None:
    """Refuse what is encrypted with SOPS: it must never reach a cluster as ciphertext. Raises RenderError."""
    data = document.data
    if any(values.get(DECRYPT) == "disabled" for values in _metadata_maps(data)):
        return
    field = "sops" if isinstance(data.get("sops"), dict) else _encrypted_field(data)
    if field:
        hint = f"commit it in the clear, or annotate it {DECRYPT}: disabled to apply it as it is"
        problem = f"{field}: is encrypted with SOPS, and decryption is not supported yet"
        raise RenderError(f"{document.where}: {problem}", hint=hint)


def _encrypted_field(data: Mapping[str, Any]) -> str:
    if data.get("kind") != "Secret":
        return ""
    for field in ("data", "stringData"):
        values = data.get(field)
        for key, value in values.items() if isinstance(values, dict) else ():
            text = _decoded(value) if field == "data" else value
            if isinstance(text, str) and (_ENCRYPTED in text or _SOPS.search(text)):
                return f"{field}.{key}"
    return ""


def _decoded(value: object) -> str:
    if not isinstance(value, str) or value.startswith(_ENCRYPTED):
        return str(value)
    try:
        return base64.b64decode(value).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _metadata_maps(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    meta = data.get("metadata")
    maps = [meta.get(key) for key in ("labels", "annotations")] if isinstance(meta, dict) else []
    return [values for values in maps if isinstance(values, dict)]


def _mark(document: Document, spec: KustomizationSpec, labels: Mapping[str, str]) -> dict[str, Any]:
    meta = dict(document.data["metadata"])
    for field, values in (("labels", labels), ("annotations", spec.common_annotations)):
        present = meta.get(field) or {}
        _check_texts(document, field, present)
        _check_pod_security(document, field, present, values)
        if merged := {**present, **values}:
            meta[field] = merged
    return {**document.data, "metadata": meta}


def _check_texts(document: Document, field: str, values: Any) -> None:
    if not isinstance(values, dict):
        raise _broken(document, f"metadata.{field}", values, "a mapping of texts")
    for key, value in values.items():
        if not isinstance(value, str):
            raise _broken(document, f"metadata.{field}.{key}", value, "a text (write it in quotes)")


def _check_pod_security(
    document: Document, field: str, present: Mapping[str, str], wanted: Mapping[str, str]
) -> None:
    """A label that comes with the unit must not weaken what a Namespace says of itself (CVE-2026-44938)."""
    if document.data.get("kind") != "Namespace":
        return
    for key, value in wanted.items():
        if key.startswith(POD_SECURITY) and present.get(key) != value:
            shown = repr(present[key]) if key in present else "nothing"
            problem = f"spec.commonMetadata.{field}.{key}: would change {shown} to {value!r}"
            raise RenderError(f"{document.where}: {problem}", hint="set it on the Namespace itself")
