"""Laws of images and annotations set without markers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.edit.annotations import set_policy
from weir.edit.automated import edit_automated
from weir.edit.image import Image
from weir.edit.workload import read_workloads, set_image
from weir.spec.documents import load_yaml
from weir.spec.identity import ObjectId

pytestmark = pytest.mark.property

WEB = ObjectId("apps", "Deployment", "", "web")
_COMMENTS = st.sampled_from(["", " # note", "\t#x", "  # é😀 'open", "   "])
_LINES = st.sampled_from(["", "# note\n", "\n", "   # - 'open\n"])
_QUOTES = st.sampled_from(["", "'", '"'])
_IMAGES = st.builds(
    Image,
    name=st.sampled_from(["app", "ghcr.io/org/app", "localhost:5000/a"]),
    tag=st.sampled_from(["1.10", "v2", "latest"]),
    digest=st.sampled_from(["", "sha256:" + "0f" * 32]),
)
_ANNOTATIONS = st.sampled_from(
    ["", "a: b", "a: |\n@  x\n@\n", "fluxcd.io/x: 'y'", "flux.weave.works/locked: 'false'", "a: [1,\n@ 2]"]
)
_MESSAGES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@st.composite
def deployments(draw: st.DrawFn) -> tuple[str, list[tuple[str, str, str]]]:
    """A Deployment's text with `<name>` in the place of each image, and name, quote and image of its containers."""
    step = " " * draw(st.integers(1, 4))
    lines = [draw(_LINES), f"kind: Deployment{draw(_COMMENTS)}\n", "apiVersion: apps/v1\n", draw(_LINES)]
    lines += [f"metadata:{draw(_COMMENTS)}\n", f"{step}name: web{draw(_COMMENTS)}\n"]
    entries = draw(st.lists(_ANNOTATIONS, max_size=3, unique_by=lambda text: text.partition(":")[0]))
    if any(entries):
        lines.append(f"{step}annotations:{draw(_COMMENTS)}\n")
        for entry in filter(None, entries):
            inner = step * 2
            lines += [draw(_LINES), f"{inner}{entry.replace('@', inner)}".rstrip("\n") + "\n"]
    lines += ["spec:\n", f"{step}template:\n", f"{step * 2}spec:\n", f"{step * 3}containers:\n"]
    containers = []
    for number in range(draw(st.integers(1, 3))):
        name, quote = f"c{number}", draw(_QUOTES)
        containers.append((name, quote, draw(st.sampled_from(["x:1", "y", "quay.io/a/b:v1"]))))
        lines += [draw(_LINES), f"{step * 3}- image: <{name}>{draw(_COMMENTS)}\n"]
        lines += [f"{step * 3}  name: {name}{draw(_COMMENTS)}\n"]
    text = "".join(lines).removesuffix(draw(st.sampled_from(["", "\n"])))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))), containers


def filled(template: str, containers: list[tuple[str, str, str]], **images: str) -> str:
    for name, quote, image in containers:
        template = template.replace(f"<{name}>", quote + images.get(name, image) + quote)
    return template


@given(deployments(), _IMAGES, st.data())
def test_setting_an_image_changes_that_image_and_no_other_byte(
    given_text: tuple[str, list[tuple[str, str, str]]], image: Image, data: st.DataObject
) -> None:
    template, containers = given_text
    name = data.draw(st.sampled_from([name for name, _, _ in containers]))
    edited = set_image(filled(template, containers).encode(), "f.yaml", WEB, name, image)
    assert edited.data.decode() == filled(template, containers, **{name: str(image)})
    (workload,) = read_workloads(edited.data, "f.yaml")
    assert {container.name: container.image for container in workload.containers}[name] == image
    assert set_image(edited.data, "f.yaml", WEB, name, image).data == edited.data


@given(deployments(), _IMAGES, st.booleans(), st.booleans())
def test_automation_changes_tags_and_digests_of_automated_workloads_and_no_other_byte(
    given_text: tuple[str, list[tuple[str, str, str]]], image: Image, automated: bool, locked: bool
) -> None:
    template, containers = given_text
    values = {"automated": str(automated).lower(), "locked": str(locked).lower()}
    plain = set_policy(filled(template, containers).encode(), "f.yaml", WEB, values).data.decode()
    moved = {
        name: str(replace(Image.parse(old), tag=image.tag, digest=image.digest))
        for name, _, old in containers
    }
    expected = set_policy(filled(template, containers, **moved).encode(), "f.yaml", WEB, values).data.decode()
    edited = edit_automated(plain.encode(), "f.yaml", lambda _workload, _container: image)
    assert edited.data.decode() == (expected if automated and not locked else plain)
    assert edited.problems == ()
    for keep in (lambda _workload, container: container.image, lambda _workload, _container: None):
        kept = edit_automated(plain.encode(), "f.yaml", keep)
        assert (kept.data.decode(), kept.changes) == (plain, ())


@given(deployments(), _MESSAGES)
def test_locking_changes_only_annotations_and_unlocking_gives_the_bytes_back(
    given_text: tuple[str, list[tuple[str, str, str]]], message: str
) -> None:
    text = filled(*given_text).encode()
    before = load_yaml(text, "f.yaml").values[0]
    locked = set_policy(text, "f.yaml", WEB, {"locked_msg": message, "automated": "true"})
    after = load_yaml(locked.data, "f.yaml").values[0]
    own = {"fluxcd.io/locked_msg": message, "fluxcd.io/automated": "true"}
    known = before["metadata"].get("annotations", {})
    assert after == {**before, "metadata": {**before["metadata"], "annotations": {**known, **own}}}
    assert len(locked.data.splitlines()) - len(text.splitlines()) == len(own) + (not known)
    free = set_policy(locked.data, "f.yaml", WEB, {"locked_msg": None, "automated": None})
    assert free.data == text
    (workload,) = read_workloads(locked.data, "f.yaml")
    assert (workload.policy.automated, workload.policy.locked_message) == (True, message)
