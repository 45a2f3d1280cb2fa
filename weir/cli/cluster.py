"""`weir cluster up|down|status`: a local Kubernetes control plane to try things on."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from weir.edges.local_cluster.cluster import LocalCluster
from weir.edges.local_cluster.layout import default_folder
from weir.edges.tools import TOOLS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `up`, `down` and `status`."""
    parser.add_argument("action", choices=("up", "down", "status"))
    parser.add_argument("--dir", type=Path, metavar="FOLDER", default=None, help="where it lives")
    parser.add_argument("--fresh", action="store_true", help="with up: throw an existing one away first")


def run(args: argparse.Namespace) -> int:
    """Do one of the three; `status` of a cluster that is not running returns 1."""
    cluster = LocalCluster(args.dir or default_folder())
    if args.action == "up":
        return _up(cluster, fresh=args.fresh)
    if args.action == "down":
        cluster.stop()
        print(f"✔ nothing is running, {cluster.layout.root} is removed")
        return 0
    return _status(cluster)


def _up(cluster: LocalCluster, *, fresh: bool) -> int:
    start = time.monotonic()
    if fresh:
        cluster.stop()
    cluster.start()
    version = TOOLS["kubernetes"].version
    print(f"✔ Kubernetes {version} is up at {cluster.server} after {time.monotonic() - start:.1f} s")
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    return 0


def _status(cluster: LocalCluster) -> int:
    running = cluster.running()
    if not any(running.values()):
        print(f"not running in {cluster.layout.root}; `weir cluster up` starts it")
        return 1
    for name, alive in running.items():
        print(f"{name.ljust(24)} {'running' if alive else 'not running'}")
    print(f"{'server'.ljust(24)} {cluster.server}\n{'kubeconfig'.ljust(24)} {cluster.kubeconfig}")
    return 0 if all(running.values()) else 1
