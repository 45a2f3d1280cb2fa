"""From a pushed tag to a commit to a rollout, on the real engine, API server, registry and Git server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.forge import TOKEN, Forge, running_forge
from tests.support.registry import Registry, running_registry
from tests.support.world import Obj, World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

API = "image.toolkit.fluxcd.io/v1"
IMAGE = "team/podinfo"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as running:
        yield running


def image_object(world: World, kind: str, name: str, spec: dict[str, Any], **annotations: str) -> Obj:
    meta = {"name": name, "namespace": world.flux, **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": API, "kind": kind, "metadata": meta, "spec": spec}


def automation(world: World, registry: Registry, branch: str = "main", **annotations: str) -> list[Obj]:
    """A repository, a policy of patch versions, and an automation that commits to a branch."""
    return [
        image_object(
            world,
            "ImageRepository",
            "podinfo",
            {"image": f"{registry.host}/{IMAGE}", "interval": "1m", "insecure": True},
        ),
        image_object(
            world,
            "ImagePolicy",
            "podinfo",
            {"imageRepositoryRef": {"name": "podinfo"}, "policy": {"semver": {"range": "6.x"}}},
        ),
        image_object(
            world,
            "ImageUpdateAutomation",
            "apps",
            {
                "interval": "1m",
                "sourceRef": {"kind": "GitRepository", "name": "apps"},
                "git": {
                    "commit": {
                        "author": {"name": "Weir", "email": "weir@example.com"},
                        "messageTemplate": "Images:{{range .Changed.Changes}} {{.OldValue}} to {{.NewValue}}{{end}}",
                    },
                    "push": {"branch": branch},
                },
                "update": {"path": "./web", "strategy": "Setters"},
            },
            **annotations,
        ),
    ]


def manifest(world: World, registry: Registry, tag: str) -> str:
    """A Deployment with a marker, in a person's own hand."""
    return f"""# the web front   (do not reformat)
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {world.namespace}}}
spec:
  replicas:   1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - name: web
          image: "{registry.host}/{IMAGE}:{tag}"   # {{"$imagepolicy": "{world.flux}:podinfo"}}
"""


def image_of(world: World) -> str:
    live = world.live("apps/v1", "Deployment", "web")
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"])


def test_a_pushed_tag_is_previewed_committed_and_rolled_out(world: World, registry: Registry) -> None:
    name = f"{registry.host}/{IMAGE}"
    registry.push(IMAGE, "6.5.0")
    first = world.commit({"web/web.yaml": manifest(world, registry, "6.5.0")})
    world.units(*automation(world, registry), world.unit("web", "./web", wait=True, timeout="1m"))
    world.stack.up().must()
    assert image_of(world) == f"{name}:6.5.0"
    assert world.repo.head() == first, "nothing to write"
    world.stack.expect_clean()

    registry.push(IMAGE, "6.5.1")
    shown = world.stack.preview("--diff").must().out
    assert f'+          image: "{name}:6.5.1"' in shown
    assert f"spec.template.spec.containers[web].image: {name}:6.5.0 -> {name}:6.5.1" in shown
    planned = world.stack.weir("diff")
    assert planned.code == 1
    assert f"{world.flux}:podinfo  {name}:6.5.0 -> {name}:6.5.1" in planned.out
    assert f"spec.template.spec.containers[web].image: {name}:6.5.0 -> {name}:6.5.1" in planned.out
    assert world.repo.head() == first, "a preview writes nothing"

    world.stack.up().must()
    commit = world.repo.head()
    assert commit != first
    assert world.repo.git("log", "-1", "--format=%an <%ae>%n%B").strip() == (
        f"Weir <weir@example.com>\nImages: {name}:6.5.0 to {name}:6.5.1"
    )
    assert world.repo.files()["web/web.yaml"] == manifest(world, registry, "6.5.1")
    assert image_of(world) == f"{name}:6.5.1"
    assert world.repo.git("rev-parse", f"refs/tags/weir-sync/{world.stack.name}") == commit
    world.stack.expect_clean()
    world.stack.up().must()
    assert world.repo.head() == commit, "it does not follow its own commit"


@pytest.fixture
def forge() -> Iterator[Forge]:
    with running_forge("gitea") as running:
        yield running


def proposing(world: World, registry: Registry, forge: Forge) -> list[Obj]:
    """An automation that pushes to branch `images` and opens a pull request for it."""
    world.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
    secret = {"metadata": {"name": "forge", "namespace": world.flux}, "stringData": {"token": TOKEN}}
    world.rest.apply({"apiVersion": "v1", "kind": "Secret", **secret})
    pull_request = {
        "weir.dev/pull-request": "gitea",
        "weir.dev/pull-request-api": forge.access().api,
        "weir.dev/pull-request-secret": "forge",
        "weir.dev/pull-request-labels": "images",
    }
    return automation(world, registry, "images", **pull_request)


@pytest.mark.slow
def test_an_automation_opens_one_pull_request_and_its_merge_rolls_out(
    world: World, registry: Registry, forge: Forge
) -> None:
    name = f"{registry.host}/{IMAGE}"
    world.repo = world.server.repo(f"team/{world.namespace}")
    repository = forge.repository(f"team/{world.namespace}", "main", "images")
    registry.push(IMAGE, "6.5.0")
    first = world.commit({"web/web.yaml": manifest(world, registry, "6.5.0")})
    documents = proposing(world, registry, forge)
    world.units(*documents, world.unit("web", "./web", wait=True, timeout="1m"))
    world.stack.up().must()
    registry.push(IMAGE, "6.5.1")
    world.stack.up().must()
    assert world.repo.head() == first
    proposed = world.repo.head("images")
    assert world.repo.files("images")["web/web.yaml"] == manifest(world, registry, "6.5.1")
    (pull,) = repository.pulls
    assert (pull.head, pull.base, pull.labels) == ("images", "main", ["images"])
    assert pull.title == f"Images: {name}:6.5.0 to {name}:6.5.1"
    assert f'+          image: "{name}:6.5.1"' in pull.body
    assert f"Deployment/{world.namespace}/web" in pull.body, "what would change in the cluster"
    assert image_of(world) == f"{name}:6.5.0"
    world.stack.expect_clean()

    world.repo.git("update-ref", "refs/heads/main", proposed)
    world.stack.up().must()
    assert image_of(world) == f"{name}:6.5.1"
    assert len(repository.pulls) == 1
    assert not forge.misuse
