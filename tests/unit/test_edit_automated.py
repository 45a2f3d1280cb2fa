"""Flux 1's automation over the workloads of one file."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from tests.support.calls import calls_of
from weir.edit.automated import edit_automated
from weir.edit.changes import Edited
from weir.edit.image import Image

DIGEST = "sha256:" + "ab" * 32
HELM = """\
apiVersion: helm.fluxcd.io/v1
kind: HelmRelease
metadata:
  name: app
  annotations: {fluxcd.io/automated: "true"@}
spec:
  values:
"""


def deployment(name: str, image: str = "org/web:1.0") -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  annotations:
    fluxcd.io/automated: "true"
spec:
  template:
    spec:
      containers:
        - name: web
          image: {image}
"""


def documents(count: int) -> str:
    return "---\n".join(deployment(f"web{number}") for number in range(count))


def listed(count: int) -> str:
    items = (textwrap.indent(deployment(f"web{number}"), "    ") for number in range(count))
    return "apiVersion: v1\nkind: List\nitems:\n" + "".join(f"  - {item[4:]}" for item in items)


def helm(values: str, annotations: str = "") -> str:
    return HELM.replace("@", f", {annotations}" if annotations else "") + textwrap.indent(values, "    ")


def edit(text: str, version: str) -> Edited:
    image = Image.parse(f"any:{version}")
    return edit_automated(text.encode(), "f.yaml", lambda _workload, _container: image)


@pytest.mark.parametrize("version", ["1.0", "2.0"], ids=["nothing changes", "everything changes"])
@pytest.mark.parametrize("text", [documents, listed])
def test_the_work_grows_with_the_file_and_not_with_its_square(
    text: Callable[[int], str], version: str
) -> None:
    few, many = text(20), text(80)
    assert edit(many, version).data.decode() == many.replace("web:1.0", f"web:{version}")
    assert calls_of(lambda: edit(many, version)) < 5 * calls_of(lambda: edit(few, version))


def test_an_image_that_cannot_be_edited_leaves_the_others_of_its_file_to_be() -> None:
    block = "|-\n            org/web:1.0"
    text = f"{deployment('a')}---\n{deployment('b', block)}---\n{deployment('c')}"
    edited = edit(text, "2.0")
    assert edited.data.decode() == text.replace("image: org/web:1.0", "image: org/web:2.0")
    assert [(change.object.name, change.old, change.new) for change in edited.changes] == [
        ("a", "org/web:1.0", "org/web:2.0"),
        ("c", "org/web:1.0", "org/web:2.0"),
    ]
    assert "f.yaml: line 25: spec.template" in str(edited.problems[0])
    assert len(edited.problems) == 1


def test_each_of_two_documents_with_one_name_is_edited_where_it_stands() -> None:
    text = f"{deployment('a')}---\n{deployment('a', 'org/web:1.5')}"
    edited = edit(text, "2.0")
    assert edited.data.decode() == text.replace("web:1.0", "web:2.0").replace("web:1.5", "web:2.0")
    assert (len(edited.changes), edited.problems) == (2, ())


def test_a_place_that_two_containers_share_is_written_once() -> None:
    text = helm("image: org/app:1.0\n", "repository.fluxcd.io/app: image")
    edited = edit(text, "2.0")
    assert edited.data.decode() == text.replace("app:1.0", "app:2.0")
    assert [(change.old, change.new) for change in edited.changes] == [("org/app:1.0", "org/app:2.0")]


def test_an_old_digest_is_never_left_beside_a_new_tag() -> None:
    values = "image:\n  repository: org/app\n  tag: v1\n  digest: {}\n"
    text = helm(values.format(DIGEST))
    refused = edit(text, "v2")
    assert (refused.data.decode(), refused.changes) == (text, ())
    assert "expected an image with a digest for spec.values.image.digest" in str(refused.problems[0])
    other = "sha256:" + "cd" * 32
    edited = edit(text, f"v2@{other}")
    assert edited.data.decode() == text.replace("tag: v1", "tag: v2").replace(DIGEST, other)
    assert edited.problems == ()
