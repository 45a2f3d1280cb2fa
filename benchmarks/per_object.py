"""P1.per_object_create: the same 1,000 objects as one pulumi-kubernetes resource each, for comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from benchmarks import content, floors
from benchmarks.session import Sample, Session
from demo.stack import StackRun

_PROGRAM: Final = """
import os

import pulumi
import pulumi_kubernetes as k8s

provider = k8s.Provider("k8s", kubeconfig=os.environ["BENCH_KUBECONFIG"])
k8s.yaml.v2.ConfigGroup("bench", files=[os.environ["BENCH_FILES"]], opts=pulumi.ResourceOptions(provider=provider))
"""


def create(box: Session) -> Mapping[str, Sample]:
    """`pulumi up --yes --skip-preview` of a plain program; the floor is the raw apply of the same objects."""
    namespace, raw_namespace = box.namespace(), box.namespace()
    objects = content.bulk(namespace, box.count)
    stack = StackRun(folder=box.folder / f"plain-{namespace}", kubeconfig=box.kubeconfig)
    project = stack.folder / "plain"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: plain\nruntime: python\n")
    (project / "__main__.py").write_text(_PROGRAM)
    (project / "objects.yaml").write_text(content.dump(objects))
    stack.extra_environment |= {
        "BENCH_KUBECONFIG": str(box.kubeconfig),
        "BENCH_FILES": str(project / "objects.yaml"),
        "PULUMI_K8S_CLIENT_QPS": "1000",
        "PULUMI_K8S_CLIENT_BURST": "2000",
    }
    command = ("pulumi", "--cwd", str(project), "--non-interactive")
    stack.run(*command, "stack", "init", "plain").must()
    outcome = stack.run(*command, "up", "--yes", "--skip-preview", "--stack", "plain", timeout=1200).must()
    raw = floors.raw_apply(box.rest, content.bulk(raw_namespace, box.count))
    box.drop(namespace, raw_namespace)
    return {"P1.per_object_create": Sample(outcome.seconds, raw, {"raw_apply": raw})}
