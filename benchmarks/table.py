"""Figures as a Markdown page."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import date
from typing import Final

from benchmarks.session import Figure

_WHAT: Final = {
    "P1.up_empty": "program with one source and an empty unit, nothing changed",
    "B1.install": "install 1,000 objects",
    "P1.up_create": "the same, over the empty program",
    "P1.up_noop": "1,000 objects, nothing changed",
    "B3.noop_plan": "plan of 1,000 objects in sync; its LIST ran while the program rendered",
    "P1.up_one_line": "1,000 objects, one line committed",
    "B5.live": "the same, until the object is live",
    "B1.change_all": "change every one of 1,000 objects",
    "B1.prune": "remove 1,000 objects",
    "B1.install_deployments": "install 1,000 Deployments of 3 KB",
    "P1.up_noop_deployments": "the same, nothing changed",
    "B5.monorepo": "one line in a monorepo (10,000 files, 50 MB, 20 units) until live, caches cold",
    "B5.monorepo_warm": "the same with the caches of the run before",
    "B9.select_10k": "choose among 10,000 tags by semver range",
    "B9.commit": "200 image policies over 20 repositories of 1,000 tags, caches warm: a new tag until it is committed",
    "B9.requests": "the same without news: requests to a registry with ETags",
    "B3.idle_cpu": "the watcher, 20 sources polled each minute, 20 units of 50 objects in sync, nothing happens",
    "B3.idle_rss": "the same with 5,000 objects: resident memory, with the run that waits",
    "B3.noop_tick": "the same with 1,000: all 20 sources polled at once, without news",
    "B4.p50": "one of 1,000 objects edited or deleted, 30 times, until it is as it was: median",
    "B4.p95": "the same: 95th percentile",
    "B5.webhook_live": "one line committed to 1,000 objects and told by a webhook, until the object is live",
    "B6.cpu": "the watcher, 100 sources polled each minute, nothing happens",
    "B7.chain": "a commit to ten units that depend on each other in a chain, until the last is live",
    "B10.converge": "watcher and run killed amid an install of 1,000 objects, started again, until all is there",
    "B10.hanging": "`weir up` after a commit in 19 sources until all are live, while a twentieth does not answer",
    "P1.per_object_create": "1,000 objects as plain pulumi-kubernetes resources",
}
_FLOOR: Final = {
    "P1.up_empty": "a Python program without a resource",
    "B1.install": "empty unit + kustomize + raw apply",
    "P1.up_create": "empty unit",
    "P1.up_noop": "empty unit",
    "B3.noop_plan": "one LIST per kind",
    "P1.up_one_line": "empty unit + kustomize",
    "B5.live": "empty unit + kustomize",
    "B1.change_all": "empty unit + kustomize + raw apply",
    "B1.prune": "empty unit + raw delete",
    "B1.install_deployments": "empty unit + kustomize + raw apply",
    "P1.up_noop_deployments": "empty unit",
    "B5.monorepo": "empty unit + clone + kustomize of 20 units",
    "B5.monorepo_warm": "empty unit + kustomize of one unit",
    "B9.select_10k": "sorting the tags as texts",
    "B9.commit": "empty unit + tag lists + clone and push",
    "B9.requests": "one for each repository",
    "B3.idle_cpu": "none",
    "B3.idle_rss": "none",
    "B3.noop_tick": "git ls-remote, 8 at a time",
    "B4.p50": "one write",
    "B4.p95": "one write",
    "B5.webhook_live": "empty unit + kustomize",
    "B6.cpu": "git ls-remote",
    "B7.chain": "empty unit + the units' own applies",
    "B10.converge": "raw apply",
    "B10.hanging": "the same while all answer",
    "P1.per_object_create": "raw apply",
}


def markdown(figures: Sequence[Figure], runs: int, day: date) -> str:
    """The page that the README quotes."""
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    lines = [
        "# Benchmarks",
        "",
        f"Measured {day.isoformat()}: {machine}, median of {runs} runs.",
        "A real kube-apiserver and etcd (without fsync) on the same machine; `pulumi up --yes --skip-preview`, file",
        "backend with checkpoints, Weir's caches deleted before each run. Floors are measured in the same run and",
        "use no code of Weir: the same program with an empty unit, the kustomize binary on the same files, server-side",
        "apply of the same objects by 8 threads on pooled connections. End states are judged by the tests' checker.",
        "`make bench` writes this page.",
        "",
        "| id | what | value | min-max | floor | ratio | floor is |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = [figure.as_json() for figure in figures]
    for row in rows:
        id_ = str(row["id"])
        spread = f"{row['min']}-{row['max']}"
        cells = (
            id_,
            _WHAT[id_],
            f"{row['value']} {row['unit']}",
            spread,
            f"{row['floor']} {row['unit']}",
            f"{row['ratio']}",
            _FLOOR[id_],
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "Parts of each, in seconds (memory in MB):", ""]
    for row in rows:
        parts = row["parts"]
        assert isinstance(parts, dict)
        lines.append(f"- {row['id']}: " + ", ".join(f"{name} {value}" for name, value in parts.items()))
    return "\n".join(lines) + "\n"
