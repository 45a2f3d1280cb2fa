"""Where admission certainly stays out of the way, so that plain objects need no dry-run each.

Anything that could see a create (a webhook whose rules match, any policy binding, a quota in the namespace) or that
cannot be read means: ask the server about every object.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery
from weir.edges.kube.errors import UnknownKindError
from weir.edges.kube.parallel import each
from weir.edges.kube.reading import list_objects
from weir.flow.staging import Placed
from weir.objects.validate import certain_create
from weir.spec.errors import ClusterError
from weir.spec.identity import ObjectId

Obj = dict[str, Any]

_WORTHWHILE: Final = 20
"""Creates in one namespace from which the extra reads pay."""
_GROUP: Final = "admissionregistration.k8s.io"
_WEBHOOKS: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_BINDINGS: Final = ("ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicyBinding")
_PLURALS: Final = {"ConfigMap": "configmaps", "Secret": "secrets", "ServiceAccount": "serviceaccounts"}


def unopposed(
    kube: Kube,
    discovery: Discovery,
    placed: Iterable[Placed],
    live: Iterable[ObjectId],
    stop: threading.Event | None = None,
) -> frozenset[tuple[str, str]]:
    """(kind, namespace) of the objects to create that admission certainly lets pass. Never raises a ClusterError."""
    known = set(live)
    new = Counter(
        (item.id.kind, item.id.namespace)
        for item in placed
        if item.id not in known and item.id.kind in _PLURALS and certain_create(item.desired)
    )
    worth = {key for key, count in new.items() if count >= _WORTHWHILE}
    if not worth or kube.user:
        return frozenset()
    tasks = [(kind, "") for kind in (*_WEBHOOKS, *_BINDINGS)]
    tasks += [("ResourceQuota", namespace) for namespace in sorted({namespace for _, namespace in worth})]
    try:
        lists = each(kube, lambda task: _list(kube, discovery, *task), tasks, stop)
    except ClusterError:
        return frozenset()
    found = dict(zip(tasks, lists, strict=True))
    if any(found[kind, ""] for kind in _BINDINGS):
        return frozenset()
    hooks = [hook for kind in _WEBHOOKS for item in found[kind, ""] for hook in item.get("webhooks") or ()]
    return frozenset(
        (kind, namespace)
        for kind, namespace in worth
        if not found["ResourceQuota", namespace] and not any(_sees(hook, _PLURALS[kind]) for hook in hooks)
    )


def _list(kube: Kube, discovery: Discovery, kind: str, namespace: str) -> list[Obj]:
    """All objects of an admission kind; none when the cluster is too old or too new to serve it."""
    try:
        resource = discovery.any_version("" if kind == "ResourceQuota" else _GROUP, kind)
    except UnknownKindError:
        return []
    return list(list_objects(kube, resource, namespace))


def _sees(hook: Obj, plural: str) -> bool:
    """Whether a webhook's rules may match the creation of a core resource, selectors left aside."""
    for rule in hook.get("rules") or ():
        groups, resources = rule.get("apiGroups") or (), rule.get("resources") or ()
        operations = rule.get("operations") or ()
        if not ({"*", ""} & set(groups)) or not ({"*", "CREATE", "UPDATE"} & set(operations)):
            continue
        if {"*", "*/*", plural} & set(resources):
            return True
    return False
