"""What a manifest becomes before it is applied, so that what is applied is what is compared.

Rule: fluxcd/pkg ssa/normalize: `stringData` is written as `data` (an apply cannot take a key out of `stringData`
otherwise, kubernetes#108008), ports get the protocol that is part of their merge key (structured-merge-diff#130), and
fields that only the server may set go.
"""

from __future__ import annotations

import base64
import binascii
import copy
from typing import Final

import orjson

from weir.objects.equal import is_built_in
from weir.objects.values import Json, Obj

_SERVER_META: Final = frozenset(
    {
        "creationTimestamp",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
_POD_SPEC: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("v1", "Pod"): ("spec",),
    ("v1", "PodTemplate"): ("template", "spec"),
    ("v1", "ReplicationController"): ("spec", "template", "spec"),
    ("apps/v1", "Deployment"): ("spec", "template", "spec"),
    ("apps/v1", "StatefulSet"): ("spec", "template", "spec"),
    ("apps/v1", "DaemonSet"): ("spec", "template", "spec"),
    ("apps/v1", "ReplicaSet"): ("spec", "template", "spec"),
    ("batch/v1", "Job"): ("spec", "template", "spec"),
    ("batch/v1", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}
_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
_CA_BUNDLE: Final = ("spec", "conversion", "webhook", "clientConfig")


def normalise(desired: Obj) -> Obj:
    """The object as Weir applies and compares it; the argument is not changed.

    `status` and server-set metadata are dropped, `creationTimestamp: null` everywhere, other nulls in built-in kinds
    (a custom resource may mean its null); a Secret's `stringData` moves to `data`; ports of pods and Services say
    their protocol. Quantities stay as written.
    """
    version, kind = str(desired.get("apiVersion", "")), str(desired.get("kind", ""))
    built_in = is_built_in(version)
    result, nulls = _copied(desired)
    result.pop("status", None)
    if nulls:
        result = _clean(result, nulls=not built_in)
    meta = result.get("metadata")
    if isinstance(meta, dict):
        kept = {key: value for key, value in meta.items() if key not in _SERVER_META}
        result["metadata"] = _clean(kept, nulls=False) if nulls else kept
    if built_in:
        _fill(result, version, kind)
    return result


def _copied(obj: Obj) -> tuple[Obj, bool]:
    """A deep copy, and whether it may hold nulls. Through JSON text: ten times faster than by hand."""
    try:
        text = orjson.dumps(obj)
    except TypeError:  # an integer of more than 64 bits, say
        return copy.deepcopy(obj), True
    return orjson.loads(text), b"null" in text


def _clean(value: Json, *, nulls: bool) -> Json:
    """A copy without null fields, or with `nulls` only without null creation times."""
    if isinstance(value, dict):
        return {
            key: item if isinstance(item, str) else _clean(item, nulls=nulls)
            for key, item in value.items()
            if item is not None or (nulls and key != "creationTimestamp")
        }
    if isinstance(value, list):
        return [_clean(item, nulls=nulls) for item in value]
    return value


def _fill(obj: Obj, version: str, kind: str) -> None:
    """Kind by kind, in place, on a copy."""
    path = _POD_SPEC.get((version, kind))
    if path:
        _fill_pod(_at(obj, path))
    elif (version, kind) == ("v1", "Service"):
        _fill_ports(_at(obj, ("spec",)))
    elif (version, kind) == ("v1", "Secret"):
        _fill_secret(obj)
    elif kind == "ClusterRole" and obj.get("aggregationRule"):
        # the controller fills them in; applying ours would take rights away for a moment
        obj.pop("rules", None)
    elif kind == "CustomResourceDefinition":
        _drop_placeholder(_at(obj, _CA_BUNDLE))


def _at(obj: Json, path: tuple[str, ...]) -> Obj:
    for step in path:
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj if isinstance(obj, dict) else {}


def _fill_pod(spec: Obj) -> None:
    for part in _CONTAINERS:
        containers = spec.get(part)
        for container in containers if isinstance(containers, list) else ():
            if isinstance(container, dict):
                _fill_ports(container)


def _fill_ports(holder: Obj) -> None:
    ports = holder.get("ports")
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, dict) and not port.get("protocol"):
            port["protocol"] = "TCP"


def _fill_secret(secret: Obj) -> None:
    """Move `stringData` to `data` (it wins, as on the server) and write base64 in its one canonical form.

    Values that are no text are left for the server to refuse.
    """
    data, plain = secret.get("data", {}), secret.get("stringData")
    if not isinstance(data, dict):
        return
    data = {key: _canonical(value) for key, value in data.items()}
    if isinstance(plain, dict) and all(isinstance(value, str) for value in plain.values()):
        data.update({key: base64.b64encode(value.encode()).decode() for key, value in plain.items()})
        del secret["stringData"]
    if data or "data" in secret:
        secret["data"] = data


def _canonical(value: Json) -> Json:
    if not isinstance(value, str) or not ("\n" in value or "\r" in value):
        return value
    try:
        return base64.b64encode(
            base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
        ).decode()
    except (binascii.Error, ValueError):
        return value


def _drop_placeholder(client: Obj) -> None:
    """A caBundle that is no certificate is a placeholder for an injector, and the server refuses it."""
    bundle = client.get("caBundle")
    if not isinstance(bundle, str):
        return
    try:
        plain = base64.b64decode(bundle, validate=True)
    except (binascii.Error, ValueError):
        plain = b""
    if b"-----BEGIN CERTIFICATE-----" not in plain:
        del client["caBundle"]
