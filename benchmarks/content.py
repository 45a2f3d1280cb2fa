"""What is deployed: the objects of B1, Deployments of 3 KB, and the monorepo of B5: same number, same bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

Obj = dict[str, Any]

PER_FILE: Final = 20
"""Objects in one file of a unit."""
_ALPHABET: Final = """
alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo sierra
tango uniform victor whiskey xray yankee zulu
"""
_WORDS: Final = tuple(_ALPHABET.split())


def bulk(namespace: str, count: int = 1000, *, generation: int = 0) -> list[Obj]:
    """B1: of every 20 objects 16 ConfigMaps of 2 KB, 2 ServiceAccounts, a Service and a Role.

    Another `generation` changes one field of every object.
    """
    return [_bulk_object(namespace, number, generation) for number in range(count)]


def _bulk_object(namespace: str, number: int, generation: int) -> Obj:
    slot = number % PER_FILE
    if slot < 16:  # noqa: PLR2004 - 800 of 1,000
        return _config_map(namespace, number, generation)
    if slot < 18:  # noqa: PLR2004 - 100 of 1,000
        return _service_account(namespace, number, generation)
    return (_service if slot == 18 else _role)(namespace, number, generation)  # noqa: PLR2004 - 50 each


def _meta(namespace: str, number: int) -> Obj:
    labels = {"app.kubernetes.io/name": f"app-{number % 37}", "app.kubernetes.io/part-of": "bench"}
    return {"name": f"object-{number:05}", "namespace": namespace, "labels": labels}


def _text(seed: str, size: int) -> str:
    chosen = random.Random(seed)  # noqa: S311 - filler, repeatable
    lines: list[str] = []
    while sum(map(len, lines)) < size:
        lines.append(
            f"{chosen.choice(_WORDS)}.{chosen.choice(_WORDS)} = {' '.join(chosen.choices(_WORDS, k=6))}\n"
        )
    return "".join(lines)


def _config_map(namespace: str, number: int, generation: int) -> Obj:
    data = {
        "application.properties": _text(f"properties {number}", 1100),
        "logging.conf": _text(f"logging {number}", 500),
        "LEVEL": ("info", "debug")[generation % 2],
        "REGION": _WORDS[number % len(_WORDS)],
        "TIMEOUT_SECONDS": str(30 + number % 7),
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(namespace, number), "data": data}


def _service_account(namespace: str, number: int, generation: int) -> Obj:
    meta = {**_meta(namespace, number), "annotations": {"bench.example/generation": str(generation)}}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": meta,
        "automountServiceAccountToken": False,
    }


def _service(namespace: str, number: int, generation: int) -> Obj:
    ports = [
        {"name": "http", "port": 80, "targetPort": 8080 + generation, "protocol": "TCP"},
        {"name": "metrics", "port": 9090, "targetPort": "metrics", "protocol": "TCP"},
    ]
    spec = {"type": "ClusterIP", "selector": {"app": f"app-{number}"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(namespace, number), "spec": spec}


def _role(namespace: str, number: int, generation: int) -> Obj:
    rules = [
        {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get", "list", "watch"]},
        {
            "apiGroups": ["apps"],
            "resources": ["deployments"],
            "verbs": ["get", "patch"][: 1 + generation % 2],
        },
    ]
    group = "rbac.authorization.k8s.io/v1"
    return {"apiVersion": group, "kind": "Role", "metadata": _meta(namespace, number), "rules": rules}


def deployments(namespace: str, count: int = 1000) -> list[Obj]:
    """Deployments of 3 KB, scaled to zero."""
    return [_deployment(namespace, number) for number in range(count)]


def _deployment(namespace: str, number: int) -> Obj:
    name = f"app-{number:05}"
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench"}
    pod = {
        "serviceAccountName": "default",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65535},
        "containers": [_container(name, number, port) for port in (8080, 9090)],
        "volumes": [{"name": "settings", "configMap": {"name": name}}, {"name": "scratch", "emptyDir": {}}],
    }
    spec = {
        "replicas": 0,
        "revisionHistoryLimit": 1,
        "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def _container(name: str, number: int, port: int) -> Obj:
    probe = {"httpGet": {"path": "/healthz", "port": port}, "periodSeconds": 10, "failureThreshold": 3}
    return {
        "name": f"c{port}",
        "image": f"registry.example/{name}:1.{number % 10}.0",
        "args": ["--listen", f":{port}", "--log-format=json", f"--peer=http://{name}.bench.svc:{port}"],
        "env": [{"name": word.upper(), "value": f"{word}-{number}"} for word in _WORDS[:8]],
        "ports": [{"name": f"p{port}", "containerPort": port, "protocol": "TCP"}],
        "readinessProbe": probe,
        "livenessProbe": {**probe, "initialDelaySeconds": 10},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "volumeMounts": [
            {"name": "settings", "mountPath": "/etc/app"},
            {"name": "scratch", "mountPath": "/var/scratch"},
        ],
    }


def write_unit(folder: Path, objects: Sequence[Obj]) -> None:
    """Write objects as a unit's folder: some objects a file, and the kustomization.yaml that lists the files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for start in range(0, len(objects), PER_FILE):
        names.append(f"objects-{start // PER_FILE:04}.yaml")
        (folder / names[-1]).write_text(dump(objects[start : start + PER_FILE]))
    document = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": names}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document))


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes manifests as people and tools do, without anchors for values that happen to be one object here."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        """Always."""
        return True


def dump(objects: Sequence[Obj]) -> str:
    """Objects as YAML documents."""
    return str(yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False))


def write_filler(folder: Path, files: int, size: int) -> None:
    """What else is in a monorepo: `files` files of `size` bytes in folders of a hundred."""
    for number in range(files):
        path = folder / f"service-{number // 100:03}" / f"file-{number % 100:02}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(f"filler {number}", size)[:size])


def batches(objects: Sequence[Obj], count: int) -> Iterator[Sequence[Obj]]:
    """The objects in `count` parts of equal size."""
    size = len(objects) // count
    for start in range(0, size * count, size):
        yield objects[start : start + size]
