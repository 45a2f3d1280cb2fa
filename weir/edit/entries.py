"""Entries of mappings in YAML text: whole lines of a block mapping, or a stretch between commas in brackets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from weir.edit.nodes import BREAK, Node, YamlText
from weir.edit.splice import quoted, written
from weir.spec.errors import SpecError


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value in a mapping."""

    index: int
    key: Node
    value: Node


def entry_of(text: YamlText, mapping: Node | None, key: str) -> Entry | None:
    """The entry of a key, None when there is none. Raises SpecError when the mapping is an alias."""
    if mapping is None:
        return None
    text.refuse_alias(mapping, (key,))
    entries = (Entry(index, *pair) for index, pair in enumerate(mapping.entries))
    return next((entry for entry in entries if entry.key.value == key), None)


def with_entry(text: YamlText, parent: Entry, path: tuple[str, ...], value: str, step: int) -> str:
    """The text with a new first entry in the mapping that `parent` holds.

    `path` is its key, and further keys when its value is a new mapping; `step` is the indentation of one level in
    characters. Raises SpecError when there is no mapping on lines of its own or in brackets.
    """
    mapping, before = parent.value, text.text
    if mapping.kind == "mapping" and mapping.flow:
        at = before.index("{", mapping.start) + 1
        comma = ", " if mapping.entries else ""
        return before[:at] + _in_brackets(path, value, like=parent.key) + comma + before[at:]
    if mapping.kind == "mapping":
        first = mapping.entries[0][0]
        _line_start(text, first)
        indent = first.column
    elif mapping.kind == "scalar" and mapping.start == mapping.end:
        indent = parent.key.column + step
    else:
        raise _refused(text, parent.key, f"a {mapping.kind}")
    found = BREAK.search(before, parent.key.end)
    at, newline = (found.end(), found[0]) if found else (len(before), "\n")
    lines = [f"{' ' * (indent + step * level)}{written(key)}:" for level, key in enumerate(path)]
    added = newline.join(lines) + f" {written(value)}"
    return before[:at] + (added + newline if found else newline + added) + before[at:]


def without_entry(text: YamlText, parent: Entry, entry: Entry) -> str:
    """The text without one entry of the mapping that `parent` holds.

    Raises SpecError when it does not stand on lines of its own or in brackets.
    """
    ranges = [_stretch(parent.value, entry)] if parent.value.flow else list(_lines(text, entry))
    after = text.text
    for start, end in reversed(ranges):
        after = after[:start] + after[end:]
    return after


def _in_brackets(path: tuple[str, ...], value: str, *, like: Node) -> str:
    spelled = quoted if like.style == '"' else written
    keys = [spelled(key) for key in path]
    return ": {".join(keys) + f": {spelled(value)}" + "}" * (len(keys) - 1)


def _stretch(mapping: Node, entry: Entry) -> tuple[int, int]:
    """The entry with the comma that goes with it."""
    if entry.index + 1 < len(mapping.entries):
        return entry.key.start, mapping.entries[entry.index + 1][0].start
    if entry.index:
        return mapping.entries[entry.index - 1][1].end, entry.value.end
    return entry.key.start, entry.value.end


def _lines(text: YamlText, entry: Entry) -> Iterator[tuple[int, int]]:
    value, start = entry.value, _line_start(text, entry.key)
    if value.kind == "sequence" and not value.flow:
        raise _refused(text, entry.key, "a sequence")
    if value.kind == "mapping" and not value.flow:
        yield start, _line_end(text, entry.key.end)
        for index, pair in enumerate(value.entries):
            yield from _lines(text, Entry(index, *pair))
    else:
        yield start, _line_end(text, value.end)


def _line_start(text: YamlText, node: Node) -> int:
    start = node.start - node.column
    if text.text[start : node.start].strip(" "):
        raise _refused(text, node, "something before it on its line")
    return start


def _line_end(text: YamlText, position: int) -> int:
    if BREAK.fullmatch(text.text[position - 1 : position]):
        return position
    found = BREAK.search(text.text, position)
    return found.end() if found else len(text.text)


def _refused(text: YamlText, node: Node, found: str) -> SpecError:
    expected, hint = "entries on lines of their own", "write the mapping out, one key on each line"
    return SpecError.at(text.where(node), node.value, found=found, expected=expected, hint=hint)
