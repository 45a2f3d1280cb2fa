"""What Flux lacks: no image goes back unasked, none too fresh goes out, and nothing that is wrong passes in silence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from tests.support import image_objects as objects
from tests.support.registry import Registry, running_registry
from tests.support.world import Obj, World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

OLD: Final = "2024-01-02T03:04:05Z"
REFUSED: Final = "the credentials may not write"
HOSTILE: Final = (
    'zz"   # {"$imagepolicy": "x:y"}',
    "zz\n          securityContext: {privileged: true}",
    "zz$(touch owned)",
    "6.9.9+build",
)
"""What no registry should list as a tag, most of it after every good one in the order of letters."""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as running:
        yield running


def push_all(registry: Registry) -> dict[str, str]:
    """What is in use of each repository at first; of `late` there is a newer tag already."""
    for name, tags in {"held": "01", "back": "01", "late": "01"}.items():
        for patch in tags:
            registry.push(f"team/{name}", f"6.5.{patch}")
    registry.push("team/young", "6.5.0", created=OLD)
    digest = registry.push("team/moved", "6.5.0")
    registry.push("team/odd", "aa")
    in_use = {"held": "6.5.1", "back": "6.5.1", "late": "6.5.0", "young": "6.5.0", "odd": "aa"}
    return {**in_use, "moved": f"6.5.0@{digest}"}


def go_wrong(registry: Registry, digest: str) -> None:
    """Tags in use vanish, a fresh one appears, one is pushed again, and a registry lists what is no tag."""
    for name in ("held", "back"):
        registry.untag(f"team/{name}", "6.5.1")
    registry.push("team/young", "6.6.0", created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    again = registry.push("team/moved", "6.5.0", created=OLD)
    assert again != digest
    registry.tag_many("team/odd", registry.push("team/odd", "ab"), HOSTILE)


def declare(world: World, registry: Registry, *more: Obj) -> None:
    """One policy for each rule, on a repository of its own, and two units of which only one has images."""
    rules = [
        objects.policy(world, "held"),
        objects.policy(world, "back", annotations={"weir.dev/missing-tag": "rollback"}),
        objects.policy(world, "late"),
        objects.policy(world, "young", annotations={"weir.dev/minimum-age": "24h"}),
        objects.policy(world, "odd", {"alphabetical": {}}),
        objects.policy(world, "moved", digestReflectionPolicy="IfNotPresent"),
    ]
    names = [rule["metadata"]["name"] for rule in rules]
    repositories = [objects.repository(world, name, f"{registry.host}/team/{name}") for name in names]
    web = world.unit("web", "./web", wait=True, timeout="1m")
    world.units(*repositories, *rules, objects.automation(world, "./web"), web, *more, plain="./plain")


def manifests(world: World, registry: Registry, versions: dict[str, str]) -> dict[str, str]:
    """One Deployment for each policy."""
    return {
        f"web/{name}.yaml": objects.workload(
            world.namespace,
            name,
            [("main", f"{registry.host}/team/{name}:{version}")],
            markers=[f"{world.flux}:{name}"],
        )
        for name, version in versions.items()
    }


def in_cluster(world: World, registry: Registry, names: dict[str, str]) -> dict[str, str]:
    """What follows the name of its image, for each Deployment."""
    found = {name: objects.images_of(world, name)[0] for name in names}
    return {name: image.removeprefix(f"{registry.host}/team/{name}:") for name, image in found.items()}


def in_git(world: World) -> dict[str, str]:
    return {name: text for name, text in world.repo.files().items() if name.startswith("web/")}


def expect_refused(world: World, out: str, head: str) -> None:
    """Git is as it was, the units are as Git says, and output and record say why."""
    assert f"ImageUpdateAutomation/{world.flux}/apps" in out
    assert REFUSED in out
    assert "Traceback" not in out
    assert world.repo.head() == head
    world.judge(web="web", plain="plain")
    record = objects.remembered(world, "ImageUpdateAutomation", "apps")
    assert (record["status"], REFUSED in record["message"]) == ("False", True)


def expect_told(world: World, out: str, digest: str) -> None:
    """Every policy that does not get what it would take from the registry says so, and the one that has none."""
    for sentence in (
        "6.5.1 is gone from the registry; push it again",
        "6.6.0 waits: it is not known to be",
        f"6.5.0 was pushed again: {digest[:19]} is in use",
        f"ImageRepository/{world.flux}/nowhere",
    ):
        assert sentence in out
    held = objects.remembered(world, "ImagePolicy", "held")
    assert "6.5.1 is gone from the registry" in held["message"]
    assert objects.remembered(world, "ImagePolicy", "lost")["status"] == "False"


@pytest.mark.slow
def test_nothing_moves_back_or_too_early_and_a_refused_push_stops_no_unit(
    world: World, registry: Registry
) -> None:
    versions = push_all(registry)
    digest = versions["moved"].partition("@")[2]
    world.commit(manifests(world, registry, versions))
    head = world.commit({"plain/a.yaml": [config_map(world.namespace, "plain", A="1")]})
    declare(world, registry)
    world.repo.git("config", "http.receivepack", "false")
    expect_refused(world, world.stack.up().must_fail().out, head)
    assert in_cluster(world, registry, versions) == versions

    go_wrong(registry, digest)
    declare(world, registry, objects.policy(world, "lost", repository="nowhere"))
    world.edit(world.live("v1", "ConfigMap", "plain"), {"data": {"A": "drifted"}})
    head = world.commit({"web/b.yaml": [config_map(world.namespace, "more", B="1")]})
    told = world.stack.up().must_fail().out
    expect_refused(world, told, head)
    expect_told(world, told, digest)
    assert in_cluster(world, registry, versions) == versions

    world.repo.git("config", "http.receivepack", "true")
    told = world.stack.up().must_fail().out
    assert REFUSED not in told
    wanted = {**versions, "back": "6.5.0", "late": "6.5.1", "odd": "ab"}
    assert in_cluster(world, registry, versions) == wanted
    files = manifests(world, registry, wanted)
    assert in_git(world) == files | {"web/b.yaml": world.files["web/b.yaml"]}
    assert world.repo.git("log", "--format=%an %P", f"{head}..main") == f"Weir {head}", "one commit"
    assert objects.remembered(world, "ImageUpdateAutomation", "apps")["status"] == "True"
