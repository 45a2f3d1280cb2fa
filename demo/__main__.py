"""`make demo`: from a Git commit to a converged cluster and back to nothing, on real servers.

With $KUBECONFIG set it runs on that cluster (its current context) and touches only what it made itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from demo.rest import Rest
from demo.server import GitServer, Repository
from demo.stack import PROJECT, StackRun
from demo.story import ENVIRONMENTS, RECORDS, Story
from weir.edges.local_cluster import running_cluster

CONTENT: Final = PROJECT / "demo" / "repository"


def main() -> int:
    """Play the story; 0 when every step showed what it promises, 1 when one did not."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="weir-demo-") as scratch, GitServer(Path(scratch)) as server:
        folder = Path(scratch)
        repository = server.repository("shop")
        shutil.copytree(CONTENT, repository.work, dirs_exist_ok=True)
        with _cluster(folder) as kubeconfig:
            story = _story(folder, kubeconfig, repository, f"{server.url}/shop.git")
            try:
                story.play()
            except AssertionError as err:
                print(f"\n✗ {err}", file=sys.stderr)
                return 1
            finally:
                story.leave_nothing()
    story.print_times()
    return 0


@contextlib.contextmanager
def _cluster(folder: Path) -> Iterator[Path]:
    """The reader's cluster when $KUBECONFIG names one, else a control plane for the length of the demo."""
    if os.environ.get("KUBECONFIG"):
        kubeconfig = Path(os.environ["KUBECONFIG"]).expanduser().absolute()
        print(
            f"Cluster: yours, from {kubeconfig}. The demo makes namespaces {_names()}, and removes them again."
        )
        yield kubeconfig
        return
    print(
        "Cluster: a local control plane (etcd, kube-apiserver, controllers, kwok) is starting ...", flush=True
    )
    with running_cluster(folder / "cluster") as cluster:
        yield cluster.kubeconfig


def _names() -> str:
    return ", ".join([*(f"weir-demo-{name}" for name in ENVIRONMENTS), RECORDS])


def _story(folder: Path, kubeconfig: Path, repository: Repository, url: str) -> Story:
    """The stack `demo` as it is in stacks/, with the address of the Git server that was just started."""
    settings = yaml.safe_load((PROJECT / "stacks" / "Pulumi.demo.yaml").read_text())["config"]
    stack = StackRun(
        folder=folder / "stack",
        kubeconfig=kubeconfig,
        name="demo",
        settings={"cluster": {"recordNamespace": settings["weir:cluster"]["recordNamespace"]}},
        echo=True,
    )
    documents = list(yaml.safe_load_all((PROJECT / "stacks" / "demo" / "shop.yaml").read_text()))
    documents[0]["spec"]["url"] = url
    documents[1]["spec"]["postBuild"]["substitute"]["repository_url"] = url
    stack.write_objects("shop.yaml", documents)
    stack.init()
    return Story(stack, repository, Rest.load(kubeconfig))


if __name__ == "__main__":
    sys.exit(main())
