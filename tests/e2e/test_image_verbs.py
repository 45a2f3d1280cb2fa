"""Verbs that commit, and verbs about images, on the real engine, API server, registry and Git server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import image_objects as objects
from tests.support.registry import Registry, running_registry
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

APP = "registry.example/team/app"
BORN = "2020-01-02T03:04:05Z"
JANE = "Jane Doe <jane@example.com>"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as running:
        yield running


def app(world: World, tag: str, **annotations: str) -> str:
    return objects.workload(world.namespace, "web", [("main", f"{APP}:{tag}")], annotations=annotations)


def image(world: World) -> str:
    return objects.images_of(world, "web")[0]


@pytest.mark.slow
def test_release_and_lock_are_commits(world: World) -> None:
    workload, nobody = (f"{world.namespace}:deployment/{name}" for name in ("web", "nobody"))
    first = world.commit({"web/web.yaml": app(world, "1.0.0")})
    world.units(world.unit("web", "./web", wait=True, timeout="1m"))
    world.stack.up().must()

    wanted = ("--workload", workload, "--update-image", f"{APP}:1.1.0", "--user", JANE)
    shown = world.stack.weir("release", *wanted, "--dry-run").must().out
    assert f'-          image: "{APP}:1.0.0"' in shown
    assert f'+          image: "{APP}:1.1.0"' in shown
    assert world.repo.head() == first, "a dry run writes nothing"

    done = world.stack.weir("release", *wanted, "--wait").must().out
    assert f"main: {APP}:1.0.0 -> {APP}:1.1.0" in done
    assert world.repo.files()["web/web.yaml"] == app(world, "1.1.0"), "only the tag differs"
    assert world.repo.git("log", "-1", "--format=%an <%ae>").strip() == JANE
    assert image(world) == f"{APP}:1.1.0"
    assert world.repo.head()[:8] in done.splitlines()[-1], "the rollout is shown"

    message = ("-m", "wait for the audit", "--user", JANE)
    missing = world.stack.weir("lock", "-w", workload, "-w", nobody, *message).must_fail().out
    assert f"{nobody}" in missing
    assert "not in the repository" in missing
    locked = world.repo.head()
    assert world.repo.git("log", "-1", "--format=%s").strip() == "wait for the audit"
    newer = ("-w", workload, "--update-image", f"{APP}:1.2.0")
    refused = world.stack.weir("release", *newer).must().out
    assert f"locked by {JANE}: wait for the audit" in refused
    assert world.repo.head() == locked


@pytest.mark.slow
def test_a_rollback_is_a_commit_on_top(world: World) -> None:
    more = [config_map(world.namespace, "more", A="1")]
    first = world.commit({"web/web.yaml": app(world, "1.0.0"), "web/run.sh": "one\n", "README.md": "old\n"})
    world.units(world.unit("web", "./web", wait=True, timeout="1m"))
    world.stack.up().must()
    later = {"web/web.yaml": app(world, "1.1.0"), "web/more/a.yaml": more, "web/run.sh": None}
    tip = world.commit({**later, "README.md": "new\n"})
    world.stack.up().must()

    unit = f"Kustomization/{world.flux}/web"
    shown = world.stack.weir("rollback", unit, "--to", first[:8], "--dry-run").must().out
    assert f'+          image: "{APP}:1.0.0"' in shown
    assert "-  A: '1'" in shown
    assert world.repo.head() == tip, "a dry run writes nothing"
    world.stack.weir("rollback", unit, "--wait").must()
    assert world.repo.files() == {
        "web/web.yaml": app(world, "1.0.0"),
        "web/run.sh": "one\n",
        "README.md": "new\n",
    }
    assert world.repo.git("log", "-1", "--format=%P %s").strip() == (
        f"{tip} Roll back {unit} to main@sha1:{first[:8]}"
    )
    assert image(world) == f"{APP}:1.0.0"
    assert world.gone("v1", "ConfigMap", "more")


def follow(world: World, registry: Registry) -> str:
    """A policy, an automation and a workload at 6.5.0, converged; then 6.5.1 is pushed. The workload's text."""
    name = f"{registry.host}/team/podinfo"
    for tag in ("6.4.0", "6.5.0", "7.0.0"):
        registry.push("team/podinfo", tag, created=BORN)
    marked = objects.workload(
        world.namespace,
        "web",
        [("main", f"{name}:6.5.0")],
        markers=[f"{world.flux}:podinfo"],
        annotations={"fluxcd.io/tag.main": "semver:6.x"},
    )
    world.commit({"web/web.yaml": marked})
    world.units(
        objects.repository(world, "podinfo", name),
        objects.policy(world, "podinfo"),
        objects.automation(world, "./web"),
        world.unit("web", "./web", wait=True, timeout="1m"),
    )
    world.stack.up().must()
    registry.push("team/podinfo", "6.5.1")
    return marked


def test_tags_policies_and_updates_without_the_engine(world: World, registry: Registry) -> None:
    marked, name = follow(world, registry), f"{registry.host}/team/podinfo"
    first, workload = world.repo.head(), f"{world.namespace}:deployment/web"
    listed = json.loads(world.stack.weir("image", "list", "-w", workload, "-o", "json").must().out)
    assert [(row["tag"], row["created"], row["running"]) for row in listed[0]["tags"]] == [
        ("6.5.1", None, False),
        ("6.5.0", BORN, True),
        ("6.4.0", BORN, False),
    ]
    wanted = ("--repository", f"{world.flux}/podinfo", "--limit", "1")
    table = world.stack.weir("image", "list", *wanted).must().out
    assert [line.split("\t")[2].strip() for line in table.splitlines()[2:]] == [
        "|   6.5.1",
        "'-> 6.5.0",
        "(1 more, 1 that do not count)",
    ]
    [policy] = json.loads(world.stack.weir("image", "policies", "-o", "json").must().out)
    assert (policy["inUse"], policy["chosen"]) == (f"{name}:6.5.0", f"{name}:6.5.1")

    shown = world.stack.weir("image", "update", "--dry-run").must().out
    assert f'+          image: "{name}:6.5.1"' in shown
    assert world.repo.head() == first, "a dry run writes nothing"
    done = world.stack.weir("image", "update").must().out
    pushed = f"main@sha1:{world.repo.head()[:8]}"
    assert f"pushed {pushed}" in done
    assert world.repo.files()["web/web.yaml"] == marked.replace("6.5.0", "6.5.1")
    assert objects.images_of(world, "web") == [f"{name}:6.5.0"], "that is for the next up"

    got = world.stack.weir("get", "images", "-A").must().out
    assert "successful scan: found 4 tags" in got
    [row] = [line for line in got.splitlines() if "imageupdateautomation/apps" in line]
    assert f"pushed commit {pushed}" in row
    newest = ("release", "-w", workload, "--update-all-images", "--dry-run")
    assert "in use already" in world.stack.weir(*newest).must().out
