"""When a desired value and a live one are the same to the API server.

Loose rules hold only where the API server itself applies them: in built-in kinds, and for quantities only in fields
that are quantities. Everywhere else values must be equal and of one type.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from weir.objects.values import Json

BUILT_IN: Final = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)
"""API groups that the API server keeps in typed form, so that empty fields and quantities are rewritten."""

_QUANTITY_MAPS: Final = frozenset(
    {
        "limits",
        "requests",
        "capacity",
        "hard",
        "default",
        "defaultRequest",
        "min",
        "max",
        "overhead",
        "podFixed",
    }
)
"""Fields that map resource names to quantities."""
_QUANTITY_FIELDS: Final = frozenset({"sizeLimit", "divisor"})
_QUANTITY: Final = re.compile(
    r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?", re.ASCII
)
_SUFFIX: Final[dict[str, Decimal]] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    **{f"{unit}i": Decimal(1024 ** (power + 1)) for power, unit in enumerate("KMGTPE")},
}
_LONGEST: Final = 40
_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "fieldRef": {"apiVersion": "v1"},
    "ports": {"protocol": "TCP"},
    "rules": {"scope": "*"},
    "subjects": {"apiGroup": "rbac.authorization.k8s.io"},
    "serviceAccountToken": {"expirationSeconds": 3600},
}
"""What the API server fills in inside values that are owned as one: field -> key -> value."""


def is_built_in(api_version: str) -> bool:
    """Whether the API group belongs to Kubernetes itself."""
    group, slash, _ = api_version.rpartition("/")
    return (group if slash else "") in BUILT_IN


def parse_quantity(text: object) -> Decimal | None:
    """The amount of a quantity such as `500m`, `1Gi`, `2` or 0.5; None when it is none."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    written = str(text)
    found = _QUANTITY.fullmatch(written) if len(written) <= _LONGEST else None
    if found is None:
        return None
    number, suffix = found[1], found[2] or ""
    if suffix[:1] in ("e", "E") and suffix not in _SUFFIX:
        exponent = int(suffix[1:])
        return Decimal(number).scaleb(exponent) if abs(exponent) <= _LONGEST else None
    return Decimal(number) * _SUFFIX.get(suffix, Decimal(1))


def is_quantity(parent: str, key: str) -> bool:
    """Whether a field of a built-in kind holds a quantity, told by its own name and its parent's."""
    return parent in _QUANTITY_MAPS or key in _QUANTITY_FIELDS


def same_value(desired: Json, live: Json, *, parent: str = "", key: str = "", built_in: bool = False) -> bool:
    """Whether applying `desired` would leave `live` as it is, both taken as one value.

    Types count: `"80"` is not 80, and true is not 1.
    """
    if isinstance(desired, dict) and isinstance(live, dict):
        return _same_dict(desired, live, key, built_in=built_in)
    if isinstance(desired, list) and isinstance(live, list):
        return len(desired) == len(live) and all(
            same_value(one, other, parent=parent, key=key, built_in=built_in)
            for one, other in zip(desired, live, strict=True)
        )
    if type(desired) is type(live) and desired == live:
        return True
    amount = parse_quantity(desired) if built_in and is_quantity(parent, key) else None
    return amount is not None and amount == parse_quantity(live)


def _same_dict(desired: dict[str, Any], live: dict[str, Any], key: str, *, built_in: bool) -> bool:
    for name, value in desired.items():
        if name in live:
            if not same_value(value, live[name], parent=key, key=name, built_in=built_in):
                return False
        elif not (built_in and value == [] and isinstance(value, list)):
            return False
    filled = _DEFAULTS.get(key, {}) if built_in else {}
    return all(name in desired or (name in filled and filled[name] == value) for name, value in live.items())


def is_empty(value: Json) -> bool:
    """Whether a built-in kind may keep an owned value as an absent field: null, false, 0, or nothing in it."""
    return value is None or (isinstance(value, bool | int | str | list | dict) and not value)
