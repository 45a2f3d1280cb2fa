"""Automating, locking and releasing workloads by hand: which image each container gets, and why one keeps its own."""

from __future__ import annotations

import pytest

from weir.edit import workload_commands
from weir.edit.find_workload import Found, WorkloadName, find_workload
from weir.edit.image import Image
from weir.edit.policy import WorkloadPolicy
from weir.edit.workload import read_workloads
from weir.edit.workload_commands import Released, release
from weir.flow.image_choice import Choice
from weir.flow.images import Container
from weir.flow.workload_images import given, newest
from weir.select.tag_move import decide
from weir.spec.errors import SpecError

FILE = "apps/web.yaml"
TAGS = {"1.0.0": 1.0, "1.1.0": 2.0, "2.0.0": 3.0}


def found(annotations: str = "") -> Found:
    text = f"""\
# the shop
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: prod
  annotations: {{a: b{", " * bool(annotations)}{annotations}}}
spec:
  template:
    spec:
      initContainers: [{{name: init, image: 'docker.io/library/busybox:1'}}]
      containers:
      - {{name: web, image: 'org/web:1.0.0'}} # ours
      - {{name: twin, image: "docker.io/org/web:1.1.0"}}
      - {{name: proxy, image: envoy:1.0.0}}
"""
    return find_workload([FILE], lambda _: text.encode(), WorkloadName.parse("prod:deployment/web"))


def policy_after(data: bytes) -> WorkloadPolicy:
    (workload,) = read_workloads(data, FILE)
    return workload.policy


def images_after(released: Released) -> list[str]:
    (workload,) = read_workloads(released.edited.data, FILE)
    return [str(container.image) for container in workload.containers]


def kept(released: Released) -> dict[str, str]:
    return {one.container: one.why for one in released.kept}


def test_automating_and_its_opposite_change_one_annotation() -> None:
    edited = workload_commands.automate(found())
    assert policy_after(edited.data).automated
    assert len(edited.changes) == 1
    on = found("fluxcd.io/automated: 'true'")
    assert workload_commands.automate(on).changes == ()
    off = workload_commands.deautomate(on)
    assert off.data == found().data
    assert workload_commands.deautomate(found()).changes == ()


def test_a_lock_says_who_and_why_and_leaves_with_both() -> None:
    locked = workload_commands.lock(found(), message="it's broken", user="ann")
    policy = policy_after(locked.data)
    assert (policy.locked, policy.locked_message, policy.locked_user) == (True, "it's broken", "ann")
    again = workload_commands.lock(found("fluxcd.io/locked: 'true', fluxcd.io/locked_msg: old"), user="bob")
    policy = policy_after(again.data)
    assert (policy.locked, policy.locked_message, policy.locked_user) == (True, "", "bob")
    free = workload_commands.unlock(
        found("fluxcd.io/locked: 'true', flux.weave.works/locked_msg: old, fluxcd.io/locked_user: ann")
    )
    assert free.data == found().data
    assert len(free.changes) == 3


def test_a_given_image_goes_to_the_containers_that_use_it_under_the_names_they_have() -> None:
    released = release(found(), given(FILE, Image.parse("org/web:1.1.0")))
    assert images_after(released) == [
        "docker.io/library/busybox:1", "org/web:1.1.0", "docker.io/org/web:1.1.0", "envoy:1.0.0"
    ]  # fmt: skip
    assert kept(released) == {
        "init": "it is another image", "twin": "it is in use already", "proxy": "it is another image"
    }  # fmt: skip
    assert [(change.setter, change.old, change.new) for change in released.edited.changes] == [
        ("web", "org/web:1.0.0", "org/web:1.1.0")
    ]
    busy = release(found(), given(FILE, Image.parse("busybox:2")))
    assert images_after(busy)[0] == "docker.io/library/busybox:2"


def test_a_pattern_holds_a_given_image_back_unless_it_is_forced() -> None:
    workload = found("fluxcd.io/tag.web: 'semver:~1'")
    image = Image.parse("org/web:2.0.0")
    released = release(workload, given(FILE, image))
    assert kept(released)["web"] == "the tag 2.0.0 does not match semver:~1"
    assert images_after(released)[1:3] == ["org/web:1.0.0", "docker.io/org/web:2.0.0"]
    assert images_after(release(workload, given(FILE, image, force=True)))[1] == "org/web:2.0.0"


def test_only_the_named_containers_are_looked_at_and_must_be_there() -> None:
    image = given(FILE, Image.parse("org/web:2.0.0"))
    released = release(found(), image, containers=["twin"])
    assert images_after(released)[1:3] == ["org/web:1.0.0", "docker.io/org/web:2.0.0"]
    assert released.kept == ()
    with pytest.raises(SpecError, match="container: found 'db', expected init or web or twin or proxy"):
        release(found(), image, containers=["web", "db"])


@pytest.mark.parametrize(
    ("annotations", "why"),
    [("fluxcd.io/locked: 'true'", "the workload is locked"),
     ("fluxcd.io/locked: 'true', fluxcd.io/locked_user: ann, fluxcd.io/locked_msg: wait",
      "the workload is locked by ann: wait")],
)  # fmt: skip
def test_a_locked_workload_keeps_its_images_unless_forced(annotations: str, why: str) -> None:
    workload, image = found(annotations), given(FILE, Image.parse("org/web:2.0.0"))
    released = release(workload, image)
    assert (released.edited.data, released.edited.changes) == (workload.data, ())
    assert set(kept(released).values()) == {why}
    assert images_after(release(workload, image, force=True))[1] == "org/web:2.0.0"


def test_an_ignored_workload_keeps_its_images_even_then() -> None:
    workload = found("fluxcd.io/ignore: 'true'")
    released = release(workload, given(FILE, Image.parse("org/web:2.0.0")), force=True)
    assert (released.edited.data, set(kept(released).values())) == (
        workload.data,
        {"the workload is ignored"},
    )


def test_an_image_without_tag_and_digest_cannot_be_released() -> None:
    with pytest.raises(SpecError, match="found 'org/web', expected an image with a tag or a digest"):
        given(FILE, Image.parse("org/web"))


def test_the_newest_images_are_those_that_automation_would_choose() -> None:
    asked: list[Container] = []

    def choose_for(container: Container) -> Choice:
        asked.append(container)
        decision = decide(container.pattern.policy(TAGS), TAGS, container.image.tag, container.moves)
        return Choice(image=Image(name="x", tag=decision.tag), decision=decision)

    workload = found("fluxcd.io/tag.web: 'semver:~1', fluxcd.io/tag.twin: 'semver:~1.1'")
    released = release(workload, newest(FILE, "prod", choose_for))
    assert images_after(released) == [
        "docker.io/library/busybox:1", "org/web:1.1.0", "docker.io/org/web:1.1.0", "envoy:2.0.0"
    ]  # fmt: skip
    assert {container.namespace for container in asked} == {"prod"}
    assert asked[1].where == "apps/web.yaml: Deployment/prod/web: web"
    why = kept(released)
    assert why["twin"] == "it is in use already"
    assert why["init"].startswith("1 is gone from the registry")
