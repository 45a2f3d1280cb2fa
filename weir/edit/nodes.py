"""YAML text as a tree of nodes that know where in the text they stand.

The values come from the project's reader (`weir.spec.documents`), which also bounds depth and size. The positions come
from the marks of the same parser's events; they count characters of the decoded text without its byte order mark.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import yaml

from weir.spec.documents import load_yaml
from weir.spec.errors import SpecError

Step = str | int
Path = tuple[Step, ...]
"""Keys and positions that lead from a document's root to a node."""

BREAK: Final = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""Where a line of YAML ends."""
COMMENT: Final = re.compile("#[^\r\n\x85\u2028\u2029]*")
"""What a `#` between two nodes begins."""

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CLOSING: Final = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node of a document."""

    kind: Literal["mapping", "sequence", "scalar", "alias"]
    start: int
    """First character, that of an anchor or a tag where there is one."""
    end: int
    """The character behind the last one."""
    line: int
    """From 1."""
    column: int
    """From 0."""
    value: str = ""
    """A scalar's text as YAML reads it, before it becomes a number or a truth value."""
    style: str = ""
    """A scalar's: empty for plain, else the character that opens it."""
    flow: bool = False
    """Whether a mapping or a sequence stands in brackets."""
    tag: str = ""
    entries: tuple[tuple[Node, Node], ...] = ()
    items: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar or an alias, and the way to it."""

    node: Node
    document: int
    """From 0."""
    path: Path
    is_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlText:
    """One file: its text, what the text means, and where."""

    file: str
    bom: bytes
    """The byte order mark, or nothing."""
    text: str
    values: tuple[Any, ...]
    """One for each document, empty documents as None."""
    roots: tuple[Node, ...]
    """One for each document."""

    def encoded(self, text: str) -> bytes:
        """Another text as the bytes of this file."""
        return self.bom + text.encode()

    def where(self, node: Node) -> str:
        """`file: line N`, for messages."""
        return f"{self.file}: line {node.line}"

    def leaves(self) -> Iterator[Leaf]:
        """All scalars and aliases in the order of the text."""
        for index, root in enumerate(self.roots):
            for node, path, is_key in _leaves(root, ()):
                yield Leaf(node, index, path, is_key)

    def find(self, document: int, path: Path) -> Node | None:
        """The node at a path, None when there is none.

        Raises:
            SpecError: the way leads through an alias, whose anchor others may use too.
        """
        node: Node | None = self.roots[document]
        for step in path:
            if node is None:
                return None
            self.refuse_alias(node, path)
            node = _child(node, step)
        return node

    def refuse_alias(self, node: Node, path: Path) -> None:
        """Raises SpecError when a node is an alias."""
        if node.kind == "alias":
            expected = "a value of its own, because others share what an alias stands for"
            hint = "write the value out in place of the alias, or edit the anchor by hand"
            raise SpecError.at(
                self.where(node), path_text(path), found="an alias", expected=expected, hint=hint
            )


def read_text(data: bytes, file: str) -> YamlText:
    """A file's bytes as text, values and nodes. Raises SpecError as `load_yaml` does."""
    values = load_yaml(data, file).values
    bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    text = data[len(bom) :].decode()
    return YamlText(file=file, bom=bom, text=text, values=values, roots=tuple(_roots(text)))


def events(text: str) -> Iterator[Any]:
    """The parse events of a text that the project's reader accepts."""
    return iter(yaml.parse(text, Loader=_Parser))


def path_text(path: Path) -> str:
    """`spec.containers[0].image`, for people."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def _roots(text: str) -> Iterator[Node]:
    stream = events(text)
    for event in stream:
        if type(event) is yaml.DocumentStartEvent:
            yield _node(next(stream), stream)


def _node(event: Any, stream: Iterator[Any]) -> Node:
    start: dict[str, Any] = {
        "start": event.start_mark.index,
        "line": event.start_mark.line + 1,
        "column": event.start_mark.column,
    }
    kind = type(event)
    if kind is yaml.AliasEvent:
        return Node(kind="alias", end=event.end_mark.index, **start)
    start["tag"] = event.tag or ""
    if kind is yaml.ScalarEvent:
        style = event.style or ""
        return Node(kind="scalar", end=event.end_mark.index, value=event.value, style=style, **start)
    children, end = _children(stream)
    start |= {"end": end, "flow": bool(event.flow_style)}
    if kind is yaml.SequenceStartEvent:
        return Node(kind="sequence", items=children, **start)
    return Node(kind="mapping", entries=tuple(zip(children[::2], children[1::2], strict=True)), **start)


def _children(stream: Iterator[Any]) -> tuple[tuple[Node, ...], int]:
    found: list[Node] = []
    for event in stream:
        if type(event) in _CLOSING:
            return tuple(found), event.end_mark.index
        found.append(_node(event, stream))
    raise AssertionError("the parser closes what it opens")


def _leaves(node: Node, path: Path) -> Iterator[tuple[Node, Path, bool]]:
    if node.kind in ("scalar", "alias"):
        yield node, path, False
    for index, item in enumerate(node.items):
        yield from _leaves(item, (*path, index))
    for key, value in node.entries:
        yield key, (*path, key.value), True
        yield from _leaves(value, (*path, key.value))


def _child(node: Node, step: Step) -> Node | None:
    if isinstance(step, int):
        return node.items[step] if step < len(node.items) else None
    return next((value for key, value in node.entries if key.value == step), None)
