"""What can be said about a manifest without asking the server: where it lives, and whether its creation is certain.

"Certain" is narrow on purpose: three kinds without behaviour, plain metadata, and every rule that the API server has
for them. It spares a dry-run per object; the caller still asks the server about one object of each kind and namespace.
Rules: kubernetes/pkg/apis/core/validation (ValidateConfigMap, ValidateSecret) and apimachinery's metadata validation.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from weir.spec.errors import ApplyError
from weir.spec.identity import ObjectId

Obj = dict[str, Any]

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_LABEL: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", re.ASCII)
_DATA_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+", re.ASCII)
_META: Final = frozenset({"name", "namespace", "labels", "annotations"})
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "ConfigMap": frozenset({"apiVersion", "kind", "metadata", "data"}),
    "Secret": frozenset({"apiVersion", "kind", "metadata", "data", "type"}),
    "ServiceAccount": frozenset({"apiVersion", "kind", "metadata", "automountServiceAccountToken"}),
}
_LONGEST_NAME: Final = 253
_LONGEST_LABEL: Final = 63
_MOST_DATA: Final = 1024 * 1024 - 1024
"""Bytes; the server's limit is 1 MiB for the values alone."""
_MOST_ANNOTATIONS: Final = 256 * 1024 - 1024
_ODD: Final = re.compile("[\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")


def in_scope(obj: Obj, *, namespaced: bool) -> Obj:
    """The manifest with the namespace its kind calls for; the argument is not changed.

    As kustomize-controller: an object of a namespaced kind must say its namespace (nothing defaults to `default`; the
    unit's targetNamespace is set at render), and a namespace on a cluster-scoped object is dropped.

    Raises:
        ApplyError: a namespaced object without namespace.
    """
    meta = obj["metadata"]
    if namespaced and not meta.get("namespace"):
        raise ApplyError(
            f"{ObjectId.of(obj)}: metadata.namespace: found none, expected one",
            hint="write metadata.namespace, or set spec.targetNamespace of the unit",
        )
    if not namespaced and "namespace" in meta:
        return {**obj, "metadata": {key: value for key, value in meta.items() if key != "namespace"}}
    return obj


def certain_create(obj: Obj) -> bool:
    """Whether the server's own rules certainly accept the (normalised) object as new.

    Says nothing about admission: webhooks, policies and quotas are the caller's to rule out.
    """
    kind = str(obj.get("kind"))
    if obj.get("apiVersion") != "v1" or kind not in _FIELDS or not set(obj) <= _FIELDS[kind]:
        return False
    if not _plain_metadata(obj.get("metadata")):
        return False
    if kind == "ServiceAccount":
        return isinstance(obj.get("automountServiceAccountToken", True), bool)
    if kind == "Secret" and obj.get("type", "Opaque") != "Opaque":
        return False
    return _plain_data(obj.get("data", {}), encoded=kind == "Secret")


def _plain_metadata(meta: Any) -> bool:
    if not isinstance(meta, dict) or not set(meta) <= _META:
        return False
    name = meta.get("name")
    if not isinstance(name, str) or len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        return False
    return _plain_labels(meta.get("labels", {})) and _plain_annotations(meta.get("annotations", {}))


def _plain_labels(labels: Any) -> bool:
    return isinstance(labels, dict) and all(
        _qualified(key) and isinstance(value, str) and (not value or _label(value))
        for key, value in labels.items()
    )


def _plain_annotations(annotations: Any) -> bool:
    if not isinstance(annotations, dict):
        return False
    if not all(_qualified(key.lower()) and isinstance(value, str) for key, value in annotations.items()):
        return False
    if any(_is_odd(value) for value in annotations.values()):
        return False
    return (
        sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
        <= _MOST_ANNOTATIONS
    )


@lru_cache(maxsize=4096)
def _qualified(key: Any) -> bool:
    """Whether a label or annotation key is `name` or `dns.prefix/name`. The same few keys are on all objects."""
    if not isinstance(key, str):
        return False
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > _LONGEST_NAME or not _NAME.fullmatch(prefix)):
        return False
    return _label(name)


@lru_cache(maxsize=4096)
def _label(text: str) -> bool:
    return len(text) <= _LONGEST_LABEL and bool(_LABEL.fullmatch(text))


def _plain_data(data: Any, *, encoded: bool) -> bool:
    if not isinstance(data, dict):
        return False
    size = 0
    for key, value in data.items():
        if not isinstance(key, str) or not isinstance(value, str) or len(key) > _LONGEST_NAME:
            return False
        if not _DATA_KEY.fullmatch(key) or key == "." or key.startswith(".."):
            return False
        if _is_odd(value) or (encoded and not _is_base64(value)):
            return False
        size += len(value.encode("utf-8", "surrogatepass"))
    return size <= _MOST_DATA


def _is_odd(value: str) -> bool:
    """Whether a text has characters that the server's YAML reader refuses: https://yaml.org/spec/1.2.2/#51-character-set."""
    plain = value.isascii() and "\x7f" not in value
    return not plain and _ODD.search(value) is not None


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
