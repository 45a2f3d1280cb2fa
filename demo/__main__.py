"""`make demo`: from a Git commit to a converged cluster and back to nothing, on real servers.

With $KUBECONFIG set it runs on that cluster (its current context) and touches only what it made itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from demo.complaint import FAULTS, complaint
from demo.registry import Registry, running_registry
from demo.rest import Rest
from demo.server import GitServer, Repository
from demo.signals import end_on_signals, ignore_signals
from demo.stack import PROJECT, StackRun
from demo.story import ENVIRONMENTS, OWN, Story
from demo.target import Target, readers_target, target
from weir.edges.local_cluster import running_cluster

CONTENT: Final = PROJECT / "demo" / "repository"


def main() -> int:
    """Play the story; 0 when every step showed what it promises, 1 when one did not or could not be played.

    Raises:
        SystemExit: a signal came, and its number plus 128 is the exit code.
    """
    end_on_signals()
    try:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-demo-")))
            server = stack.enter_context(GitServer(folder))
            images = stack.enter_context(running_registry(folder / "registry"))
            chosen = stack.enter_context(_cluster(folder))
            story = _story(folder, chosen, server, images)
            stack.callback(story.leave_nothing)
            stack.callback(ignore_signals)
            story.play()
    except FAULTS as fault:
        print(f"\n✗ {complaint(fault)}", file=sys.stderr)
        return 1
    story.print_times()
    return 0


@contextlib.contextmanager
def _cluster(folder: Path) -> Iterator[Target]:
    """The reader's cluster when $KUBECONFIG names one, else a control plane for the length of the demo."""
    if listed := os.environ.get("KUBECONFIG"):
        chosen = readers_target(listed)
        print(
            f"Cluster: yours, context {chosen.context} at {chosen.server}, from {chosen.file}.\n"
            f"The demo makes namespaces {_names()} there, and removes them again.\n"
            "Deployment offers has no replicas there: your nodes cannot pull from a registry on this machine.",
            flush=True,
        )
        yield chosen
        return
    print(
        "Cluster: a local control plane (etcd, kube-apiserver, controllers, kwok) is starting ...", flush=True
    )
    with running_cluster(folder / "cluster") as cluster:
        yield target(cluster.kubeconfig, foreign=False)


def _names() -> str:
    return ", ".join([*(f"weir-demo-{name}" for name in ENVIRONMENTS), OWN])


def _story(folder: Path, chosen: Target, server: GitServer, images: Registry) -> Story:
    """The stack `demo` as it is in stacks/, with the addresses of what was just started."""
    settings = yaml.safe_load((PROJECT / "stacks" / "Pulumi.demo.yaml").read_text())["config"]
    run = StackRun(
        folder=folder / "stack",
        kubeconfig=chosen.file,
        context=chosen.context,
        name="demo",
        settings={"cluster": {"recordNamespace": settings["weir:cluster"]["recordNamespace"]}},
        echo=True,
    )
    documents = list(yaml.safe_load_all((PROJECT / "stacks" / "demo" / "shop.yaml").read_text()))
    url = f"{server.url}/shop.git"
    documents[0]["spec"]["url"] = url
    documents[1]["spec"]["postBuild"]["substitute"] |= {"repository_url": url, "registry": images.host}
    run.write_objects("shop.yaml", documents)
    run.init()
    rest = Rest.load(chosen.file, chosen.context)
    return Story(run, rest, _repository(server, chosen), images, server.login)


def _repository(server: GitServer, chosen: Target) -> Repository:
    """The shop's repository, not committed yet."""
    repository = server.repository("shop")
    shutil.copytree(CONTENT, repository.work, dirs_exist_ok=True)
    if chosen.foreign:
        offers = repository.work / "apps/dev/offers.yaml"
        offers.write_text(offers.read_text().replace("replicas: 1", "replicas: 0"))
    return repository


if __name__ == "__main__":
    sys.exit(main())
