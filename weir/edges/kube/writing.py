"""Writes: server-side apply as field manager `weir`, JSON patches that test the version, deletes that name the uid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

from weir.edges.kube.client import APPLY, JSON, JSON_PATCH, METADATA, Kube
from weir.edges.kube.discovery import Resource
from weir.edges.kube.errors import KubeStatusError
from weir.spec.errors import ClusterError
from weir.spec.identity import ObjectId

MANAGER: Final = "weir"
_QUERY: Final = "fieldManager={}&force=true&fieldValidation=Strict"

Obj = dict[str, Any]


def apply(
    kube: Kube,
    resource: Resource,
    obj: Obj,
    *,
    dry_run: bool = False,
    brief: bool = False,
    manager: str = MANAGER,
) -> Obj:
    """Server-side apply of one object; the object as stored, or with `brief` its metadata only.

    Unknown fields are errors, and other managers' claims to the same fields are taken over. With `dry_run` the server
    says what it would store and stores nothing.

    Raises:
        KubeStatusError: the server refused.
        ClusterError: the server cannot be reached.
    """
    meta = obj["metadata"]
    query = _QUERY.format(quote(manager)) + ("&dryRun=All" if dry_run else "")
    path = resource.path(str(meta.get("namespace") or ""), meta["name"])
    accept = METADATA if brief else JSON
    stored: Obj = kube.request("PATCH", path, query, orjson.dumps(obj), APPLY, accept=accept)
    return stored


def create(kube: Kube, resource: Resource, obj: Obj) -> Obj:
    """Create an object that must not be there; an apply has to follow, for this one is no apply. Raises as `apply`."""
    path = resource.path(str(obj["metadata"].get("namespace") or ""))
    stored: Obj = kube.request("POST", path, f"fieldManager={MANAGER}&fieldValidation=Strict", obj)
    return stored


def json_patch(kube: Kube, resource: Resource, item: ObjectId, patch: list[Obj]) -> Obj:
    """A JSON patch of one object; it should test metadata.resourceVersion. Raises as `apply`."""
    path = resource.path(item.namespace, item.name)
    stored: Obj = kube.request("PATCH", path, f"fieldManager={MANAGER}", patch, JSON_PATCH)
    return stored


def delete(
    kube: Kube, resource: Resource, live: Obj, *, exact: bool = True, dry_run: bool = False
) -> Obj | None:
    """Delete in the background the very object that was read: same uid and, when `exact`, same version.

    Returns None when it is gone, else the object that its finalizers or its grace period still hold.

    Raises:
        KubeStatusError: refused; 409 when the object is not the one that was read any more.
        ClusterError: the server cannot be reached.
    """
    meta = live["metadata"]
    conditions = {"uid": meta["uid"]}
    if exact:
        conditions["resourceVersion"] = meta["resourceVersion"]
    body: dict[str, Any] = {"propagationPolicy": "Background", "preconditions": conditions}
    path = resource.path(str(meta.get("namespace") or ""), meta["name"])
    try:
        answer = kube.request("DELETE", path, "dryRun=All" if dry_run else None, body)
    except KubeStatusError as err:
        if err.absent:
            return None
        raise
    return answer if isinstance(answer, dict) and answer.get("kind") != "Status" else None


def cluster_uid(kube: Kube) -> str:
    """The identity of a cluster: the uid of its kube-system namespace.

    Raises:
        ClusterError: it cannot be read.
    """
    try:
        found: Mapping[str, Any] = kube.request("GET", "/api/v1/namespaces/kube-system", accept=METADATA)
    except KubeStatusError as err:
        hint = "allow `get` on that namespace: its uid is how a stack knows its cluster"
        raise ClusterError(
            f"{kube.server}: namespace kube-system cannot be read: {err.message}", hint=hint
        ) from err
    return str(found["metadata"]["uid"])
