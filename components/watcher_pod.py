"""The watcher's pod: probed, bounded and restricted.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from weir.edges.kube.lease import lease_name
from weir.edges.kube.records import label_value

CACHE: Final = "/var/cache/weir"
STATE: Final = "/var/lib/weir"
SECRETS: Final = "/var/run/secrets/weir"
"""Where the passphrase is, as a file: an environment can be read by whoever may look into the pod's processes."""
_READABLE: Final = 0o440
"""By the container's user, whose group owns the files of volumes."""
USER: Final = 65532
"""User and group in the container; docs/examples/watcher/Dockerfile makes it."""
HEALTH: Final = 8081
HOOKS: Final = 9292
PAGES: Final = "127.0.0.1:9293"
"""Reached by `kubectl port-forward` alone; docs/dashboard.md."""
_LAST_WORDS: Final = 60
"""Seconds to finish what is being written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatcherSpec:
    """A watcher of one stack, as plain values but where another resource may decide."""

    stack: str
    image: pulumi.Input[str]
    backend_url: pulumi.Input[str]
    passphrase_secret: str
    passphrase_key: str
    namespace: str
    replicas: int
    environment_secret: str
    state_claim: str
    hooks: bool
    resources: Mapping[str, Mapping[str, str]]

    @property
    def name(self) -> str:
        """The name of everything that is in the cluster for it."""
        return lease_name("watcher", self.stack)

    @property
    def labels(self) -> dict[str, str]:
        """By which its pods are chosen."""
        return {
            "app.kubernetes.io/name": "weir-watcher",
            "app.kubernetes.io/instance": label_value(self.stack),
        }


def pod_template(spec: WatcherSpec) -> dict[str, Any]:
    """The pod: no capability, no root, nothing writable but its own volumes."""
    return {
        "metadata": {"labels": spec.labels},
        "spec": {
            "serviceAccountName": spec.name,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationGracePeriodSeconds": _LAST_WORDS,
            "affinity": {"podAntiAffinity": _apart(spec.labels)},
            "containers": [_container(spec)],
            "volumes": _volumes(spec),
        },
    }


def _container(spec: WatcherSpec) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = [
        {"name": "cache", "mountPath": CACHE},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
        {"name": "passphrase", "mountPath": SECRETS, "readOnly": True},
    ]
    if spec.state_claim:
        mounts.append({"name": "state", "mountPath": STATE})
    ports = [{"name": "health", "containerPort": HEALTH}]
    if spec.hooks:
        ports.append({"name": "hooks", "containerPort": HOOKS})
    return {
        "name": "watcher",
        "image": spec.image,
        "args": _arguments(spec),
        "env": _environment(spec),
        "envFrom": [{"secretRef": {"name": spec.environment_secret}}] if spec.environment_secret else [],
        "ports": ports,
        "livenessProbe": _probe("/healthz", 20),
        "readinessProbe": _probe("/readyz", 10),
        "resources": {kind: dict(amounts) for kind, amounts in spec.resources.items()},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def _arguments(spec: WatcherSpec) -> list[str]:
    arguments = ["watch", "--stack", spec.stack, "--metrics", f"0.0.0.0:{HEALTH}", "--dashboard", PAGES]
    return [*arguments, "--listen", f"0.0.0.0:{HOOKS}"] if spec.hooks else arguments


def _environment(spec: WatcherSpec) -> list[dict[str, Any]]:
    return [
        {"name": "PULUMI_BACKEND_URL", "value": spec.backend_url},
        {"name": "PULUMI_CONFIG_PASSPHRASE_FILE", "value": f"{SECRETS}/passphrase"},
        {"name": "PULUMI_HOME", "value": f"{CACHE}/pulumi"},
        {"name": "WEIR_CACHE_DIR", "value": f"{CACHE}/weir"},
        {"name": "HOME", "value": CACHE},
        {"name": "USER", "value": "weir"},
    ]


def _volumes(spec: WatcherSpec) -> list[dict[str, Any]]:
    passphrase = {
        "secretName": spec.passphrase_secret,
        "items": [{"key": spec.passphrase_key, "path": "passphrase"}],
        "defaultMode": _READABLE,
    }
    volumes: list[dict[str, Any]] = [
        {"name": "cache", "emptyDir": {"sizeLimit": "4Gi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "passphrase", "secret": passphrase},
    ]
    if spec.state_claim:
        volumes.append({"name": "state", "persistentVolumeClaim": {"claimName": spec.state_claim}})
    return volumes


def _apart(labels: Mapping[str, str]) -> dict[str, Sequence[Any]]:
    """Replicas on different nodes, where there are several."""
    term = {"labelSelector": {"matchLabels": dict(labels)}, "topologyKey": "kubernetes.io/hostname"}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}


def _probe(path: str, seconds: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "health"},
        "periodSeconds": seconds,
        "timeoutSeconds": 5,
        "failureThreshold": 3,
    }
