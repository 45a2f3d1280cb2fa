"""In which order objects are written, and in which they go.

Rule: fluxcd/pkg ssa, ReconcileOrder and ApplyAllStaged (kustomize-controller 1.9): definitions first and waited for,
then kinds that end in Class, then the rest; webhooks last of all; deletions in reverse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from weir.objects.values import Obj
from weir.spec.identity import ObjectId

_FIRST: Final = (
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
_LAST: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_RANKS: Final = {kind: index - len(_FIRST) for index, kind in enumerate(_FIRST)} | {
    kind: index + 1 for index, kind in enumerate(_LAST)
}
_DEFINITIONS: Final = {
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("", "Namespace"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
}


def rank(item: ObjectId) -> tuple[int, str, str, str, str]:
    """The sort key of one object: rank of its kind, then group, kind, namespace and name."""
    return _RANKS.get(item.kind, 0), item.group, item.kind, item.namespace, item.name


def sort_objects(objs: Iterable[Obj]) -> tuple[Obj, ...]:
    """The objects in apply order; the same set gives the same order however it came."""
    return tuple(sorted(objs, key=lambda obj: rank(ObjectId.of(obj))))


def stages(objs: Iterable[Obj]) -> tuple[tuple[Obj, ...], ...]:
    """The objects in groups that are applied and waited for one after another; empty groups are left out.

    First CustomResourceDefinitions, Namespaces and ClusterRoles, then kinds that end in `Class`, then the rest.
    """
    parts: tuple[list[Obj], ...] = ([], [], [])
    for obj in sort_objects(objs):
        parts[_stage(ObjectId.of(obj))].append(obj)
    return tuple(tuple(part) for part in parts if part)


def _stage(item: ObjectId) -> int:
    if (item.group, item.kind) in _DEFINITIONS:
        return 0
    return 1 if item.kind.endswith("Class") else 2


def delete_order(ids: Iterable[ObjectId]) -> tuple[ObjectId, ...]:
    """The objects in the order they are deleted: the reverse of apply order."""
    return tuple(sorted(ids, key=rank, reverse=True))
