"""Flux 2's markers: which policy's image belongs in which scalar of a YAML file.

A marker is a comment behind a scalar: `# {"$imagepolicy": "namespace:policy"}` takes the whole reference, and with
`:name`, `:tag` or `:digest` behind the policy only that part. It is pure substitution: what the policy chose is
written, older or newer. Rule: https://fluxcd.io/flux/components/image/imageupdateautomations/ and
https://fluxcd.io/flux/guides/image-update/#configure-image-update-for-custom-resources
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from weir.edit.changes import Change, Edited, change_of
from weir.edit.image import Image, Part
from weir.edit.nodes import BREAK, Leaf, YamlText, read_text
from weir.edit.splice import Edit, source_of, splice
from weir.spec.errors import SpecError

KEY: Final = "$imagepolicy"
TOKEN: Final = f'"{KEY}"'
"""A file without this text holds no marker and is not read at all."""

_COMMENT: Final = re.compile("#[^\r\n\x85\u2028\u2029]*")
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


def edit_markers(data: bytes, file: str, images: Mapping[str, Image]) -> Edited:
    """A file with the images that policies chose in the place of its marked scalars.

    `images` maps `namespace:policy` to the chosen image. A marker of another policy is left alone and listed. One that
    stands behind anything but a scalar on one line is a problem; the file's other markers are followed.

    Raises:
        SpecError: the file is not readable YAML, or would not mean the same after the edit apart from marked scalars.
    """
    if TOKEN.encode() not in data:
        return Edited(data=data)
    text = read_text(data, file)
    edits: list[Edit] = []
    changes: list[Change] = []
    unknown: list[tuple[int, str]] = []
    problems: list[SpecError] = []
    for comment in _comments(text):
        try:
            marker = _marker(text, comment)
        except SpecError as problem:
            problems.append(problem)
            continue
        if marker is None:
            continue
        if marker.policy not in images:
            unknown.append((comment.line, marker.policy))
        elif (new := images[marker.policy].part(marker.part)) != marker.leaf.node.value:
            edits.append(Edit(marker.leaf.node, marker.leaf.path, new))
            changes.append(change_of(text, marker.leaf, setter=marker.setter, new=new))
    after = splice(text, edits) if edits else data
    return Edited(data=after, changes=tuple(changes), unknown=tuple(unknown), problems=tuple(problems))


def _comments(text: YamlText) -> Iterator[_Comment]:
    """All comments that may be markers. Outside scalars and aliases, `#` opens a comment."""
    lines = [found.end() for found in BREAK.finditer(text.text)]
    owner: Leaf | None = None
    position = 0
    for leaf in text.leaves():
        node = leaf.node
        for found in _COMMENT.finditer(text.text, position, node.start):
            yield from _comment(text.text, found, owner, lines)
        owner, position = leaf, node.end
        if node.style in ("|", ">"):
            body = BREAK.search(text.text, node.start)
            header = _COMMENT.search(text.text, node.start, body.start() if body else node.end)
            if header is not None and TOKEN in header[0]:
                yield _Comment(header[0], node.line, leaf, alone=False)
    for found in _COMMENT.finditer(text.text, position):
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
    return _Marker(setter[0], setter[1], cast("Part", setter[2] or ""), leaf)


def _problem(text: YamlText, comment: _Comment, *, found: str, expected: str, hint: str = "") -> SpecError:
    where = f"{text.file}: line {comment.line}"
    return SpecError.at(where, "image policy marker", found=found, expected=expected, hint=hint)
