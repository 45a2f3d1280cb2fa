"""Flux 1's annotated workloads in the files of an automation that follows them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.image_edits import AUTOMATION, Commit, Listed
from weir.edit.image import Image
from weir.flow.image_choice import Choice
from weir.flow.image_edits import ImageEdits, edit_images
from weir.flow.images import Container
from weir.select.tag_move import decide
from weir.spec.errors import SourceError
from weir.spec.image_policy import MoveRules

FOLLOWING = replace(AUTOMATION, workloads=True)
TAGS = {"1.0.0": 1.0, "1.1.0": 2.0, "2.0.0": 3.0}
SEMVER = "fluxcd.io/automated: 'true', fluxcd.io/tag.web: 'semver:~1'"


class Registry:
    """A registry whose images all have the same tags; remembers for which containers it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[Container] = []
        self.error = error

    def choose_for(self, container: Container) -> Choice:
        self.asked.append(container)
        if self.error:
            raise self.error
        policy = container.pattern.policy(TAGS)
        decision = decide(policy, TAGS, container.image.tag, container.moves)
        return Choice(image=Image(name=container.image.name, tag=decision.tag), decision=decision)


def deployment(annotations: str, *, name: str = "app", namespace: str = "prod", pod: str = "") -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}, annotations: {{{annotations}}}}}
spec:
  template:
    spec: # pods
      {pod}
      containers:
      - {{name: web, image: 'org/web:1.0.0'}}  # ours
      - name: proxy
        image: envoy:1.0.0
