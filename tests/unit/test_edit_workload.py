"""Images of workloads without markers: read by kind, and one container's image set with every other byte kept."""

from __future__ import annotations

import pytest

from weir.edit.image import Image
from weir.edit.workload import read_workloads, set_image
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId

DIGEST = "sha256:" + "ab" * 32
WEB = ObjectId("apps", "Deployment", "prod", "web")
DEPLOYMENT = """\
# the shop
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: prod}
spec:
  template:
    spec:
      initContainers:
        - {name: init, image: 'busybox:1.36'}  # once
      containers:
      - image: quay.io/org/web:1.0   # ours
        name: web
      - name: proxy
        image: "envoy"
"""
RELEASE = ObjectId("helm.fluxcd.io", "HelmRelease", "prod", "app")


def release(values: str, annotations: str = "{}") -> str:
    head = "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata:\n  name: app\n  namespace: prod\n"
    return f"{head}  annotations: {annotations}\nspec:\n  values:\n{values}"


SHAPES = {
    "a text": ("    image: org/app:1\n", "chart-image", "    image: org/app:2\n"),
    "a text and a tag": ("    image: org/app\n    tag: '1'\n", "chart-image", "    image: org/app\n    tag: '2'\n"),
    "a number as tag": ("    image: org/app\n    tag: 1.0\n", "chart-image", '    image: org/app\n    tag: "2"\n'),
    "null as tag": ("    image: org/app\n    tag: null\n", "chart-image", '    image: org/app\n    tag: "2"\n'),
    "a registry, a text and a tag": (
        "    registry: quay.io\n    image: org/app\n    tag: v1\n",
        "chart-image",
        '    registry: quay.io\n    image: org/app\n    tag: "2"\n',
    ),
    "a registry and a text": (
        "    registry: quay.io\n    image: org/app:1\n",
        "chart-image",
        "    registry: quay.io\n    image: org/app:2\n",
    ),
    "a mapping": (
        "    image:\n      repository: org/app # {}\n      tag: v1 # x\n",
        "chart-image",
        '    image:\n      repository: org/app # {}\n      tag: "2" # x\n',
    ),
    "aliases that stay": (
        "    a: &a org/app\n    b: &b quay.io\n    image: {registry: *b, repository: *a, tag: v1}\n",
        "chart-image",
        '    a: &a org/app\n    b: &b quay.io\n    image: {registry: *b, repository: *a, tag: "2"}\n',
    ),
    "a mapping with a registry": (
        "    image: {registry: quay.io, repository: org/app, tag: v1}\n",
        "chart-image",
        '    image: {registry: quay.io, repository: org/app, tag: "2"}\n',
    ),
    "a mapping without a tag": (
        "    image:\n      repository: org/app:1\n",
        "chart-image",
        "    image:\n      repository: org/app:2\n",
    ),
    "one level down": ("    web:\n      image: org/app:1\n", "web", "    web:\n      image: org/app:2\n"),
    "a mapping one level down": (
        "    web:\n      image: {repository: org/app, tag: v1}\n",
        "web",
        '    web:\n      image: {repository: org/app, tag: "2"}\n',
    ),
}  # fmt: skip


def names(text: str) -> dict[str, str]:
    (workload,) = read_workloads(text.encode(), "f.yaml")
    assert workload.problems == ()
    return {container.name: str(container.image) for container in workload.containers}


def with_image(text: str, workload: ObjectId, container: str, image: str) -> str:
    edited = set_image(text.encode(), "f.yaml", workload, container, Image.parse(image))
    again = set_image(edited.data, "f.yaml", workload, container, Image.parse(image))
    assert (again.data, again.changes) == (edited.data, ())
    return edited.data.decode()


def test_the_images_of_a_deployment_are_read_with_its_init_containers() -> None:
    assert names(DEPLOYMENT) == {"init": "busybox:1.36", "web": "quay.io/org/web:1.0", "proxy": "envoy"}


