"""When a desired value and a live one are the same to the API server.

Loose rules hold only where the API server itself applies them: in built-in kinds, and for quantities only in fields
that are quantities. Everywhere else values must be equal and of one type.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal

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
_QUANTITY_FIELDS: Final = frozenset({"averageValue", "divisor", "sizeLimit"})
_TEXT_MAPS: Final = frozenset({"annotations", "data", "labels", "matchLabels", "nodeSelector", "parameters"})
"""Fields whose keys are anybody's words."""
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
_EMPTY_LISTS: Final = frozenset(
    (  # noqa: SIM905 - forty lines of one word each would hide the rest
        "args command conditions configMaps containers egress env envFrom ephemeralContainers "
        "externalIPs finalizers from hostAliases imagePullSecrets ingress initContainers items "
        "loadBalancerSourceRanges matchExpressions nameservers nodeSelectorTerms nonResourceURLs "
        "options ports readinessGates resourceNames rules searches secrets sources subjects "
        "supplementalGroups sysctls tls to tolerations topologySpreadConstraints "
        "volumeClaimTemplates volumeDevices volumeMounts volumes "
    ).split()
)
"""Lists that are the same empty and absent."""
_EMPTY_MAPS: Final = frozenset({"annotations", "data", "labels", "limits", "nodeSelector", "requests"})
"""Maps that are the same empty and absent."""
_EMPTY_TEXTS: Final = frozenset({"apiGroup", "clusterIP", "hostIP", "hostname", "loadBalancerIP", "value"})
"""Texts that are the same empty and absent."""
_FLAGS: Final = frozenset(
    (  # noqa: SIM905 - as above
        "globalDefault hostIPC hostNetwork hostPID paused publishNotReadyAddresses readOnly stdin "
        "stdinOnce tty unschedulable "
    ).split()
)
"""Booleans that are the same false and absent."""
_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "fieldRef": {"apiVersion": "v1"},
    "ports": {"protocol": "TCP"},
    "rules": {"scope": "*"},
    "subjects": {"apiGroup": "rbac.authorization.k8s.io"},
    "serviceAccountToken": {"expirationSeconds": 3600},
    "endpoints": {"conditions": {}},
    "volumeClaimTemplates": {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "status": {"phase": "Pending"},
    },
    "spec": {"volumeMode": "Filesystem"},
}
"""What the API server fills in inside values that are owned as one: field -> key -> value."""


def is_built_in(api_version: str) -> bool:
    """Whether the API group belongs to Kubernetes itself."""
    group, slash, _ = api_version.rpartition("/")
    return (group if slash else "") in BUILT_IN


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount, and how the API server spells it: it keeps binary, decimal and exponent forms apart."""

    amount: Decimal
    form: Literal["binary", "decimal", "exponent"]


def parse_quantity(text: object) -> Quantity | None:
    """The quantity in `500m`, `1Gi`, `2` or 0.5; None when it is none. Equal ones are stored as the same text.

    Rule: k8s.io/apimachinery/pkg/api/resource: binary amounts below 1024 are written in decimal form.
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    return _parse_quantity(str(text))


@lru_cache(maxsize=4096)
def _parse_quantity(written: str) -> Quantity | None:
    found = _QUANTITY.fullmatch(written) if len(written) <= _LONGEST else None
    if found is None:
        return None
    number, suffix = Decimal(found[1]), found[2] or ""
    if suffix[:1] in ("e", "E") and suffix not in _SUFFIX:
        exponent = int(suffix[1:])
        return Quantity(number.scaleb(exponent), "exponent") if abs(exponent) <= _LONGEST else None
    amount = number * _SUFFIX.get(suffix, Decimal(1))
    return Quantity(amount, "binary" if suffix.endswith("i") and abs(amount) >= 1024 else "decimal")  # noqa: PLR2004


def is_quantity(parent: str, key: str) -> bool:
    """Whether a field of a built-in kind holds a quantity, told by its own name and its parent's."""
    return parent in _QUANTITY_MAPS or (key in _QUANTITY_FIELDS and parent not in _TEXT_MAPS)


def same_value(desired: Json, live: Json, *, parent: str = "", key: str = "", built_in: bool = False) -> bool:
    """Whether applying `desired` would leave `live` as it is, both taken as one value.

    Types count: `"80"` is not 80, and true is not 1.
    """
    kind = desired.__class__
    if kind is live.__class__ and kind is not dict and kind is not list and desired == live:
        return True
    if isinstance(desired, dict) and isinstance(live, dict):
        return _same_dict(desired, live, key, built_in=built_in)
    if isinstance(desired, list) and isinstance(live, list):
        return len(desired) == len(live) and all(
            same_value(one, other, parent=parent, key=key, built_in=built_in)
            for one, other in zip(desired, live, strict=True)
        )
    if built_in and live is None and isinstance(desired, list):
        return not desired
    quantity = parse_quantity(desired) if built_in and is_quantity(parent, key) else None
    return quantity is not None and quantity == parse_quantity(live)


def _same_dict(desired: dict[str, Any], live: dict[str, Any], key: str, *, built_in: bool) -> bool:
    common = 0
    for name, value in desired.items():
        if name in live:
            common += 1
            if not same_value(value, live[name], parent=key, key=name, built_in=built_in):
                return False
        elif not (built_in and isinstance(value, list) and is_dropped(name, value)):
            return False
    if common == len(live):
        return True
    filled = _DEFAULTS.get(key, {}) if built_in else {}
    return all(name in desired or (name in filled and filled[name] == value) for name, value in live.items())


def is_dropped(key: str, value: Json) -> bool:
    """Whether the API server keeps this value of a built-in kind's field as an absent field.

    A closed list by type: an empty list where a boolean belongs is an error that the server must report.
    """
    if isinstance(value, list):
        return not value and key in _EMPTY_LISTS
    if isinstance(value, dict):
        return not value and key in _EMPTY_MAPS
    if isinstance(value, bool):
        return not value and key in _FLAGS
    return value == "" and key in _EMPTY_TEXTS