"""


def edits(files: dict[str, str], registry: Registry | None = None, **policies: Listed) -> ImageEdits:
    known = {f"flux:{name}": policy for name, policy in policies.items()}
    return edit_images(Commit(files), FOLLOWING, known, (registry or Registry()).choose_for)


def test_each_container_follows_its_own_pattern_and_only_its_tag_changes() -> None:
    text = deployment(SEMVER)
    found = edits({"prod/app.yaml": text})
    after = text.replace("org/web:1.0.0", "org/web:1.1.0").replace("envoy:1.0.0", "envoy:2.0.0")
    assert {path: data.decode() for path, data in found.files.items()} == {"prod/app.yaml": after}
    assert [(str(change.object), change.setter, change.old, change.new) for change in found.changes] == [
        ("Deployment/prod/app", "web", "org/web:1.0.0", "org/web:1.1.0"),
        ("Deployment/prod/app", "proxy", "envoy:1.0.0", "envoy:2.0.0"),
    ]
    assert (found.problems, found.notes) == ((), ())
    assert edits({"prod/app.yaml": after}).files == {}


@pytest.mark.parametrize(
    "annotations",
    ["", "fluxcd.io/automated: 'false'", "fluxcd.io/tag.web: 'semver:~1'",
     f"{SEMVER}, fluxcd.io/locked: 'true'", f"{SEMVER}, flux.weave.works/ignore: 'true'"],
)  # fmt: skip
def test_a_workload_that_is_not_automated_or_locked_or_ignored_is_not_asked_for(annotations: str) -> None:
    registry = Registry()
    assert edits({"app.yaml": deployment(annotations)}, registry).files == {}
    assert registry.asked == []


def test_without_the_annotation_of_the_automation_no_workload_is_followed() -> None:
    registry = Registry()
    base = Commit({"app.yaml": deployment(SEMVER)})
    assert edit_images(base, AUTOMATION, {}, registry.choose_for).files == {}
    assert registry.asked == []


def test_several_workloads_in_several_documents_of_one_file() -> None:
    held = deployment(f"{SEMVER}, fluxcd.io/locked: 'true'", name="held")
    text = f"{deployment(SEMVER)}---\n{held}---\n{deployment(SEMVER, name='last')}"
    after = edits({"app.yaml": text}).files["app.yaml"].decode()
    first, middle, last = after.split("---\n")
    assert "org/web:1.1.0" in first
    assert middle == held
    assert "org/web:1.1.0" in last


def test_a_container_whose_image_is_marked_follows_the_marker() -> None:
    text = deployment(SEMVER).replace("envoy:1.0.0", 'envoy:1.0.0 # {"$imagepolicy": "flux:app"}')
    for tag in ("1.0.0", "1.1.0"):
        found = edits({"app.yaml": text}, app=Listed((tag,), name="envoy"))
        after = text.replace("org/web:1.0.0", "org/web:1.1.0").replace("envoy:1.0.0", f"envoy:{tag}")
        assert found.files["app.yaml"].decode() == after
        assert len(found.changes) == 1 + (tag == "1.1.0")


def test_a_registry_is_told_how_the_pods_would_log_in_and_what_the_annotations_say() -> None:
    pod = "imagePullSecrets: [{name: one}, {name: two}]\n      serviceAccountName: puller"
    registry = Registry()
    edits(
        {
            "a.yaml": deployment(
                f"{SEMVER}, weir.dev/missing-tag: rollback, weir.dev/allow-delete: x", pod=pod
            )
        },
        registry,
    )
    web = registry.asked[0]
    assert web.where == "a.yaml: Deployment/prod/app: web"
    assert (web.namespace, web.pull_secrets, web.service_account) == ("prod", ("one", "two"), "puller")
    assert (str(web.image), web.pattern.text) == ("org/web:1.0.0", "semver:~1")
    assert web.moves == MoveRules(missing_tag="rollback")


def test_a_tag_that_is_gone_is_a_note_or_rolled_back() -> None:
    gone = deployment(SEMVER).replace("org/web:1.0.0", "org/web:1.9.0")
    found = edits({"a.yaml": gone})
    assert "org/web:1.9.0" in found.files["a.yaml"].decode()
    where = "a.yaml: Deployment/prod/app: web: 1.9.0 is gone"
    assert [note.startswith(where) for note in found.notes] == [True]
    back = deployment(f"{SEMVER}, weir.dev/missing-tag: rollback").replace("org/web:1.0.0", "org/web:1.9.0")
    assert "org/web:1.1.0" in edits({"a.yaml": back}).files["a.yaml"].decode()


NAMESPACES = {
    "the text's": ({"a.yaml": deployment(SEMVER)}, "prod"),
    "that of its kustomization": (
        {"a.yaml": deployment(SEMVER, namespace=""), "kustomization.yaml": "namespace: x\nresources: [a.yaml]\n"},
        "x",
    ),
    "that of an overlay": (
        {
            "base/a.yaml": deployment(SEMVER, namespace=""),
            "base/kustomization.yaml": "resources: [./a.yaml]\n",
            "over/Kustomization": "namespace: 'over'\nresources:\n- ../base\n- https://host/x?ref=1\n",
        },
        "over",
    ),
    "the automation's when nobody says": ({"a.yaml": deployment(SEMVER, namespace="")}, "flux"),
}  # fmt: skip


@pytest.mark.parametrize(("files", "namespace"), NAMESPACES.values(), ids=list(NAMESPACES))
def test_pull_secrets_are_looked_for_in_the_namespace_of_the_workload(
    files: dict[str, str], namespace: str
) -> None:
    registry = Registry()
    edits(files, registry)
    assert {container.namespace for container in registry.asked} == {namespace}


PROBLEMS = {
    "a pattern": (SEMVER.replace("semver:~1", "regexp:("), "", "", "app: web: fluxcd.io/tag.web: found '('"),
    "an image": (SEMVER, "'org/web:1.0.0'}", "'${X}'}", "Deployment/prod/app: container web: an image"),
    "an alias": (
        f"{SEMVER}, a: &it 'org/web:1.0.0'",
        "image: 'org/web:1.0.0'",
        "image: *it",
        "found 'an alias'",
    ),
}


@pytest.mark.parametrize(("annotations", "old", "new", "message"), PROBLEMS.values(), ids=list(PROBLEMS))
def test_what_is_wrong_with_one_container_is_a_problem_and_the_other_moves(
    annotations: str, old: str, new: str, message: str
) -> None:
    found = edits({"a.yaml": deployment(annotations).replace(old, new)})
    assert [change.setter for change in found.changes] == ["proxy"]
    assert [message in str(problem) for problem in found.problems] == [True], found.problems


def test_a_rule_that_is_none_stops_its_workload_only() -> None:
    files = {"a.yaml": deployment(f"{SEMVER}, weir.dev/missing-tag: x"), "b.yaml": deployment(SEMVER)}
    found = edits(files)
    assert list(found.files) == ["b.yaml"]
    assert all("a.yaml: Deployment/prod/app: " in str(problem) for problem in found.problems)


def test_a_registry_that_gives_no_answer_is_a_problem_of_its_container() -> None:
    found = edits({"a.yaml": deployment(SEMVER)}, Registry(SourceError("down")))
    assert (found.files, [str(problem) for problem in found.problems]) == ({}, ["down"])


def test_a_file_that_automates_something_must_be_readable() -> None:
    found = edits({"a.yaml": "# automated\na: [\n", "b.yaml": deployment(SEMVER)})
    assert list(found.files) == ["b.yaml"]
    assert [str(problem).startswith("a.yaml: line ") for problem in found.problems] == [True]
