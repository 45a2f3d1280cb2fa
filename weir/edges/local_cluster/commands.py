"""The command lines of the five processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from weir.edges import tools
from weir.edges.local_cluster.layout import Layout

ETCD: Final = "etcd"
APISERVER: Final = "kube-apiserver"
NAMES: Final = (ETCD, APISERVER, "kube-controller-manager", "kube-scheduler", "kwok")
"""In the order in which they are started."""

_ROOM: Final = {"cpu": "1k", "memory": "1Ti", "ephemeral-storage": "1Ti", "pods": "1M"}

NODE: Final = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": "node-1",
        "annotations": {"kwok.x-k8s.io/node": "fake"},
        "labels": {
            "kubernetes.io/hostname": "node-1",
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
        },
    },
    "status": {"capacity": _ROOM, "allocatable": _ROOM},
}
"""The one node, with room for Pods of any size; kwok keeps it Ready."""


def command(name: str, layout: Layout, ports: Mapping[str, int]) -> Sequence[str]:
    """The whole command line of one process.

    Raises:
        weir.edges.tools.ToolError: its binary is not there.
    """
    flags = _FLAGS[name](layout, ports)
    program = (
        [str(tools.locate("kubernetes")), name] if name.startswith("kube-") else [str(tools.locate(name))]
    )
    return [*program, *(f"--{key}={value}" for key, value in flags.items())]


def _etcd(layout: Layout, ports: Mapping[str, int]) -> dict[str, object]:
    client, peer = (f"http://127.0.0.1:{ports[name]}" for name in ("etcd", "peer"))
    return {
        "name": "weir",
        "data-dir": layout.file("etcd"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"weir={peer}",
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }


def _apiserver(layout: Layout, ports: Mapping[str, int]) -> dict[str, object]:
    return {
        "etcd-servers": f"http://127.0.0.1:{ports['etcd']}",
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "endpoint-reconciler-type": "none",
        "secure-port": ports["api"],
        "tls-cert-file": layout.file("apiserver.crt"),
        "tls-private-key-file": layout.file("apiserver.key"),
        "token-auth-file": layout.file("tokens.csv"),
        "authorization-mode": "RBAC",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": layout.file("service-account.key"),
        "service-account-signing-key-file": layout.file("service-account.key"),
        "service-cluster-ip-range": "10.96.0.0/16",
        "allow-privileged": "true",
        "profiling": "false",
    }


def _controller_manager(layout: Layout, _ports: Mapping[str, int]) -> dict[str, object]:
    return {
        "kubeconfig": layout.file("kube-controller-manager.kubeconfig"),
        "service-account-private-key-file": layout.file("service-account.key"),
        "root-ca-file": layout.file("ca.crt"),
        "use-service-account-credentials": "true",
        "leader-elect": "false",
        "secure-port": 0,
        "kube-api-qps": 500,
        "kube-api-burst": 1000,
    }


def _scheduler(layout: Layout, _ports: Mapping[str, int]) -> dict[str, object]:
    return {
        "kubeconfig": layout.file("kube-scheduler.kubeconfig"),
        "leader-elect": "false",
        "secure-port": 0,
        "kube-api-qps": 500,
        "kube-api-burst": 1000,
    }


def _kwok(layout: Layout, _ports: Mapping[str, int]) -> dict[str, object]:
    return {
        "kubeconfig": layout.file("kwok.kubeconfig"),
        "config": tools.locate("kwok").with_name("stages.yaml"),
        "manage-nodes-with-annotation-selector": "kwok.x-k8s.io/node=fake",
        "node-ip": "127.0.0.1",
        "server-address": "",
    }


_FLAGS: Final = {
    "etcd": _etcd,
    APISERVER: _apiserver,
    "kube-controller-manager": _controller_manager,
    "kube-scheduler": _scheduler,
    "kwok": _kwok,
}
