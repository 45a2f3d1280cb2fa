"""`weir uninstall`: end Weir's ownership of a stack; the workloads stay as they are.

What is removed: the resources in the stack's state, its unit records and its leases. Objects keep their labels and
field manager, so that a later `weir up` takes them over again without a change.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

from weir.cli._stack import add_stack_arguments
from weir.cli._units import now, open_clusters
from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.lease import lease_name
from weir.edges.pulumi.command import PulumiCli
from weir.edges.pulumi.lock import break_dead_locks
from weir.edges.pulumi.project import (
    EngineError,
    backend_folder,
    backend_url,
    check_stack_name,
    find_project,
)
from weir.edges.pulumi.state import StackFiles
from weir.flow.asking import live_watcher
from weir.flow.clusters import Clusters
from weir.spec.record import UnitRecord

_LEASES: Final = ("run", "watch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument(
        "--keep-records", action="store_true", help="leave the unit records: they say which object is whose"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed, and stop")
    parser.add_argument("--yes", "--silent", action="store_true", help="do not ask for the stack's name")
    add_stack_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, then forget the state first: a run that holds the stack stops that, and nothing is changed."""
    stack = check_stack_name(args.stack)
    clusters = open_clusters(args)
    records = clusters.records.read_all()
    _refuse_watched(clusters, stack)
    print(f"► {_summary(stack, records)}")
    if args.dry_run:
        return 0
    if not args.yes:
        _ask(stack)
    _forget_state(stack)
    if not args.keep_records:
        for record in records:
            clusters.records.delete(record.id)
        print(f"✔ {len(records)} unit records deleted from namespace {clusters.records.namespace}")
        _delete_leases(clusters, stack)
    print(f"✔ stack {stack} uninstalled; its files and settings are as they were")
    return 0


def _refuse_watched(clusters: Clusters, stack: str) -> None:
    watcher = live_watcher(clusters.main, clusters.records.namespace, stack, now())
    if watcher:
        raise EngineError(
            f"stack {stack}: found a watcher at work, {watcher}", hint="stop it first: it would install anew"
        )


def _summary(stack: str, records: Sequence[UnitRecord]) -> str:
    owned = sum(len(record.inventory) for record in records)
    units = sum(record.id.kind == "Kustomization" for record in records)
    return f"stack {stack} lets go of {owned} objects of {units} Kustomizations, which stay in the cluster as they are"


def _ask(stack: str) -> None:
    """Let a person type the stack's name. Raises EngineError when there is nobody, or another name."""
    if not sys.stdin.isatty():
        raise EngineError(f"stack {stack}: found no --yes and nobody to ask", hint="pass --yes")
    answer = input("Type the stack's name: ")
    if answer.strip() != stack:
        raise EngineError(f"stack {stack}: found {answer[:100]!r}; nothing was removed", hint="type its name")


def _forget_state(stack: str) -> None:
    """Empty the stack's state, and leave what it owned. Raises WeirError when another run holds it."""
    project = find_project(Path())
    folder = backend_folder(backend_url(project, os.environ), project.root)
    if folder:
        for sentence in break_dead_locks(StackFiles(backend=folder, project=project.name, stack=stack).locks):
            print(f"► {sentence}", file=sys.stderr)
    cli = PulumiCli(root=project.root, environ=os.environ)
    if cli.export(stack) is None:
        print(f"► stack {stack} has no state in the backend")
        return
    cli.forget_resources(stack)
    print(f"✔ state of stack {stack} emptied")


def _delete_leases(clusters: Clusters, stack: str) -> None:
    base = f"/apis/coordination.k8s.io/v1/namespaces/{clusters.records.namespace}/leases"
    for purpose in _LEASES:
        try:
            clusters.main.request("DELETE", f"{base}/{lease_name(purpose, stack)}")
        except KubeStatusError as err:
            if not (err.absent or err.status == HTTPStatus.FORBIDDEN):
                raise
