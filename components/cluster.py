"""Cluster: what a stack needs on its cluster before any unit: namespaces and tenants' accounts, when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import pulumi

from weir.spec.stack import ClusterConfig


class ClusterArgs(TypedDict):
    """What a Cluster needs."""

    config: ClusterConfig
    """Plain: its namespaces and accounts shape the graph."""


class Cluster(pulumi.ComponentResource):
    """A cluster by kubeconfig and context. pulumi-kubernetes is loaded only when there is something to create."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("weir:index:Cluster", name, None, opts)
        config = args["config"]
        if config.namespaces or config.service_accounts:
            self._create(name, config)
        self.register_outputs({})

    def _create(self, name: str, config: ClusterConfig) -> None:
        import pulumi_kubernetes as kubernetes

        provider = kubernetes.Provider(
            name,
            kubernetes.ProviderArgs(
                kubeconfig=str(Path(config.kubeconfig).expanduser()) if config.kubeconfig else None,
                context=config.context or None,
                cluster_identifier=name,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        opts = pulumi.ResourceOptions(parent=self, provider=provider)
        namespaces = {
            namespace: kubernetes.core.v1.Namespace(namespace, metadata={"name": namespace}, opts=opts)
            for namespace in config.namespaces
        }
        for account in config.service_accounts:
            namespace, _, account_name = account.partition("/")
            after = [namespaces[namespace]] if namespace in namespaces else []
            tenant_opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=after))
            _tenant(account_name, namespace, tenant_opts)


def _tenant(name: str, namespace: str, opts: pulumi.ResourceOptions) -> None:
    """A ServiceAccount that may do anything in its own namespace."""
    import pulumi_kubernetes as kubernetes

    meta = {"name": name, "namespace": namespace}
    kubernetes.core.v1.ServiceAccount(f"{namespace}/{name}", metadata=meta, opts=opts)
    kubernetes.rbac.v1.RoleBinding(
        f"{namespace}/{name}",
        metadata={"name": f"{name}-admin", "namespace": namespace},
        role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        subjects=[{"kind": "ServiceAccount", **meta}],
        opts=opts,
    )
