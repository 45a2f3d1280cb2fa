"""What a unit that is applied as somebody else's account may declare: no more than the account may write itself.

In Flux a child is an object that the parent's account creates, so RBAC decides. Here it is never written, so RBAC is
asked: otherwise a tenant could declare units that act as another account, and sources that send another namespace's
credentials wherever they like.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from weir.flow.clusters import Clusters
from weir.spec.documents import Document
from weir.spec.errors import ClusterError, SpecError
from weir.spec.header import read_header
from weir.spec.kustomization import KustomizationSpec


class Tenancy:
    """Asks once for each account, kind and namespace. Thread-safe."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters
        self._known: dict[tuple[str, str, str, str], bool] = {}
        self._lock = threading.Lock()

    def check(self, spec: KustomizationSpec, children: Iterable[Document]) -> None:
        """Refuse a child in another namespace than the unit's that the unit's account may not create there.

        Raises:
            ClusterError: names unit, child and account; or the cluster does not answer.
        """
        account = spec.service_account or self._clusters.options.default_service_account
        if not account:
            return
        user = f"system:serviceaccount:{spec.id.namespace}:{account}"
        for child in children:
            try:
                unit = read_header(child).id
            except SpecError:
                continue  # it becomes no unit
            group = str(child.data.get("apiVersion", "")).partition("/")[0]
            if unit.namespace != spec.id.namespace and not self._may(user, group, unit.kind, unit.namespace):
                right = f"{_plural(unit.kind)}.{group}"
                raise ClusterError(
                    f"{spec.where}: {spec.id}: found {unit} in what it renders ({child.where}), expected no unit that "
                    f"ServiceAccount/{spec.id.namespace}/{account}, as which it is applied, may not create",
                    hint=f"move it to namespace {spec.id.namespace}, or allow the account to create {right} there",
                )

    def _may(self, user: str, group: str, kind: str, namespace: str) -> bool:
        key = (user, group, kind, namespace)
        with self._lock:
            if key not in self._known:
                self._known[key] = self._ask(*key)
            return self._known[key]

    def _ask(self, user: str, group: str, kind: str, namespace: str) -> bool:
        wanted = {"verb": "create", "group": group, "resource": _plural(kind), "namespace": namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = self._clusters.main.acting_as(user).request("POST", path, body=review)
        return bool((answer.get("status") or {}).get("allowed"))


def _plural(kind: str) -> str:
    """The resource of one of Flux's kinds."""
    name = kind.lower()
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"
