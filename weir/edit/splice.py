"""New values in the place of single-line scalars; every other byte stays, and the result is proven before it is given.

Anchor, tag and quotes of a scalar stay. A plain scalar gets double quotes when its new value would otherwise be read as
something other than a text (`1.10`, `on`), as Flux does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from weir.edit.nodes import BREAK, Node, Path, YamlText, events, path_text
from weir.spec.documents import load_yaml
from weir.spec.errors import SpecError
from weir.spec.scalars import ScalarError, Scalars

_PROPERTIES: Final = re.compile(r"(?:[&!]\S*[ \t]+){0,2}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_/](?:[A-Za-z0-9_./@:+-]*[A-Za-z0-9_./@+-])?", re.ASCII)
_SIXTIES: Final = re.compile(r"[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", re.ASCII)
"""What YAML 1.1 reads as a number of base 60: `12:30`."""
_OLD: Final = Scalars(old_booleans=True)
_TEXT_TAGS: Final = ("", "!", "tag:yaml.org,2002:str")
_WIDE: Final = 0x10000


@dataclass(frozen=True, slots=True)
class Edit:
    """A scalar, where it stands, and its new value."""

    node: Node
    path: Path
    value: str


def quoted(value: str) -> str:
    """A text in double quotes, on one line."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else _escape(char) for char in escaped) + '"'


def written(value: str) -> str:
    """A text as a scalar: plain when every reader takes that for the same text, else in double quotes."""
    return value if _stays_text(value) else quoted(value)


def source_of(text: YamlText, node: Node, path: Path) -> tuple[int, int]:
    """Where the value of a scalar stands, its quotes included.

    Raises:
        SpecError: an alias, a block, several lines, nothing at all, or a tag that makes it no text.
    """
    text.refuse_alias(node, path)
    properties = _PROPERTIES.match(text.text, node.start, node.end)
    start = properties.end() if properties else node.start
    found = _unfit(node, text.text[node.start : node.end], text.text[start : node.end])
    if found:
        hint = "write the value on one line, for example image: app:1.0"
        raise SpecError.at(
            text.where(node), path_text(path), found=found, expected="a text on one line", hint=hint
        )
    return start, node.end


def splice(text: YamlText, edits: Sequence[Edit]) -> bytes:
    """The file with new values in the place of scalars.

    Raises:
        SpecError: as `source_of`, or the edited text would not mean the same apart from these scalars.
    """
    pieces: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: edit.node.start):
        start, end = source_of(text, edit.node, edit.path)
        pieces += [text.text[position:start], _in_style(edit)]
        position = end
    after = "".join([*pieces, text.text[position:]])
    _prove(text, after, {edit.node.start: edit.value for edit in edits})
    return text.encoded(after)


def _unfit(node: Node, whole: str, inner: str) -> str:
    """What makes a node unfit for a new value, empty for nothing."""
    if node.kind != "scalar":
        return f"a {node.kind}"
    if node.style in ("|", ">"):
        return "a block of text"
    if not inner or (not node.style and not node.value):
        return "nothing"
    if BREAK.search(whole):
        return "a value on several lines"
    return "" if node.tag in _TEXT_TAGS else f"the tag {node.tag}"


def _in_style(edit: Edit) -> str:
    node, value = edit.node, edit.value
    if node.style == '"' or (node.style == "'" and not value.isprintable()):
        return quoted(value)
    if node.style == "'":
        return "'" + value.replace("'", "''") + "'"
    return value if node.tag and _PLAIN.fullmatch(value) else written(value)


def _prove(text: YamlText, after: str, values: dict[int, str]) -> None:
    """Read the edited text and compare, event by event. Raises SpecError."""
    load_yaml(after, text.file)
    new = events(after)
    for event in events(text.text):
        twin, mark, kind, expected = next(new, None), event.start_mark, type(event), _meaning(event)
        if kind is yaml.ScalarEvent and mark.index in values:
            expected = (*expected[:3], values[mark.index])
        if twin is None or _meaning(twin) != expected:
            where = f"{text.file}: line {mark.line + 1}"
            raise SpecError.at(
                where,
                "",
                found="a text that would mean something else after the edit",
                expected="only the edited values to differ",
                hint="edit this place by hand, and report the file",
            )


def _meaning(event: Any) -> tuple[Any, ...]:
    tag = getattr(event, "tag", None)
    return (type(event), getattr(event, "anchor", None), tag, getattr(event, "value", None))


def _stays_text(value: str) -> bool:
    if not _PLAIN.fullmatch(value) or Scalars.is_date(value) or _SIXTIES.fullmatch(value):
        return False
    try:
        return bool(_OLD.plain(value) == value)
    except ScalarError:
        return False


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < _WIDE else f"\\U{code:08x}"
