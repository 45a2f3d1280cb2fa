"""B9: image policies over repositories of 1,000 tags, a new tag of which becomes a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from benchmarks import content, floors
from benchmarks.bulk import empty_unit
from benchmarks.session import Clock, Sample, Session, cold_up
from demo.registry import Registry, running_registry
from demo.server import Repository
from tests.support.fault_proxy import FaultProxy
from tests.support.stack import StackRun, git_repository, kustomization, write_tree

IDS: Final = ("B9.commit", "B9.requests")
PATCHES: Final = 100
"""Tags of each minor version."""
POLICIES: Final = 10
"""For each repository, one for each of its minor versions."""
OBJECTS: Final = 50
"""Of `--objects` for each repository: 1,000 make 20 repositories and 200 policies."""
_SPACE: Final = "flux-system"
_API: Final = "image.toolkit.fluxcd.io/v1"
_MARKED: Final = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: main
          image: {image} # {{"$imagepolicy": "{space}:{name}"}}
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """What is followed, and where: repositories `team/app-00`, ... of a registry behind a proxy."""

    registry: Registry
    proxy: FaultProxy
    repositories: int

    @property
    def names(self) -> list[str]:
        """The repositories."""
        return [f"team/app-{number:02}" for number in range(self.repositories)]

    @property
    def policies(self) -> list[tuple[str, str, int]]:
        """Name, repository and minor version of each policy."""
        return [(f"{name[5:]}-{minor}", name, minor) for name in self.names for minor in range(POLICIES)]

    def fill(self) -> str:
        """Push 1,000 tags into each repository; the digest that all of them stand for."""
        versions = [f"1.{minor}.{patch}" for minor in range(POLICIES) for patch in range(PATCHES)]
        digest = ""
        for name in self.names:
            digest = self.registry.push(name, "1.0.0")
            self.registry.tag_many(name, digest, versions[1:])
        return digest

    def manifests(self, namespace: str) -> dict[str, str]:
        """One file for each repository, with a Deployment for each policy at the newest tag."""
        found = dict.fromkeys((f"unit/{name[5:]}.yaml" for name in self.names), "")
        for policy, name, minor in self.policies:
            image = f"127.0.0.1:{self.proxy.port}/{name}:1.{minor}.{PATCHES - 1}"
            text = _MARKED.format(name=policy, namespace=namespace, image=image, space=_SPACE)
            found[f"unit/{name[5:]}.yaml"] += f"---\n{text}"
        return found

    def documents(self) -> list[content.Obj]:
        """Repositories, policies and the automation."""
        port = self.proxy.port
        images = [
            (name[5:], {"interval": "1m", "insecure": True, "image": f"127.0.0.1:{port}/{name}"})
            for name in self.names
        ]
        rules = [
            (
                policy,
                {"imageRepositoryRef": {"name": name[5:]}, "policy": {"semver": {"range": f"~1.{minor}.0"}}},
            )
            for policy, name, minor in self.policies
        ]
        automation = {
            "interval": "1m",
            "sourceRef": {"kind": "GitRepository", "name": "bench"},
            "git": {
                "commit": {"author": {"name": "Weir", "email": "weir@example.com"}},
                "push": {"branch": "main"},
            },
            "update": {"path": "./unit", "strategy": "Setters"},
        }
        return [
            *(_document("ImageRepository", name, spec) for name, spec in images),
            *(_document("ImagePolicy", name, spec) for name, spec in rules),
            _document("ImageUpdateAutomation", "bench", automation),
        ]


def write_back(box: Session) -> Mapping[str, Sample]:
    """One new tag until its commit is in Git, and what a run without news asks of the registry.

    The registry has no ETags: a proxy before it adds them, as other registries do. Caches are those of the run before.
    Floors: an empty unit, each tag list once and a clone with a push; one request for each repository.
    """
    empty = empty_unit(box)
    namespace, repository = box.namespace(), box.repository()
    folder = box.folder / f"registry-{namespace}"
    with running_registry(folder) as registry, FaultProxy(registry.url, etags=True) as proxy:
        shop = Shop(registry, proxy, max(box.count // OBJECTS, 1))
        digest = shop.fill()
        files = shop.manifests(namespace)
        write_tree(repository.work, files)
        first = repository.commit("Install")
        stack = _stack(box, repository, shop)
        cold_up(stack)
        proxy.seen.clear()
        unchanged, _ = cold_up(stack, cold=False)
        asked = [one.headers for one in proxy.seen]
        assert repository.head() == first, "a commit without a new tag"
        fetched = floors.tag_lists([f"{registry.url}/v2/{name}/tags/list?n=1000" for name in shop.names])
        registry.tag(shop.names[0], digest, f"1.3.{PATCHES}")
        with Clock(lambda: repository.head() != first, "the commit") as clock:
            outcome, parts = cold_up(stack, cold=False)
        box.judge("bench", _wanted(files, shop))
        pushed = floors.push(_with_login(box, repository), box.folder / f"{stack.name}-clone")
        stack.destroy().must()
    box.drop(namespace)
    parts |= {"unchanged": unchanged.seconds, "up": outcome.seconds, "tag_lists": fetched, "push": pushed}
    anew = sum("if-none-match" not in headers for headers in asked)
    return {
        "B9.commit": Sample(clock.seconds, empty.seconds + fetched + pushed, parts),
        "B9.requests": Sample(len(asked), shop.repositories, {"without_etag": anew}),
    }


def _stack(box: Session, repository: Repository, shop: Shop) -> StackRun:
    """A stack that may push to the repository, with everything that is followed."""
    stack = box.stack(repository, {})
    box.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _SPACE}})
    meta = {"name": "login", "namespace": _SPACE}
    box.rest.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": dict(box.server.login)}
    )
    url = f"{box.server.url}/{repository.bare.name}"
    source = git_repository("bench", url, secretRef={"name": "login"})
    stack.write_objects("bench.yaml", [source, kustomization("bench", "bench", "./unit"), *shop.documents()])
    return stack


def _document(kind: str, name: str, spec: Mapping[str, Any]) -> content.Obj:
    return {
        "apiVersion": _API,
        "kind": kind,
        "metadata": {"name": name, "namespace": _SPACE},
        "spec": dict(spec),
    }


def _wanted(files: Mapping[str, str], shop: Shop) -> Sequence[content.Obj]:
    """All Deployments, one of them with the new tag."""
    name = shop.names[0]
    newer = "".join(files.values()).replace(f"/{name}:1.3.{PATCHES - 1} ", f"/{name}:1.3.{PATCHES} ")
    return [item for item in yaml.safe_load_all(newer) if item]


def _with_login(box: Session, repository: Repository) -> str:
    login = "{username}:{password}".format(**box.server.login)
    return f"{box.server.url}/{repository.bare.name}".replace("://", f"://{login}@")