@pytest.mark.parametrize(
    ("container", "image", "before", "after"),
    [("init", "busybox:2", "'busybox:1.36'", "'busybox:2'"),
     ("web", f"quay.io/org/web:1.1@{DIGEST}", "quay.io/org/web:1.0", f"quay.io/org/web:1.1@{DIGEST}"),
     ("proxy", "envoy:v1", '"envoy"', '"envoy:v1"')],
)  # fmt: skip
def test_only_the_image_of_the_named_container_changes(
    container: str, image: str, before: str, after: str
) -> None:
    assert with_image(DEPLOYMENT, WEB, container, image) == DEPLOYMENT.replace(before, after)


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet"])
def test_other_kinds_with_a_pod_template(kind: str) -> None:
    text = DEPLOYMENT.replace("Deployment", kind).replace("\n", "\r\n")
    found = with_image(text, ObjectId("apps", kind, "prod", "web"), "web", "quay.io/org/web:2")
    assert found == text.replace("web:1.0", "web:2")


def test_a_cron_job_inside_a_list_in_a_file_of_several_documents() -> None:
    job = (
        "    spec: {jobTemplate: {spec: {template: {spec: {containers: [\n"
        "      {name: run, image: app:1}]}}}}}\n"
    )
    head = "- apiVersion: batch/v1\n    kind: CronJob\n    metadata: {name: job}\n"
    text = f"{DEPLOYMENT}---\nkind: List\napiVersion: v1\nitems:\n  {head}{job}"
    _, workload = read_workloads(text.encode(), "f.yaml")
    assert (str(workload.id), [container.name for container in workload.containers]) == (
        "CronJob/job",
        ["run"],
    )
    assert with_image(text, workload.id, "run", "app:2") == text.replace("app:1", "app:2")


@pytest.mark.parametrize(("before", "container", "after"), SHAPES.values(), ids=list(SHAPES))
def test_each_part_of_an_image_goes_to_its_field_of_a_helm_release(
    before: str, container: str, after: str
) -> None:
    old = names(release(before))[container]
    new = f"{Image.parse(old).name}:2"
    found = with_image(release(before), RELEASE, container, new)
    assert found == release(after)
    assert names(found) == {container: new}


def test_annotations_name_places_in_the_values_and_come_before_what_is_guessed() -> None:
    paths = (
        "repository.fluxcd.io/app: deep.er.repo",
        "tag.fluxcd.io/app: deep.version",
        "repository.fluxcd.io/web: own",
    )
    annotations = "{" + ", ".join(paths) + "}"
    values = "    deep:\n      er: {repo: org/app}\n      version: '1'\n    own: org/web:1\n    web: {image: 'x:1'}\n"
    text = release(values, annotations)
    assert names(text) == {"app": "org/app:1", "web": "org/web:1"}
    assert with_image(text, RELEASE, "app", "org/app:2") == text.replace("version: '1'", "version: '2'")
    assert with_image(text, RELEASE, "web", "org/web:2") == text.replace("org/web:1", "org/web:2")


def test_another_registry_and_name_go_to_their_fields_and_the_digest_to_the_tag() -> None:
    text = release("    image: {registry: quay.io, repository: org/app, tag: v1}\n")
    found = with_image(text, RELEASE, "chart-image", f"ghcr.io/new/app:v2@{DIGEST}")
    assert found == release(f"    image: {{registry: ghcr.io, repository: new/app, tag: v2@{DIGEST}}}\n")
    assert names(found) == {"chart-image": f"ghcr.io/new/app:v2@{DIGEST}"}


