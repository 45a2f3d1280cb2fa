"""Everything an end-to-end test stands on: a Git server, a repository, a stack, a namespace, and the judge."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from demo.rest import Rest
from tests.support import checker
from tests.support.checker import Checker, Expected
from tests.support.git_server import GitServer, Repo
from tests.support.stack import StackRun, git_repository, kustomization, write_tree
from tests.support.writes import version

Obj = dict[str, Any]


class World:
    """One stack, one repository `apps` and one namespace; names are the test's own, so that tests share a cluster.

    The stack has the source `apps` and the units that `units` was last called with.
    """

    def __init__(self, folder: Path, kubeconfig: Path, server: GitServer) -> None:
        self.kubeconfig = kubeconfig
        self.server = server
        self.rest = Rest.load(kubeconfig)
        word = secrets.token_hex(4)
        self.flux = f"flux-{word}"
        self.namespace = f"e2e-{word}"
        records = f"records-{word}"
        self.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self.checker = Checker(self.rest, records, self.flux)
        self.stack = StackRun(
            folder=folder / "stack", kubeconfig=kubeconfig, settings={"cluster": {"recordNamespace": records}}
        )
        self.repo: Repo = server.repo(f"apps-{word}")
        self.tree = folder / "tree"
        self.files: dict[str, str] = {}

    def units(self, *documents: Obj, interval: str = "1m", **paths: str) -> None:
        """Declare source `apps` and one Kustomization per `name=path`, plus any further documents."""
        source = git_repository("apps", self.repo.url, namespace=self.flux, interval=interval)
        simple = [self.unit(name.replace("_", "-"), path) for name, path in paths.items()]
        self.stack.write_objects("stack.yaml", [source, *simple, *documents])

    def unit(self, name: str, path: str, **spec: Any) -> Obj:
        """A Kustomization document on source `apps`."""
        return kustomization(name, "apps", path, namespace=self.flux, **spec)

    def commit(self, files: Mapping[str, str | Sequence[Obj] | None], message: str = "change") -> str:
        """Commit files (texts, or objects to write as YAML; None removes) to branch main; the new hash."""
        texts = {
            name: content if isinstance(content, str) else _dump(content)
            for name, content in files.items()
            if content is not None
        }
        gone = [name for name, content in files.items() if content is None]
        self.files.update(texts)
        for name in gone:
            self.files.pop(name)
            (self.tree / name).unlink(missing_ok=True)
        write_tree(self.tree, texts)
        return self.repo.commit({**texts, **dict.fromkeys(gone)}, message)

    def expected(self, name: str, path: str, variables: Mapping[str, str] | None = None) -> Expected:
        """What a unit should have made of the present tree."""
        return Expected(name, checker.render(self.tree, path, variables), self.flux)

    def judge(self, **paths: str) -> None:
        """The cluster holds exactly what the units `name=path` make of the present tree."""
        self.judge_units([self.expected(name.replace("_", "-"), path) for name, path in paths.items()])

    def judge_units(self, units: Sequence[Expected]) -> None:
        """The cluster holds exactly what these units want."""
        self.checker.judge(units).must_hold()

    def live(self, api_version: str, kind: str, name: str) -> Obj:
        """A live object of the test's namespace, which must exist."""
        found = self.rest.get(api_version, kind, self.namespace, name)
        assert found is not None, f"{kind}/{self.namespace}/{name} is not in the cluster"
        return found

    def gone(self, api_version: str, kind: str, name: str) -> bool:
        """Whether an object of the test's namespace does not exist or is leaving."""
        found = self.rest.get(api_version, kind, self.namespace, name)
        return found is None or bool(found["metadata"].get("deletionTimestamp"))

    def edit(self, obj: Obj, change: Mapping[str, Any]) -> None:
        """A person's change to a live object."""
        self.rest.patch(obj, change)

    def versions(self) -> dict[str, str]:
        """What changes with each write but a controller's, for every object the test's units own."""
        return {checker.show(key): version(live) for key, live in self.checker.owned().items()}

    def close(self) -> None:
        """Ask for the removal of what the test left."""
        for key in self.checker.owned():
            if key[1] in {"Namespace", "CustomResourceDefinition", "ClusterRole"}:
                api = {"": "v1"}.get(key[0], f"{key[0]}/v1")
                self.rest.delete(api, key[1], "", key[3])
        for name in (self.namespace, self.checker.record_namespace):
            self.rest.delete("v1", "Namespace", "", name)


ILL: dict[str, Any] = {
    "wait": True,
    "healthCheckExprs": [{"apiVersion": "v1", "kind": "ConfigMap", "current": "false", "failed": "true"}],
}
"""Of a unit's spec: its ConfigMaps are applied, and its health check fails at once."""


def config_map(namespace: str, name: str, **data: str) -> Obj:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def deployment(namespace: str, name: str, replicas: int = 2, **container: Any) -> Obj:
    """A Deployment whose Pods the local control plane makes Ready."""
    labels = {"app": name}
    one = {"name": "main", "image": "registry.k8s.io/pause:3.10", **container}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": dict(labels)}, "spec": {"containers": [one]}},
        },
    }


def service(namespace: str, name: str) -> Obj:
    """A Service in front of the Deployment of the same name."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    }


def changed(obj: Obj, path: Sequence[str], value: Any) -> Obj:
    """A copy with one field set."""
    fresh = copy.deepcopy(obj)
    place = fresh
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return fresh


def _dump(objects: Sequence[Obj]) -> str:
    return yaml.safe_dump_all(objects, sort_keys=False)
