"""Image policy markers: only the marked scalar changes, and what cannot be followed is said with file and line."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from weir.edit.changes import Edited
from weir.edit.image import Image
from weir.edit.markers import edit_markers
from weir.spec.documents import load_yaml
from weir.spec.errors import SpecError

DIGEST = "sha256:" + "ab" * 32
IMAGES = {
    "flux:app": Image(name="ghcr.io/org/app", tag="1.10"),
    "flux:pinned": Image(name="pinned", tag="v2", digest=DIGEST),
}
APP = '# {"$imagepolicy": "flux:app"}'
TAG = '# {"$imagepolicy": "flux:app:tag"}'
NAME = '# {"$imagepolicy": "flux:app:name"}'
PINNED = '# {"$imagepolicy": "flux:pinned"}'

EDITS = {
    "a whole reference": (f"image: app:1 {APP}\n", f"image: ghcr.io/org/app:1.10 {APP}\n"),
    "a digest goes with the reference": (f"i: p:1 {PINNED}\n", f"i: pinned:v2@{DIGEST} {PINNED}\n"),
    "a digest leaves with the reference": (f"i: p:1@{DIGEST} {APP}\n", f"i: ghcr.io/org/app:1.10 {APP}\n"),
    "a name": (f"newName: app {NAME}\n", f"newName: ghcr.io/org/app {NAME}\n"),
    "a tag that looks like a number gets quotes": (f"newTag: v1 {TAG}\n", f'newTag: "1.10" {TAG}\n'),
    "double quotes stay": (f'newTag: "v1" {TAG}\n', f'newTag: "1.10" {TAG}\n'),
    "single quotes stay": (f"newTag: 'v1' {TAG}\n", f"newTag: '1.10' {TAG}\n"),
    "quotes stay around what needs none": (f"i: 'x' {PINNED}\n", f"i: 'pinned:v2@{DIGEST}' {PINNED}\n"),
    "a digest of its own": (
        'digest: "" # {"$imagepolicy": "flux:pinned:digest"}\n',
        f'digest: "{DIGEST}" # {{"$imagepolicy": "flux:pinned:digest"}}\n',
    ),
    "a digest that is no longer known": (
        f'digest: {DIGEST} # {{"$imagepolicy": "flux:app:digest"}}\n',
        'digest: "" # {"$imagepolicy": "flux:app:digest"}\n',
    ),
    "an anchor stays, and with it its aliases": (
        f"a: &it app:1 {APP}\nb: *it\n",
        f"a: &it ghcr.io/org/app:1.10 {APP}\nb: *it\n",
    ),
    "a tag of YAML stays": (f"a: !!str 1.0 {TAG}\n", f"a: !!str 1.10 {TAG}\n"),
    "anchor and tag": (f"a: &x !!str 'y' {TAG}\n", f"a: &x !!str '1.10' {TAG}\n"),
    "a list": (f"- app:1 {APP}\n- b\n", f"- ghcr.io/org/app:1.10 {APP}\n- b\n"),
    "a list in brackets over several lines": (
        f"a: [\n  x, app:1, {APP}\n  y ]\n",
        f"a: [\n  x, ghcr.io/org/app:1.10, {APP}\n  y ]\n",
    ),
    "several documents": (
        f"a: x # {{}}\n---\n# note\na: app:1 {APP}\n...\n--- app:1 {APP}",
        f"a: x # {{}}\n---\n# note\na: ghcr.io/org/app:1.10 {APP}\n...\n--- ghcr.io/org/app:1.10 {APP}",
    ),
    "CRLF, trailing spaces and no final newline": (
        f"a:   app:1   {APP}  \r\nb: 'x'\t\r\n\r\nc: v1\t{TAG}",
        f"a:   ghcr.io/org/app:1.10   {APP}  \r\nb: 'x'\t\r\n\r\nc: \"1.10\"\t{TAG}",
    ),
    "a byte order mark": (f"\ufeffa: app:1 {APP}\n", f"\ufeffa: ghcr.io/org/app:1.10 {APP}\n"),
    "letters beyond ASCII before it": (
        f"é: 😀 # 😀\na: app:1 {APP}\n",
        f"é: 😀 # 😀\na: ghcr.io/org/app:1.10 {APP}\n",
    ),
    "spaces and hashes in the marker": (
        'a: app:1 ##   { "$imagepolicy" : "flux:app" }\n',
        'a: ghcr.io/org/app:1.10 ##   { "$imagepolicy" : "flux:app" }\n',
    ),
    "an older image than the present one": (f"a: app:9 {APP}\n", f"a: ghcr.io/org/app:1.10 {APP}\n"),
}

PROBLEMS = {
    "an alias": (f"a: &x y\nb: *x {APP}\n", "f.yaml: line 2: b: found 'an alias'"),
    "a block": (f"a: | {APP}\n  app:1\n", "f.yaml: line 1: a: found 'a block of text'"),
    "a folded block": (f"a: >- {APP}\n  app:1\n", "found 'a block of text'"),
    "several lines": (f"a: app\n  :1 {APP}\n", "f.yaml: line 1: a: found 'a value on several lines'"),
    "a quoted text on several lines": (f'a: "x\n  y" {APP}\n', "found 'a value on several lines'"),
    "a value below its anchor": (f"a: &x\n  app:1 {APP}\n", "found 'a value on several lines'"),
    "no value": (f"a: {APP}\nb: x\n", "f.yaml: line 1: a: found 'nothing'"),
    "a key": (f"a: {APP}\n  b: x\n", "line 1: image policy marker: found 'no value on its line'"),
    "a key of its own": (f"? a {APP}\n: b\n", "found 'no value on its line'"),
    "a line of its own": (f"a:\n  {APP}\n  - app:1\n", "f.yaml: line 2: image policy marker: found 'no value"),
    "the end of a list in brackets": (f"a: [app:1] {APP}\n", "found 'no value on its line'"),
    "the end of a mapping in brackets": (f"a: {{b: app:1 }} {APP}\n", "found 'no value on its line'"),
    "another part": ('a: x # {"$imagepolicy": "flux:app:date"}\n', "found 'flux:app:date', expected # {"),
    "no namespace": ('a: x # {"$imagepolicy": "app"}\n', "line 1: image policy marker: found 'app'"),
    "words before it": ('a: x # was {"$imagepolicy": "flux:app"}\n', "line 1: image policy marker: found '# was"),
    "not closed": ('a: x # {"$imagepolicy": "flux:app"\n', "line 1: image policy marker: found"),
    "not a text": ('a: x # {"$imagepolicy": 1}\n', "found 1, expected"),
    "another tag": (f"a: !!int 1 {TAG}\n", "found 'the tag tag:yaml.org,2002:int'"),
}  # fmt: skip

LEFT_ALONE = {
    "another comment": 'a: x # {"$other": "flux:app"}\n',
    "a line that is commented out": f"a: x\n# b: app:1 {APP}\n  # - app:1 {APP}\n",
    "text inside a block": f"a: |\n  image: app:1 {APP}\nb: x\n",
    "text inside quotes": """a: 'x # {"$imagepolicy": "flux:app"}'\n""",
    "what is as it should be": f"a: ghcr.io/org/app:1.10 {APP}\n",
    "a tag without quotes that is as it should be": f"a: 1.10 {TAG}\n",
}


def edited_with(data: bytes, images: Mapping[str, Image] = IMAGES) -> Edited:
    """As Flux edits: the chosen images, whatever is in use."""
    names = {policy: image.name for policy, image in images.items()}
    return edit_markers(data, "f.yaml", names, lambda policy, _current: images[policy])


@pytest.mark.parametrize(("before", "after"), EDITS.values(), ids=list(EDITS))
def test_only_the_marked_scalar_changes(before: str, after: str) -> None:
    edited = edited_with(before.encode())
    assert edited.data.decode() == after
    assert edited.problems == ()
    assert edited_with(edited.data).changes == ()


@pytest.mark.parametrize(("text", "message"), PROBLEMS.values(), ids=list(PROBLEMS))
def test_a_marker_that_cannot_be_followed_is_a_problem_and_the_others_are_followed(
    text: str, message: str
) -> None:
    data = f"{text}---\nz: app:1 {APP}\n".encode()
    edited = edited_with(data)
    assert [message in str(problem) for problem in edited.problems] == [True], edited.problems
    assert edited.data == data.replace(b"z: app:1", b"z: ghcr.io/org/app:1.10")


@pytest.mark.parametrize("text", LEFT_ALONE.values(), ids=list(LEFT_ALONE))
def test_everything_else_is_left_alone(text: str) -> None:
    edited = edited_with(text.encode())
    assert (edited.data, edited.changes, edited.problems) == (text.encode(), (), ())


def test_a_marker_of_an_unknown_policy_is_left_alone_and_listed() -> None:
    text = f'a: app:1 {APP}\nb: x # {{"$imagepolicy": "other:app:tag"}}\n'
    edited = edited_with(text.encode())
    assert edited.unknown == ((2, "other:app"),)
    assert edited.data.decode().endswith('b: x # {"$imagepolicy": "other:app:tag"}\n')
    assert len(edited.changes) == 1


OTHER = "sha256:" + "cd" * 32
DIG = '# {"$imagepolicy": "flux:app:digest"}'
IN_USE = {
    "a whole reference": (f"a: x/app:1@{DIGEST} {APP}\n", [f"x/app:1@{DIGEST}"]),
    "a whole reference without a tag": (f"a: app {APP}\n", ["app"]),
    "what is no reference": (f"a: ${{IMAGE}} {APP}\n", [None]),
    "a tag of unknown name": (f"a: 1.2 {TAG}\n", ["ghcr.io/org/app:1.2"]),
    "a tag and a digest in one text": (f"a: 1.2@{DIGEST} {TAG}\n", [f"ghcr.io/org/app:1.2@{DIGEST}"]),
    "a tag with its name and digest": (
        f"a: x {NAME}\nb: v1 {TAG}\nc: {DIGEST} {DIG}\n",
        [f"x:v1@{DIGEST}"],
    ),
    "a tag without a digest yet": (f"b: v1 {TAG}\nc: '' {DIG}\n", ["ghcr.io/org/app:v1"]),
    "a tag with what is no digest yet": (f"b: v1 {TAG}\nc: none {DIG}\n", [None]),
    "a name and a digest without a tag": (f"a: x {NAME}\nb: {DIGEST} {DIG}\n", [None]),
    "a name in another document": (f"a: x {NAME}\n---\nb: v1 {TAG}\n", [None, "ghcr.io/org/app:v1"]),
    "the same image twice": (f"a: app:1 {APP}\nb: app:1 {APP}\n---\nc: app:1 {APP}\n", ["app:1"]),
    "each with what stands beside it": (
        f"- t: v1 {TAG}\n  n: x {NAME}\n  d: {DIGEST} {DIG}\n- t: v2 {TAG}\n  n: y {NAME}\n  d: {OTHER} {DIG}\n",
        [f"x:v1@{DIGEST}", f"y:v2@{OTHER}"],
    ),
    "a name that stands nearer to another tag in the text": (
        f"- t: v1 {TAG}\n  # {'x' * 200}\n  n: x {NAME}\n- t: v2 {TAG}\n",
        ["x:v1", "ghcr.io/org/app:v2"],
    ),
    "below and above": (
        f"- {{image: {{n: x, {NAME}\n  t: v1 {TAG}\n  }}}}\n- image: app:2 {APP}\n  d: '{OTHER}' {DIG}\n",
        ["x:v1", "app:2", f"app:2@{OTHER}"],
    ),
    "two names of one tag": (
        f"a: x {NAME}\nb: v1 {TAG}\nc: y {NAME}\n",
        ["x:v1", "y:v1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), IN_USE.values(), ids=list(IN_USE))
def test_a_policy_is_asked_once_for_each_image_in_use(text: str, expected: list[str | None]) -> None:
    asked: list[Image | None] = []

    def choose(policy: str, current: Image | None) -> Image | None:
        assert policy == "flux:app"
        asked.append(current)
        return current

    edited = edit_markers(text.encode(), "f.yaml", {"flux:app": "ghcr.io/org/app"}, choose)
    assert [image and str(image) for image in asked] == expected
    assert (edited.data.decode(), edited.problems) == (text, ())


def test_name_and_digest_move_with_their_tag_and_stay_with_it() -> None:
    def choose(_policy: str, current: Image | None) -> Image | None:
        return None if current and current.tag == "v9" else Image(name="app", tag="v2", digest=OTHER)

    entry = "- newTag: {} {}\n  newName: {} {}\n  digest: {} {}\n"
    held = entry.format("v9", TAG, "old", NAME, DIGEST, DIG)
    moved = entry.format("v1", TAG, "old", NAME, DIGEST, DIG)
    text = f"{held}{moved}{held}---\n{moved}"
    after = moved.replace("v1", "v2").replace(" old ", " app ").replace(DIGEST, OTHER)
    edited = edit_markers(text.encode(), "f.yaml", {"flux:app": "app"}, choose)
    assert edited.data.decode() == f"{held}{after}{held}---\n{after}"


def test_a_change_says_what_where_and_in_which_object() -> None:
    text = (
        "kind: Kustomization\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: prod}\n"
        f"spec:\n  template: {{spec: {{containers: [\n    {{name: web, image: app:1, {APP}\n    }}]}}}}\n"
    )
    (change,) = edited_with(text.encode()).changes
    assert str(change.object) == "Deployment/prod/web"
    assert (change.api_version, change.object.group) == ("apps/v1", "apps")
    assert (change.file, change.line, change.setter) == ("f.yaml", 8, "flux:app")
    assert change.field == "spec.template.spec.containers[0].image"
    assert (change.old, change.new) == ("app:1", "ghcr.io/org/app:1.10")


@pytest.mark.parametrize(
    "tag", ["1.10", "on", "null", "1e3", "0x1f", "2024-01-02", "007", "1_0", "true", "Y"]
)
def test_a_tag_is_read_as_the_text_it_is(tag: str) -> None:
    images = {"flux:app": Image(name="app", tag=tag)}
    edited = edited_with(f"a: v1 {TAG}\n".encode(), images)
    assert load_yaml(edited.data, "f.yaml", old_booleans=True).values == ({"a": tag},)


@pytest.mark.parametrize("text", ["{{ x }}: [\n", "a: 1\na: 2\n", "a: \udcff\n"])
def test_a_file_with_a_marker_must_be_readable_and_one_without_is_not_read(text: str) -> None:
    data = text.encode(errors="surrogateescape")
    assert edited_with(data).data == data
    with pytest.raises(SpecError, match=r"^f\.yaml: "):
        edited_with(data + APP.encode())


@pytest.mark.parametrize(
    ("parts", "field"),
    [({"name": ""}, "name"), ({"name": "a b"}, "name"), ({"name": "a", "tag": "x # y"}, "tag"),
     ({"name": "a", "tag": "-x"}, "tag"), ({"name": "a", "digest": "sha256:12"}, "digest")],
)  # fmt: skip
def test_what_is_no_image_is_never_written(parts: dict[str, str], field: str) -> None:
    with pytest.raises(SpecError, match=f"an image: {field}: found"):
        Image(**parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("nginx", ("nginx", "", "")), ("nginx:1", ("nginx", "1", "")), ("h:5000/a/b", ("h:5000/a/b", "", "")),
     ("h:5000/a/b:1", ("h:5000/a/b", "1", "")), (f"a:1@{DIGEST}", ("a", "1", DIGEST)),
     (f"a@{DIGEST}", ("a", "", DIGEST))],
)  # fmt: skip
def test_a_reference_is_read_in_its_parts_and_written_as_it_was(
    text: str, parts: tuple[str, str, str]
) -> None:
    image = Image.parse(text)
    assert (image.name, image.tag, image.digest) == parts
    assert str(image) == text