OLD_DIGEST, NEW_DIGEST = DIGEST, "sha256:" + "cd" * 32
DIGEST_FIELDS = {
    "beside tag": ("    image: {{registry: docker.io, repository: org/app, tag: {tag}, digest: '{digest}'}}\n", "{{}}"),
    "beside a repository without a tag": (
        "    image:\n      repository: docker.io/org/app:{tag}\n      digest: {digest} # x\n", "{{}}"
    ),
    "beside the tag that an annotation names": (
        "    deep:\n      repo: docker.io/org/app\n      version: {tag}\n      digest: {digest}\n",
        "{{repository.fluxcd.io/chart-image: deep.repo, tag.fluxcd.io/chart-image: deep.version}}",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("values", "annotations"), DIGEST_FIELDS.values(), ids=list(DIGEST_FIELDS))
def test_a_digest_in_a_field_of_its_own_is_set_with_the_tag_and_never_left_behind(
    values: str, annotations: str
) -> None:
    def text(tag: str, digest: str) -> str:
        return release(values.format(tag=tag, digest=digest), annotations.format())

    before = text("v1", OLD_DIGEST)
    assert names(before) == {"chart-image": f"docker.io/org/app:v1@{OLD_DIGEST}"}
    found = with_image(before, RELEASE, "chart-image", f"docker.io/org/app:v2.0@{NEW_DIGEST}")
    assert found == text("v2.0", NEW_DIGEST)
    with pytest.raises(SpecError) as caught:
        set_image(before.encode(), "f.yaml", RELEASE, "chart-image", Image.parse("docker.io/org/app:v2.0"))
    assert "found 'docker.io/org/app:v2.0', expected an image with a digest for spec.values." in str(
        caught.value
    )


@pytest.mark.parametrize("tag", ["null", "~", "''"])
def test_an_empty_tag_is_no_tag(tag: str) -> None:
    text = release(f"    image: {{repository: org/app, tag: {tag}}}\n")
    assert names(text) == {"chart-image": "org/app"}


def test_an_empty_digest_holds_nothing() -> None:
    text = release("    image: {repository: org/app, tag: v1, digest: ''}\n")
    assert with_image(text, RELEASE, "chart-image", "org/app:v2") == text.replace("tag: v1", "tag: v2")


@pytest.mark.parametrize(
    ("values", "image", "message"),
    [("    image: {registry: quay.io, repository: a, tag: v1}\n", "org/a:1",
      "line 9: HelmRelease/prod/app: found 'org/a', expected an image name that begins"),
     ("    image: {repository: a, tag: v1}\n", "a", "expected an image with a tag for spec.values.image.tag"),
     ("    image: {repository: a, tag: }\n", "a:1", "line 9: spec.values.image.tag: found 'nothing'"),
     ("    image: &x a:1\n    web: {image: *x}\n", "a:2", ""),
     ("    t: &t v1\n    image: {repository: a, tag: *t}\n", "a:2", "spec.values.image.tag: found 'an alias'"),
     ("    image: |\n      a:1\n", "a:2", "line 9: spec.values.image: found 'a block of text'"),
     ("    other: x\n", "a:2", "container: found 'chart-image', expected a workload with images")],
)  # fmt: skip
def test_what_cannot_be_set_is_said_with_its_place(values: str, image: str, message: str) -> None:
    text = release(values).encode()
    if not message:
        edited = set_image(text, "f.yaml", RELEASE, "chart-image", Image.parse(image))
        assert edited.data == text.replace(b"a:1", b"a:2")
        with pytest.raises(SpecError, match="found 'an alias'"):
            set_image(text, "f.yaml", RELEASE, "web", Image.parse(image))
        return
    with pytest.raises(SpecError) as caught:
        set_image(text, "f.yaml", RELEASE, "chart-image", Image.parse(image))
    assert message in str(caught.value)


def test_a_container_whose_image_cannot_be_read_is_a_problem_of_its_own() -> None:
    text = DEPLOYMENT.replace('"envoy"', '"${PROXY}:1"')
    (workload,) = read_workloads(text.encode(), "f.yaml")
    assert [container.name for container in workload.containers] == ["init", "web"]
    assert [
        str(problem).startswith("f.yaml: Deployment/prod/web: container proxy: ")
        for problem in workload.problems
    ] == [True]
    gone = release("    own: x\n", "{repository.fluxcd.io/app: missing.path}")
    (workload,) = read_workloads(gone.encode(), "f.yaml")
    assert "spec.values.missing.path: found nothing, expected a text" in str(workload.problems[0])


def test_an_object_must_be_in_the_file_once() -> None:
    for text, count in ((DEPLOYMENT.replace("prod", "test"), 0), (f"{DEPLOYMENT}---\n{DEPLOYMENT}", 2)):
        with pytest.raises(SpecError, match=f"Deployment/prod/web: found 'it {count} times'"):
            set_image(text.encode(), "f.yaml", WEB, "web", Image(name="a", tag="1"))


def test_a_container_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(SpecError, match="found 'db', expected init or web or proxy"):
        set_image(DEPLOYMENT.encode(), "f.yaml", WEB, "db", Image(name="a", tag="1"))
