"""What an account may do, as the cluster's authorization says.

Rule: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weir.edges.kube.client import Kube


@dataclass(frozen=True, slots=True)
class Right:
    """Something that an account must be allowed to do."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        """As kubectl says it."""
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        place = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {kind}{f'/{self.name}' if self.name else ''}{place}"


def has_right(kube: Kube, right: Right) -> bool:
    """Whether the client's identity may do it. Raises ClusterError."""
    asked = {"verb": right.verb, "resource": right.resource, "group": right.group}
    asked |= {"namespace": right.namespace, "name": right.name}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answer: dict[str, Any] = kube.request("POST", path, body=body)
    return bool((answer.get("status") or {}).get("allowed"))
