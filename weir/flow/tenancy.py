"""What a unit that is applied as somebody else's account may declare: no more than the account may write itself.

In Flux a child is an object that the parent's account creates, so RBAC decides. Here it is never written, so RBAC is
asked: otherwise a tenant could declare units that act as another account, and sources that send another namespace's
credentials wherever they like.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from weir.edges.kube.rights import Right, has_right
from weir.flow.clusters import Clusters
from weir.spec.documents import Document
from weir.spec.errors import ClusterError, SpecError
from weir.spec.header import read_header
from weir.spec.kustomization import KustomizationSpec


class Tenancy:
    """Asks once for each account, kind and namespace. Thread-safe."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters
        self._known: dict[tuple[str, Right], bool] = {}
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
            right = Right("create", _plural(unit.kind), group, unit.namespace)
            if unit.namespace != spec.id.namespace and not self._may(user, right):
                raise ClusterError(
                    f"{spec.where}: {spec.id}: found {unit} in what it renders ({child.where}), expected no unit that "
                    f"ServiceAccount/{spec.id.namespace}/{account}, as which it is applied, may not create",
                    hint=f"move it to namespace {spec.id.namespace}, "
                    f"or allow the account to create {right.resource}.{right.group} there",
                )

    def _may(self, user: str, right: Right) -> bool:
        with self._lock:
            if (user, right) not in self._known:
                self._known[user, right] = has_right(self._clusters.main.acting_as(user), right)
            return self._known[user, right]


def _plural(kind: str) -> str:
    """The resource of one of Flux's kinds."""
    name = kind.lower()
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"
