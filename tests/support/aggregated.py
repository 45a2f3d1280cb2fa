"""Aggregated APIs of the API server, https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/."""

from __future__ import annotations

from tests.support.world import Obj, World


def broken_service(group: str) -> Obj:
    """An aggregated API whose server does not exist."""
    spec = {
        "group": group,
        "version": "v1",
        "groupPriorityMinimum": 1000,
        "versionPriority": 15,
        "insecureSkipTLSVerify": True,
        "service": {"name": "nobody", "namespace": "default"},
    }
    meta = {"name": f"v1.{group}"}
    return {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": meta, "spec": spec}


def available(world: World, service: Obj) -> str:
    """Status of its condition Available: True, False, or empty when nothing is said yet."""
    return availability(
        world.rest.get("apiregistration.k8s.io/v1", "APIService", "", service["metadata"]["name"])
    )


def availability(live: Obj | None) -> str:
    """The same of one that was read."""
    found = ((live or {}).get("status") or {}).get("conditions") or []
    return next((item["status"] for item in found if item["type"] == "Available"), "")
