"""Flux 2's markers: which policy's image belongs in which scalar of a YAML file.

A marker is a comment behind a scalar: `# {"$imagepolicy": "namespace:policy"}` takes the whole reference, and with
`:name`, `:tag` or `:digest` behind the policy only that part. Rule:
https://fluxcd.io/flux/components/image/imageupdateautomations/ and
https://fluxcd.io/flux/guides/image-update/#configure-image-update-for-custom-resources

Flux writes what the policy chose, whatever stands there. Here the policy is asked with the image in use, so that it can
refuse to go back. A whole reference says that itself; a `:tag` says it together with the `:name` and `:digest` that
stand nearest to it in the same document, of which one is nearer than another when it shares more of the way to it.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from weir.edit.changes import Edited, NewValue, new_value, with_values
from weir.edit.image import Image, Part
from weir.edit.nodes import BREAK, COMMENT, Leaf, YamlText, read_text
from weir.edit.splice import source_of
from weir.spec.errors import SpecError

KEY: Final = "$imagepolicy"
TOKEN: Final = f'"{KEY}"'
"""A file without this text holds no marker and is not read at all."""

Choose = Callable[[str, Image | None], Image | None]
"""The image for `namespace:policy` where that image is in use; None leaves everything as it is.

Nothing in use, or a text that is no image, is None. The answer depends on nothing else, and its tag not on name and
digest in use: markers that share a tag must not part.
"""

_BEHIND: Final = re.compile(r"[ \t]*,?[ \t]*")
_SETTER: Final = re.compile(r"([^:\s]+:[^:\s]+)(?::(name|tag|digest))?")
_FORM: Final = (
    '# {"$imagepolicy": "namespace:policy"}, with :name, :tag or :digest behind the policy if wanted'
)


@dataclass(frozen=True, slots=True)
class _Comment:
    text: str
    line: int
    owner: Leaf | None
    """The scalar or alias that ends right before it on the same line."""
    alone: bool
    """Whether nothing else is on the line."""


@dataclass(frozen=True, slots=True)
class _Marker:
    setter: str
    policy: str
    part: Part
    leaf: Leaf
    line: int

    @property
    def start(self) -> int:
        return self.leaf.node.start

    @property
    def value(self) -> str:
        return self.leaf.node.value

    @property
    def has_tag(self) -> bool:
        return self.part in ("", "tag")


def edit_markers(data: bytes, file: str, names: Mapping[str, str], choose: Choose) -> Edited:
    """A file with the images that policies choose in the place of its marked scalars.

    `names` maps each known `namespace:policy` to the name of its images, which is what a tag without a marked name
    belongs to. A marker of another policy is left alone and listed. One that stands behind anything but a scalar on one
    line is a problem; the file's other markers are followed.

    Raises:
        SpecError: the file is not readable YAML, or would not mean the same after the edit apart from marked scalars.
    """
    if TOKEN.encode() not in data:
        return Edited(data=data)
    text = read_text(data, file)
    problems: list[SpecError] = []
    markers = tuple(_markers(text, problems))
    images = _images([marker for marker in markers if marker.policy in names], names, choose)
    values: list[NewValue] = []
    for marker in markers:
        new = images[marker.start].part(marker.part) if marker.start in images else marker.value
        if new != marker.value:
            values.append(new_value(text, marker.leaf, setter=marker.setter, new=new))
    return replace(
        with_values(text, values),
        followed=frozenset(marker.line for marker in markers if marker.policy in names),
        unknown=tuple((marker.line, marker.policy) for marker in markers if marker.policy not in names),
        problems=tuple(problems),
    )


def _images(markers: Sequence[_Marker], names: Mapping[str, str], choose: Choose) -> dict[int, Image]:
    """The image for each marker whose scalar may change, by where the scalar starts."""
    families: dict[tuple[int, str], list[_Marker]] = {}
    for marker in markers:
        families.setdefault((marker.leaf.document, marker.policy), []).append(marker)
    answers: dict[tuple[str, Image | None], Image | None] = {}
    found: dict[int, Image] = {}
    for (_, policy), family in families.items():
        for marker, current in _currents(family, names[policy]):
            asked = (policy, current)
            if asked not in answers:
                answers[asked] = choose(*asked)
            image = answers[asked]
            if image is not None and image != current:
                found[marker.start] = image
    return found


def _currents(family: Sequence[_Marker], name: str) -> Iterator[tuple[_Marker, Image | None]]:
    """The image in use at each marker of one policy in one document."""
    for group in _groups(family):
        try:
            image = _in_use(group, name)
            own = [
                image if marker.has_tag or image is None else replace(image, **{marker.part: marker.value})
                for marker in group
            ]
        except SpecError:
            own = [None] * len(group)
        yield from zip(group, own, strict=True)


def _groups(family: Sequence[_Marker]) -> list[list[_Marker]]:
    """Each marker with a tag and behind it those that belong to it; all in one when there is no tag."""
    tags = [marker for marker in family if marker.has_tag]
    if not tags:
        return [list(family)]
    groups = [[marker] for marker in tags]
    starts = [marker.start for marker in tags]
    for marker in family:
        if not marker.has_tag:
            # the way to a leaf is shared longest with a neighbour in the order of the text
            behind = bisect_right(starts, marker.start)
            near = range(max(behind - 1, 0), min(behind + 1, len(tags)))
            groups[min(near, key=lambda index: _distance(marker, tags[index]))].append(marker)
    return groups


def _distance(marker: _Marker, tag: _Marker) -> tuple[int, int]:
    pairs = enumerate(zip(marker.leaf.path, tag.leaf.path, strict=False))
    shared = next((index for index, (ours, theirs) in pairs if ours != theirs), 0)
    return -shared, abs(marker.start - tag.start)


def _in_use(group: Sequence[_Marker], name: str) -> Image | None:
    """The image that a group of markers stands for, None without a tag. Raises SpecError when it is none."""
    tag, others = group[0], {marker.part: marker.value for marker in reversed(group[1:])}
    if tag.part == "":
        image = Image.parse(tag.value)
        return image if str(image) == tag.value else None
    version, _, digest = tag.value.partition("@")
    if tag.part != "tag" or not version or tag.value.endswith("@"):
        return None
    return Image(name=others.get("name", name), tag=version, digest=others.get("digest") or digest)


def _markers(text: YamlText, problems: list[SpecError]) -> Iterator[_Marker]:
    """All markers in the order of the text; those that cannot be followed are added to the problems."""
    for comment in _comments(text):
        try:
            marker = _marker(text, comment)
        except SpecError as problem:
            problems.append(problem)
            continue
        if marker is not None:
            yield marker


def _comments(text: YamlText) -> Iterator[_Comment]:
    """All comments that may be markers. Outside scalars and aliases, `#` opens a comment."""
    lines = [found.end() for found in BREAK.finditer(text.text)]
    owner: Leaf | None = None
    position = 0
    for leaf in text.leaves():
        node = leaf.node
        for found in COMMENT.finditer(text.text, position, node.start):
            yield from _comment(text.text, found, owner, lines)
        owner, position = leaf, node.end
        if node.style in ("|", ">"):
            body = BREAK.search(text.text, node.start)
            header = COMMENT.search(text.text, node.start, body.start() if body else node.end)
            if header is not None and TOKEN in header[0]:
                yield _Comment(header[0], node.line, leaf, alone=False)
    for found in COMMENT.finditer(text.text, position):
        yield from _comment(text.text, found, owner, lines)


def _comment(text: str, found: re.Match[str], owner: Leaf | None, lines: list[int]) -> Iterator[_Comment]:
    if TOKEN not in found[0]:
        return
    at = found.start()
    near = owner is not None and _BEHIND.fullmatch(text, owner.node.end, at) is not None
    line = bisect_right(lines, at)
    alone = not text[lines[line - 1] if line else 0 : at].strip(" \t")
    yield _Comment(found[0], line + 1, owner if near and not alone else None, alone=alone)


def _marker(text: YamlText, comment: _Comment) -> _Marker | None:
    """What a comment marks, None for a line that is commented out. Raises SpecError."""
    try:
        value = json.loads(comment.text.lstrip("#"))
    except (ValueError, RecursionError):
        value = None
    if value is None and comment.alone:
        return None
    named = value.get(KEY) if isinstance(value, dict) else None
    setter = _SETTER.fullmatch(named) if isinstance(named, str) else None
    if setter is None:
        raise _problem(text, comment, found=named or comment.text, expected=_FORM)
    leaf = comment.owner
    if leaf is None or leaf.is_key:
        expected, hint = "a value right before it", "put the marker behind the one value it is for"
        raise _problem(text, comment, found="no value on its line", expected=expected, hint=hint)
    source_of(text, leaf.node, leaf.path)
    return _Marker(setter[0], setter[1], cast("Part", setter[2] or ""), leaf, comment.line)


def _problem(text: YamlText, comment: _Comment, *, found: str, expected: str, hint: str = "") -> SpecError:
    where = f"{text.file}: line {comment.line}"
    return SpecError.at(where, "image policy marker", found=found, expected=expected, hint=hint)
