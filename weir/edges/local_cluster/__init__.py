"""A Kubernetes control plane of five local processes, for the demo, the tests and the benchmarks.

etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok, which plays the nodes: Deployments get Pods,
Pods become Ready, and nothing runs in them. Everything listens on loopback and lives in one private folder.
"""

from weir.edges.local_cluster.cluster import LocalCluster, running_cluster

__all__ = ["LocalCluster", "running_cluster"]
