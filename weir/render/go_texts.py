"""What Go's types make of a kustomization: field names in any letter case, and texts from numbers and booleans.

Names are read so in every kustomization. Texts only in the one of a unit's folder: Flux reads it into Go's types and
writes it again for kustomize, which by itself refuses numbers and booleans where texts stand.
Rule: https://github.com/kubernetes-sigs/yaml/blob/v1.6.0/yaml.go (convertToJSONableObject)
"""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any, Final

from weir.render.schema import REFUSED
from weir.spec.errors import RenderError
from weir.spec.scalars import Scalars

_TEXT: Final = "text"
_TEXTS: Final = [_TEXT]
_MAP: Final = {"*": _TEXT}


def _fields(names: str) -> dict[str, Any]:
    return dict.fromkeys(names.split(), _TEXT)


_META: Final = {"labels": _MAP, "annotations": _MAP}
_OBJECT: Final = _fields("group version kind name namespace annotationSelector labelSelector")
_IMAGES: Final = [_fields("name newName tagSuffix newTag digest")]
_PATCHES: Final = [{**_fields("path patch"), "target": _OBJECT, "options": {}}]
_GENERATORS: Final = [
    {
        **_fields("namespace name behavior env type"),
        **dict.fromkeys(("literals", "files", "envs"), _TEXTS),
        "options": _META,
    }
]
_FIELD_OPTIONS: Final = _fields("delimiter encoding")
_REPLACEMENTS: Final = [
    {
        **_fields("path sourceValue"),
        "source": {**_OBJECT, "fieldPath": _TEXT, "options": _FIELD_OPTIONS},
        "targets": [
            {"select": _OBJECT, "reject": [_OBJECT], "fieldPaths": _TEXTS, "options": _FIELD_OPTIONS}
        ],
    }
]
_KUSTOMIZATION: Final[dict[str, Any]] = {
    **_fields("apiVersion kind namePrefix nameSuffix namespace"),
    "metadata": {**_fields("name namespace"), **_META},
    **dict.fromkeys(("openapi", "commonLabels", "commonAnnotations"), _MAP),
    "labels": [{"pairs": _MAP, "fields": [_fields("group version kind path")]}],
    **dict.fromkeys(("images", "imageTags"), _IMAGES),
    **dict.fromkeys(("patches", "patchesJson6902"), _PATCHES),
    "replacements": _REPLACEMENTS,
    "replicas": [_fields("name")],
    "vars": [
        {
            "name": _TEXT,
            "objref": _fields("apiVersion group version kind name namespace"),
            "fieldref": _fields("fieldPath"),
        }
    ],
    "sortOptions": {
        "order": _TEXT,
        "legacySortOptions": {"orderFirst": _TEXTS, "orderLast": _TEXTS},
    },
    **dict.fromkeys(("configMapGenerator", "secretGenerator"), _GENERATORS),
    "generatorOptions": _META,
    **dict.fromkeys(("resources", "components", "crds", "bases", "configurations"), _TEXTS),
    **dict.fromkeys(("generators", "transformers", "validators", "buildMetadata"), _TEXTS),
    "patchesStrategicMerge": _TEXTS,
    **dict.fromkeys(REFUSED),
}
"""Which fields there are, and where texts stand: https://github.com/kubernetes-sigs/kustomize/tree/api/v0.21.1/api/types"""


_EXACT: Final = 2.0**53
_WRITTEN_OUT: Final = range(-4, 6)
"""Exponents of ten of the floats that are written without one."""


class GoScalars(Scalars):
    """Reads scalars as Go's sigs.k8s.io/yaml: with the booleans of YAML 1.1, and 1e3 stays a float."""

    def __init__(self) -> None:
        super().__init__(old_booleans=True)

    def plain(self, text: str) -> Any:
        """The value of an unquoted scalar. Raises ScalarError."""
        value = super().plain(text)
        is_float = type(value) is int and ("." in text or ("e" in text.lower() and "x" not in text.lower()))
        return float(text.replace("_", "")) if is_float else value


def with_names(data: dict[str, Any]) -> dict[str, Any]:
    """A kustomization whose fields are spelled as kustomize spells them. Raises RenderError when two are one field."""
    return dict(_spelled(data, _KUSTOMIZATION))


def _spelled(value: Any, shape: Any) -> Any:
    if isinstance(value, list) and isinstance(shape, list):
        return [_spelled(item, shape[0]) for item in value]
    if not isinstance(value, dict) or not isinstance(shape, dict) or "*" in shape:
        return value
    exact = {name.lower(): name for name in shape}
    found: dict[Any, Any] = {}
    for key, item in value.items():
        name = exact.get(key.lower(), key) if isinstance(key, str) else key
        if name in found:
            raise RenderError(f"found {name} in two spellings, expected one", hint=f"keep {name}")
        found[name] = _spelled(item, shape.get(name))
    return found


def with_texts(data: dict[str, Any]) -> dict[str, Any]:
    """A kustomization whose numbers and booleans are texts where Go's types have texts."""
    return dict(_shaped(data, _KUSTOMIZATION))


def _shaped(value: Any, shape: Any) -> Any:
    if shape is _TEXT:
        return _text(value)
    if isinstance(value, dict):
        inner = shape if isinstance(shape, dict) else {}
        return {key: _shaped(item, inner.get(key, inner.get("*"))) for key, item in value.items()}
    if isinstance(value, list):
        return [_shaped(item, shape[0] if isinstance(shape, list) else None) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return _float_text(value) if isinstance(value, float) else value


def _float_text(number: float) -> str:
    """What `strconv.FormatFloat(number, 'g', -1, 32)` gives: 1.10 -> "1.1", 1e6 -> "1e+06"."""
    try:
        single = _single(number)
    except OverflowError:
        return "+Inf" if number > 0 else "-Inf"
    shortest = next(text for text in (f"{single:.{n}e}" for n in range(17)) if _single(float(text)) == single)
    digits, _, exponent = shortest.partition("e")
    written_out = int(exponent) in _WRITTEN_OUT
    return f"{Decimal(digits).scaleb(int(exponent)):f}" if written_out else shortest


def _single(number: float) -> float:
    """The nearest number of 32 bits. Raises OverflowError."""
    return float(struct.unpack("<f", struct.pack("<f", number))[0])
