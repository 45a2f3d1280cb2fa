"""One unit against the session's cluster, through Weir's own plan, apply and remove."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.reading import Lists
from weir.edges.kube.records import Records
from weir.flow.apply import UnitResult, apply_unit
from weir.flow.clusters import Clusters
from weir.flow.decisions import Work
from weir.flow.plan import Plan, Request, plan_unit
from weir.flow.remove import remove_unit
from weir.spec.documents import Document
from weir.spec.identity import ObjectId
from weir.spec.kustomization import KustomizationSpec, parse_kustomization
from weir.spec.record import UnitRecord
from weir.spec.stack import ClusterConfig, OptionsConfig

Obj = dict[str, Any]


class Unit:
    """One Kustomization named after its namespace, with its records in that same namespace."""

    def __init__(self, kubeconfig: Path, namespace: str, name: str = "app", stack: str = "test") -> None:
        self.kubeconfig, self.namespace, self.name, self.stack = kubeconfig, namespace, name, stack
        self.kube = Kube(load(str(kubeconfig)))
        self.discovery = Discovery(self.kube)
        self.records = Records(self.kube, namespace, stack)
        self.options = OptionsConfig()
        self.said: list[str] = []

    def document(self, annotations: Mapping[str, str] | None = None, **spec: Any) -> Obj:
        """The unit's own document."""
        source = {"kind": "GitRepository", "name": "repo"}
        return {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "annotations": dict(annotations or {}),
            },
            "spec": {"interval": "10m", "prune": True, "sourceRef": source, **spec},
        }

    def spec(self, annotations: Mapping[str, str] | None = None, **spec: Any) -> KustomizationSpec:
        """The unit's spec."""
        return parse_kustomization(Document("test.yaml", 0, self.document(annotations, **spec)))

    def label(self, obj: Obj) -> Obj:
        """The object as render leaves it: with the unit's owner labels."""
        prefix = "kustomize.toolkit.fluxcd.io"
        meta = obj["metadata"]
        labels = {
            **meta.get("labels", {}),
            f"{prefix}/name": self.name,
            f"{prefix}/namespace": self.namespace,
        }
        return {**obj, "metadata": {**meta, "labels": labels}}

    def request(self, spec: KustomizationSpec, stop: threading.Event | None = None) -> Request:
        """What plan and apply of the unit are asked for."""
        return Request(kube=self.kube, discovery=self.discovery, spec=spec, options=self.options, stop=stop)

    def plan(self, objects: Sequence[Obj], lists: Lists | None = None, **spec: Any) -> Plan:
        """The plan as it stands now; `lists` were read just before it."""
        wanted = self.spec(**spec)
        record = self.records.read(wanted.id)
        request = replace(self.request(wanted), lists=lists or {})
        return plan_unit(request, [self.label(obj) for obj in objects], record)

    def apply(
        self,
        objects: Sequence[Obj],
        revision: str = "main@sha1:1",
        *,
        stop: threading.Event | None = None,
        known: Mapping[ObjectId, Work] | None = None,
        **spec: Any,
    ) -> UnitResult:
        """One run; `known` are the decisions of a plan just before it."""
        wanted = self.spec(**spec)
        document = orjson.dumps(self.document(**spec)).decode()
        return apply_unit(
            replace(self.request(wanted, stop), known=known or {}),
            self.records,
            [self.label(obj) for obj in objects],
            record=UnitRecord(id=wanted.id, stack=self.stack, document=document),
            revision=revision,
            digest=f"sha256:{revision}",
            progress=self.said.append,
        )

    def must_apply(self, objects: Sequence[Obj], revision: str = "main@sha1:1", **spec: Any) -> UnitResult:
        """One run that succeeds."""
        result = self.apply(objects, revision, **spec)
        assert result.error is None, str(result.error)
        return result

    def clusters(self) -> Clusters:
        """The connections as a run has them."""
        config = ClusterConfig(kubeconfig=str(self.kubeconfig), record_namespace=self.namespace)
        return Clusters(config, self.options, self.stack)

    def remove(self, progress: Callable[[str], None] | None = None, **options: Any) -> None:
        """Remove the unit as its record says."""
        record = self.records.read(self.spec().id)
        assert record is not None
        remove_unit(
            self.clusters(),
            record,
            OptionsConfig(**options),
            progress=progress or self.said.append,
            stop=threading.Event(),
        )

    def owned(self) -> set[str]:
        """The inventory as texts."""
        record = self.records.read(self.spec().id)
        return {str(item) for item, _ in record.inventory} if record else set()


def config_map(namespace: str, name: str, data: Mapping[str, Any] | None = None, **meta: Any) -> Obj:
    """A ConfigMap manifest."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, **meta},
        "data": dict(data or {"key": "value"}),
    }


def secret(namespace: str, name: str, **body: Any) -> Obj:
    """A Secret manifest."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        **body,
    }


def deployment(
    namespace: str, name: str, image: str = "nginx:1", *, app: str = "", replicas: int = 0, **meta: Any
) -> Obj:
    """A Deployment manifest."""
    labels = {"app": app or name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, **meta},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": image, "ports": [{"containerPort": 80}]}]},
            },
        },
    }
