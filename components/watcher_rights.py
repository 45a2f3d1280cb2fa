"""The rights of the watcher's account; docs/roles.md explains them, and docs/examples/roles/ holds them as YAML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

Rule = dict[str, Any]

_CORE: Final = (
    "configmaps",
    "endpoints",
    "limitranges",
    "namespaces",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "services",
)
_GROUPS: Final = (
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
)
_READ: Final = ("get", "list", "watch")
_WRITE: Final = (*_READ, "create", "patch", "delete")
_FLUX: Final = "kustomize.toolkit.fluxcd.io"
_RBAC: Final = "rbac.authorization.k8s.io"


def reading(groups: Sequence[str] = ()) -> list[Rule]:
    """To watch and to plan: everything, Secrets included, and custom resources of these API groups."""
    return [*_objects(_READ, groups), _rule([_FLUX], ["kustomizations"], _READ)]


def applying(groups: Sequence[str] = ()) -> list[Rule]:
    """To apply with the account's own rights, RBAC objects that grant no more than it has included."""
    return _objects(_WRITE, groups)


def granting() -> list[Rule]:
    """To apply RBAC objects that grant what the account itself may not; whoever has this can give himself any right."""
    return [_rule([_RBAC], ["roles", "clusterroles"], ["escalate", "bind"])]


def acting_as(account: str) -> list[Rule]:
    """To act as one ServiceAccount, when granted in that account's namespace."""
    return [{**_rule([""], ["serviceaccounts"], ["impersonate"]), "resourceNames": [account]}]


def keeping() -> list[Rule]:
    """What every watcher writes in the record namespace: records, leases, and Events about units."""
    return [
        _rule([""], ["configmaps"], ["create", "patch", "delete"]),
        _rule(["coordination.k8s.io"], ["leases"], ["create", "patch"]),
        _rule([""], ["events"], [*_READ, "create", "patch"]),
    ]


def _objects(verbs: Sequence[str], groups: Sequence[str]) -> list[Rule]:
    return [_rule([""], _CORE, verbs), _rule([*_GROUPS, *groups], ["*"], verbs)]


def _rule(groups: Sequence[str], resources: Sequence[str], verbs: Sequence[str]) -> Rule:
    return {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}
