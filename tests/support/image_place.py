"""A real registry behind a fault proxy, and image policies that look at it, run after run."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.fault_proxy import FaultProxy
from tests.support.registry import Registry
from weir.edges.kept import Kept
from weir.edit.image import Image
from weir.flow.clusters import Clusters
from weir.flow.image_choice import Choice
from weir.flow.images import Candidates, Container, Registries
from weir.select.workload_tags import WorkloadPattern
from weir.spec.documents import Document
from weir.spec.identity import UnitId
from weir.spec.image_policy import ImagePolicySpec, parse_image_policy, parse_move_rules
from weir.spec.image_repository import ImageRepositorySpec, parse_image_repository
from weir.spec.stack import ClusterConfig, OptionsConfig

API: Final = "image.toolkit.fluxcd.io/v1"
DAY: Final = 86400.0
NOWHERE: Final = Path("/nonexistent/kubeconfig")


@dataclass
class Place:
    """What one user has: a registry, a cluster perhaps, and what is kept between runs."""

    registry: Registry
    proxy: FaultProxy
    kept: Kept
    kubeconfig: Path = NOWHERE
    namespace: str = "apps"
    now: float = field(default_factory=time.time)
    stop: threading.Event = field(default_factory=threading.Event)

    def image(self, repository: str = "team/app", version: str = "") -> Image:
        """The image under the name that goes through the proxy."""
        return Image.parse(f"127.0.0.1:{self.proxy.port}/{repository}{version}")

    def run(self, **options: Any) -> Registries:
        """What a new run knows: nothing but what is kept."""
        config = ClusterConfig(kubeconfig=str(self.kubeconfig))
        clusters = Clusters(config, OptionsConfig(), "test")
        return Registries(clusters, self.kept, stop=self.stop, now=lambda: self.now, **options)

    def repository(
        self, repository: str = "team/app", *, name: str = "app", namespace: str = "", **spec: Any
    ) -> ImageRepositorySpec:
        """An ImageRepository of the registry."""
        fields = {"image": str(self.image(repository)), "interval": "5m", "timeout": "10s", "insecure": True}
        meta = {"name": name, "namespace": namespace or self.namespace}
        return parse_image_repository(_document("ImageRepository", meta, fields | spec))

    def policy(
        self, range_: str = ">=0.0.0", annotations: Mapping[str, str] | None = None, **spec: Any
    ) -> ImagePolicySpec:
        """An ImagePolicy of the ImageRepository `app`."""
        fields = {"imageRepositoryRef": {"name": "app"}, "policy": {"semver": {"range": range_}}, **spec}
        meta = {"name": "web", "namespace": self.namespace, "annotations": dict(annotations or {})}
        return parse_image_policy(_document("ImagePolicy", meta, fields))

    def candidates(
        self,
        policy: ImagePolicySpec | None = None,
        *repositories: ImageRepositorySpec,
        run: Registries | None = None,
    ) -> Candidates:
        """A policy ready to choose, in a run of its own by default."""
        found = {spec.id: spec for spec in repositories or (self.repository(),)}
        return (run or self.run()).candidates(policy or self.policy(), found)

    def choose(self, current: str = "", policy: ImagePolicySpec | None = None, **options: Any) -> Choice:
        """What a policy chooses in a run of its own where `current` (`:tag@digest`) is in use."""
        in_use = self.image(version=current) if current else None
        return self.candidates(policy, **options).choose(in_use)

    def container(
        self, version: str, pattern: str, *, repository: str = "team/app", **fields: Any
    ) -> Container:
        """A container of a Flux 1 workload."""
        where = f"web.yaml: Deployment/{self.namespace}/web: container web"
        annotations: dict[str, str] = fields.pop("annotations", {})
        return Container(
            where=where,
            namespace=self.namespace,
            image=self.image(repository, version),
            pattern=WorkloadPattern.parse(pattern, where, "tag"),
            moves=parse_move_rules(annotations, where),
            **fields,
        )

    def requests(self) -> list[tuple[str, str]]:
        """What the registry was asked since the last look: method and path."""
        seen = [(one.method, one.path) for one in self.proxy.seen]
        self.proxy.seen.clear()
        return seen

    def version(self, choice: Choice) -> str:
        """Tag and digest of a choice, checked to be of this registry."""
        assert choice.image is not None
        assert choice.image.name.startswith(f"127.0.0.1:{self.proxy.port}/")
        return choice.image.version


def repository_id(namespace: str, name: str = "app") -> UnitId:
    """The identity of an ImageRepository."""
    return UnitId("ImageRepository", namespace, name)


def _document(kind: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Document:
    return Document("f.yaml", 0, {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec})
