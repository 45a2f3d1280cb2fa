"""Flux 1's annotated workloads in a repository with a folder per namespace: no markers, no policies, no repositories.

Rules: https://github.com/fluxcd/flux/blob/master/docs/references/automated-image-update.md and, for the shape of the
repository, https://github.com/fluxcd/flux/blob/master/docs/tutorials/get-started.md
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import image_objects as objects
from tests.support.registry import Registry, running_registry
from tests.support.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as running:
        yield running


def following(*containers: str, **more: str) -> dict[str, str]:
    """What Flux 1's tutorial writes on an automated workload, for containers that follow `~1.0`."""
    tags = {f"fluxcd.io/tag.{container}": "semver:~1.0" for container in containers}
    return {"fluxcd.io/automated": "true", **tags, **more}


def tree(world: World, registry: Registry, back: str) -> dict[str, str]:
    """Two folders, one namespace each; in the second one a kustomization names it and the workloads do not."""

    def image(name: str) -> str:
        return f"{registry.host}/team/{name}:1.0.0"

    locked = following("main", **{"fluxcd.io/locked": "true", "fluxcd.io/locked_msg": "wait for the audit"})
    rollback = following("main", **{"weir.dev/missing-tag": "rollback"})
    return {
        "workloads/front/web.yaml": objects.workload(
            world.namespace,
            "web",
            [("web", image("web")), ("proxy", image("proxy"))],
            annotations=following("web", "proxy"),
        ),
        "workloads/front/audited.yaml": objects.workload(
            world.namespace, "audited", [("main", image("web"))], annotations=locked
        ),
        "workloads/back/kustomization.yaml": (
            f"namespace: {back}\nresources: [namespace.yaml, worker.yaml, manual.yaml]\n"
        ),
        "workloads/back/namespace.yaml": f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {back}}}\n",
        "workloads/back/worker.yaml": objects.workload(
            "", "worker", [("main", image("worker"))], annotations=rollback
        ),
        "workloads/back/manual.yaml": objects.workload("", "manual", [("main", image("web"))]),
    }


def push(registry: Registry, **tags: str) -> None:
    for name, tag in tags.items():
        registry.push(f"team/{name}", tag)


def expect_running(world: World, registry: Registry, back: str, *, web: list[str], worker: str) -> None:
    """The automated workloads run these; the locked one and the one that does not ask for it stay as they were."""
    prefix = f"{registry.host}/team"
    assert objects.images_of(world, "web") == [f"{prefix}/{image}" for image in web]
    assert objects.images_of(world, "worker", back) == [f"{prefix}/worker:{worker}"]
    assert objects.images_of(world, "audited") == [f"{prefix}/web:1.0.0"], "locked"
    assert objects.images_of(world, "manual", back) == [f"{prefix}/web:1.0.0"], "not automated"


def test_annotated_workloads_follow_their_registries_in_git_and_in_the_cluster(
    world: World, registry: Registry
) -> None:
    back = f"{world.namespace}-back"
    push(registry, web="1.0.0", proxy="1.0.0", worker="1.0.0")
    push(registry, web="1.0.1", proxy="1.0.3", worker="1.0.2")
    push(registry, web="1.1.0")  # out of range
    files = tree(world, registry, back)
    start = world.commit(files)
    world.units(
        objects.automation(world, "./workloads", annotations={"weir.dev/workloads": "true"}),
        world.unit("front", "./workloads/front", wait=True, timeout="1m"),
        world.unit("back", "./workloads/back", wait=True, timeout="1m"),
    )
    world.stack.up().must()
    assert world.repo.git("log", "--format=%an %P", f"{start}..main") == f"Weir {start}", "one commit"
    web, worker = files["workloads/front/web.yaml"], files["workloads/back/worker.yaml"]
    newer = web.replace("/web:1.0.0", "/web:1.0.1").replace("/proxy:1.0.0", "/proxy:1.0.3")
    wanted = {**files, "workloads/front/web.yaml": newer}
    changed = {"workloads/back/worker.yaml": worker.replace(":1.0.0", ":1.0.2")}
    assert world.repo.files() == wanted | changed, "nothing but three scalars"
    expect_running(world, registry, back, web=["web:1.0.1", "proxy:1.0.3"], worker="1.0.2")

    world.rest.delete("apps/v1", "Deployment", world.namespace, "web")
    registry.untag("team/worker", "1.0.2")
    registry.untag("team/proxy", "1.0.3")
    before = world.repo.head()
    told = world.stack.up().must().out
    expect_running(world, registry, back, web=["web:1.0.1", "proxy:1.0.3"], worker="1.0.0")
    image = f"{registry.host}/team/worker"
    said = f"Weir {before} Images: {image}:1.0.2 to {image}:1.0.0"
    assert world.repo.git("log", "--format=%an %P %s", f"{before}..main") == said
    assert world.repo.files() == wanted
    assert "1.0.3 is gone from the registry" in told, "held and told: nothing asks for a rollback there"
    world.stack.expect_clean()
