"""Whether everything is there that a stack needs: programs, cluster, rights, backend, passphrase."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from weir.edges import process
from weir.edges.kube.client import Kube
from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.rights import Right, has_right
from weir.edges.pulumi.command import PulumiCli
from weir.edges.pulumi.passphrase import Passphrase
from weir.edges.pulumi.project import backend_url, find_project, read_settings
from weir.edges.tools import ENGINE, TOOLS, locate, version_of
from weir.flow.clusters import Clusters
from weir.spec.errors import WeirError
from weir.spec.stack import StackConfig

OLDEST_PYTHON: Final = (3, 11)
OLDEST_GIT: Final = (2, 30)
"""The first whose `rev-parse --verify` knows `--end-of-options`."""
OLDEST_KUBERNETES: Final = (1, 22)
"""The first with server-side apply as a stable feature."""
_VERSION: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_TIMEOUT: Final = 20.0
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    ok: bool
    text: str


def programs() -> Iterator[Finding]:
    """Python, git and the tools that a run starts."""
    yield _least("python", sys.version_info[:3], OLDEST_PYTHON)
    yield _guarded("git", _git)
    for name in ENGINE:
        yield _guarded(name, partial(_tool, name))


def cluster(clusters: Clusters) -> Iterator[Finding]:
    """Whether the API server answers, and its version."""
    yield _guarded("cluster", lambda: _kubernetes(clusters.main))


def stack(clusters: Clusters, config: StackConfig, config_file: Path) -> Iterator[Finding]:
    """Records, rights, backend and passphrase of one stack."""
    yield _guarded("record namespace", lambda: _records(clusters, config))
    yield from _rights(clusters, config)
    yield from _engine(config.name, config_file)


def tool_versions() -> Mapping[str, str]:
    """The versions of the programs that a run starts, as far as they are here."""
    found = {}
    for name in ("pulumi", "kustomize"):
        try:
            version = version_of(locate(name))
        except WeirError:
            version = None
        found[name] = f"v{_dotted(version)}" if version else "not found"
    return found


def kubernetes_version(kube: Kube) -> str:
    """The API server's own, such as `v1.36.3`. Raises ClusterError."""
    return str(kube.request("GET", "/version").get("gitVersion", ""))


def _guarded(subject: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except WeirError as err:
        return Finding(ok=False, text=f"{subject}: {err}")


def _git() -> Finding:
    environ = {"PATH": os.environ.get("PATH", os.defpath)}
    done = process.run(["git", "--version"], env=environ, timeout=_TIMEOUT)
    return _least("git", _numbers(done.stdout.decode("utf-8", "replace")), OLDEST_GIT)


def _tool(name: str) -> Finding:
    path, oldest = locate(name), TOOLS[name].minimum
    # plugins are servers: they would not answer and wait for an engine
    version = version_of(path) if oldest else None
    return _least(name, version, oldest) if version and oldest else Finding(ok=True, text=f"{name} at {path}")


def _kubernetes(kube: Kube) -> Finding:
    version = kubernetes_version(kube)
    found = _least("Kubernetes", _numbers(version), OLDEST_KUBERNETES)
    return Finding(ok=found.ok, text=f"{found.text} at {kube.server}")


def _least(name: str, version: Iterable[int], least: tuple[int, ...]) -> Finding:
    found = tuple(version)
    return Finding(ok=found >= least, text=f"{name} {_dotted(found)} >={_dotted(least)}")


def _numbers(text: str) -> tuple[int, ...]:
    found = _VERSION.search(text)
    return tuple(int(part) for part in found.groups() if part) if found else ()


def _dotted(version: Iterable[int]) -> str:
    return ".".join(map(str, version)) or "unknown"


def _records(clusters: Clusters, config: StackConfig) -> Finding:
    space = config.cluster.record_namespace
    try:
        clusters.main.request("GET", f"/api/v1/namespaces/{space}")
    except KubeStatusError as err:
        if not err.absent:
            raise
        return Finding(ok=True, text=f"namespace {space} is not there yet: the first run makes it")
    count = len(clusters.records.read_all())
    return Finding(ok=True, text=f"namespace {space} holds the records of {count} units")


def _wanted(config: StackConfig) -> Iterator[Right]:
    space = config.cluster.record_namespace
    yield Right("get", "namespaces", name="kube-system")
    for verb in ("get", "list", "watch", "create", "patch", "delete"):
        yield Right(verb, "configmaps", namespace=space)
    for verb in ("get", "create", "patch"):
        yield Right(verb, "leases", "coordination.k8s.io", space)
    yield Right("create", "events", namespace=space)
    for verb in ("get", "list", "watch", "create", "patch", "delete"):
        yield Right(verb, "deployments", "apps")


def _rights(clusters: Clusters, config: StackConfig) -> Iterator[Finding]:
    """What the account may do, in as many sentences as there are rights missing, or one."""
    rights = list(_wanted(config))
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            allowed = list(pool.map(partial(has_right, clusters.main), rights))
    except WeirError as err:
        yield Finding(ok=False, text=f"rights: {err}")
        return
    missing = [right for right, yes in zip(rights, allowed, strict=True) if not yes]
    for right in missing:
        yield Finding(ok=False, text=f"the account may not {right}")
    if not missing:
        yield Finding(ok=True, text="the account may write records, leases, events and Deployments")


def _engine(name: str, config_file: Path) -> Iterator[Finding]:
    """The backend and the passphrase, as the Pulumi CLI would find them."""
    try:
        project = find_project(Path.cwd())
        settings = read_settings(project, name, config_file)
        url = backend_url(project, os.environ)
        cli = PulumiCli(root=project.root, environ=os.environ)
        known = cli.export(name) is not None
        state = "knows the stack" if known else "does not know the stack yet: the first run makes it"
        yield Finding(ok=True, text=f"backend {_without_credentials(url) or 'of the last login'} {state}")
        passphrase = Passphrase.of(os.environ)
        passphrase.check_given(name, settings)
        if settings.uses_passphrase:
            passphrase.check_opens(name, settings.salt)
            yield Finding(ok=True, text="the passphrase opens the stack's secrets")
    except WeirError as err:
        yield Finding(ok=False, text=str(err))


def _without_credentials(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url.partition("?")[0])
