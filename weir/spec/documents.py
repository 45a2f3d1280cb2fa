"""YAML bytes to documents, safely, and read as Kubernetes' own tools read them.

The limits answer alias bombs, deep nesting and ambiguous input (CVE-2022-28948 and its kin): what aliases stand for
is counted, depth is bounded, duplicate keys are errors, and only plain tags are known. Everything is checked in one
pass over the parse events, before a value exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from weir.spec.block_yaml import read_block
from weir.spec.errors import SpecError
from weir.spec.scalars import ScalarError, Scalars

MAX_DEPTH: Final = 100
"""Levels of nesting."""
MAX_ALIASES: Final = 1000
"""Aliases used in one document."""
MAX_EXPANDED: Final = 200_000
"""Nodes that the aliases of one text stand for."""
MAX_EXPANDED_TEXT: Final = 16 * 1024 * 1024
"""Characters that the aliases of one text stand for."""
MAX_NODES: Final = 1_000_000
"""Nodes of one text."""


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document and where it stands."""

    file: str
    """Path as a person would name it, with forward slashes."""
    index: int
    """Position in the file, from 0."""
    data: dict[str, Any]
    confidential: bool = False
    """Whether it holds the value of a secret variable."""

    @property
    def where(self) -> str:
        """`file: Kind/namespace/name`, as far as the document says."""
        meta = self.data.get("metadata")
        meta = meta if isinstance(meta, dict) else {}
        parts = [self.data.get("kind"), meta.get("namespace"), meta.get("name")]
        name = "/".join(str(part) for part in parts if part)
        return f"{self.file}: {name or f'document {self.index + 1}'}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """All values of a YAML text, one for each document, empty documents as None."""

    values: tuple[Any, ...]
    odd: str = ""
    """What kustomize would read differently: a key that is no text, a date, some folded texts; empty for nothing."""


_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPENING: Final = frozenset((yaml.MappingStartEvent, yaml.SequenceStartEvent))
_CLOSING: Final = frozenset((yaml.MappingEndEvent, yaml.SequenceEndEvent))
_INDENTED: Final = re.compile(r"(^|\n)[ \t]")
_MEMORY: Final = 20_000
"""Scalars remembered while one text is read, because manifests repeat themselves."""
_OPEN: Final = object()
"""Stands for a key that has not been read yet."""
_MERGE: Final = object()
"""Stands for the key `<<`."""


class _Refused(Exception):
    """Something a document must not hold, at a mark."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem)
        self.problem = problem
        self.mark = mark


class _Frame:
    """A mapping or sequence that is still open."""

    __slots__ = ("anchor", "key", "merges", "size", "value")

    def __init__(self, value: dict[str, Any] | list[Any], anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.key: Any = _OPEN
        self.merges: list[Any] | None = None
        self.size = 1


class _Anchored:
    """A value that aliases may stand for."""

    __slots__ = ("extent", "size", "value")

    def __init__(self, value: Any, size: int) -> None:
        self.value = value
        self.size = size
        self.extent: tuple[int, int] | None = None
        """Characters and levels in it; measured when an alias first stands for it."""


class _Builder:
    """Values from parse events, one document after the other."""

    def __init__(self, scalars: Scalars) -> None:
        self.odd = ""
        self._scalars = scalars
        self._plain: dict[str, Any] = {}
        """Unquoted scalars met before, without dates and merges."""
        self._nodes = 0
        self._expanded = 0
        self._expanded_text = 0
        self._aliases = 0
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored] = {}
        self._root: Any = None

    def build(self, text: str) -> list[Any]:
        """The value of each document."""
        found: list[Any] = []
        parser = _Parser(text)
        take = parser.get_event
        try:
            while (kind := type(event := take())) is not yaml.StreamEndEvent:
                if kind is yaml.ScalarEvent:
                    self._scalar(event)
                elif kind in _OPENING:
                    self._open({} if kind is yaml.MappingStartEvent else [], event)
                elif kind in _CLOSING:
                    self._close()
                elif kind is yaml.AliasEvent:
                    self._alias(event)
                elif kind is yaml.DocumentStartEvent:
                    self._root, self._aliases, self._anchors = None, 0, {}
                elif kind is yaml.DocumentEndEvent:
                    found.append(self._root)
            return found
        finally:
            parser.dispose()

    def _scalar(self, event: Any) -> None:
        value = self._usual(event)
        if value is _OPEN or not self._place(value):
            self._unusual(event)

    def _usual(self, event: Any) -> Any:
        """The value of a scalar as nearly all are, one that no rule looks at twice; `_OPEN` for another one."""
        if event.anchor is not None:
            return _OPEN
        if event.implicit[0]:
            return self._plain.get(event.value, _OPEN)
        return event.value if event.tag is None and event.style != ">" and event.value != "<<" else _OPEN

    def _place(self, value: Any) -> bool:
        """Put a usual scalar where it belongs; False when a rule must look at it there."""
        if not self._stack:
            return False
        frame = self._stack[-1]
        target, key = frame.value, frame.key
        if type(target) is list:
            target.append(value)
        elif key is _OPEN:
            if type(value) is not str or value in target:
                return False
            frame.key = value
        elif key is _MERGE:
            return False
        else:
            target[key] = value
            frame.key = _OPEN
        frame.size += 1
        self._nodes += 1
        return True

    def _unusual(self, event: Any) -> None:
        style_plain = event.implicit[0]
        frame = self._stack[-1] if self._stack else None
        is_key = frame is not None and frame.key is _OPEN and type(frame.value) is dict
        try:
            if style_plain:
                value = self._scalars.plain(event.value)
            else:
                value = self._scalars.tagged(event.value, event.tag) if event.tag else event.value
        except ScalarError as err:
            raise _Refused(str(err), event.start_mark) from err
        if is_key and type(value) is not str:
            self.odd = self.odd or f"the key {event.value} is not a text"
            value = _json_key(value)
        elif style_plain and len(self._plain) < _MEMORY and not _needs_a_look(event.value):
            self._plain[event.value] = value
        self.odd = self.odd or _oddity(event, is_key=is_key)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, 1)
        merge = is_key and style_plain and value == "<<"
        self._add(value, 1, event, merge=merge)

    def _open(self, value: dict[str, Any] | list[Any], event: Any) -> None:
        if event.tag not in (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise _Refused(f"the tag {event.tag}", event.start_mark)
        if len(self._stack) >= MAX_DEPTH:
            raise _Refused(f"more than {MAX_DEPTH} levels", event.start_mark)
        if self._stack and self._stack[-1].key is _OPEN and type(self._stack[-1].value) is dict:
            raise _Refused("a key that is not a plain scalar", event.start_mark)
        self._stack.append(_Frame(value, event.anchor))

    def _close(self) -> None:
        frame = self._stack.pop()
        if frame.merges is not None:
            frame.size += _merge(frame.value, frame.merges)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = _Anchored(frame.value, frame.size)
        self._add(frame.value, frame.size, None)

    def _alias(self, event: Any) -> None:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise _Refused(f"more than {MAX_ALIASES} aliases", event.start_mark)
        if event.anchor not in self._anchors:
            raise _Refused(f"the alias *{event.anchor} of nothing before it", event.start_mark)
        if self._stack and self._stack[-1].key is _OPEN and type(self._stack[-1].value) is dict:
            raise _Refused("an alias as a key", event.start_mark)
        anchored = self._anchors[event.anchor]
        self._expand(anchored, event)
        self._add(_copy(anchored.value), anchored.size, event)

    def _expand(self, anchored: _Anchored, event: Any) -> None:
        """Count what an alias stands for. Raises _Refused when it is too much."""
        self._expanded += anchored.size
        if self._expanded > MAX_EXPANDED:
            raise _Refused(f"aliases that stand for over {MAX_EXPANDED} values", event.start_mark)
        characters, levels = anchored.extent = anchored.extent or _extent(anchored.value)
        self._expanded_text += characters
        if self._expanded_text > MAX_EXPANDED_TEXT:
            problem = f"aliases that stand for over {MAX_EXPANDED_TEXT} characters"
            raise _Refused(problem, event.start_mark)
        if len(self._stack) + levels > MAX_DEPTH:
            raise _Refused(f"more than {MAX_DEPTH} levels", event.start_mark)

    def _add(self, value: Any, size: int, event: Any, *, merge: bool = False) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _Refused(f"over {MAX_NODES} values", getattr(event, "start_mark", None))
        if not self._stack:
            self._root = value
            return
        frame = self._stack[-1]
        frame.size += size
        if type(frame.value) is list:
            frame.value.append(value)
        elif frame.key is _OPEN:
            frame.key = _MERGE if merge else value
            if frame.merges is not None if merge else value in frame.value:
                raise _Refused(f"duplicate key {value!r}", event.start_mark)
        else:
            if frame.key is _MERGE:
                frame.merges = value if isinstance(value, list) else [value]
            else:
                frame.value[frame.key] = value
            frame.key = _OPEN


def _needs_a_look(text: str) -> bool:
    """Whether an unquoted scalar is odd, or may merge."""
    return text == "<<" or Scalars.is_date(text)


def _oddity(event: Any, *, is_key: bool) -> str:
    """What kustomize would read differently in a scalar, empty for nothing."""
    if event.implicit[0]:
        return f"the date {event.value} is not in quotes" if Scalars.is_date(event.value) else ""
    if is_key and event.value == "<<":
        return "the key << is in quotes"
    if event.style == ">" and _INDENTED.search(event.value):
        return "a folded text has lines that are indented further"
    return ""


def _merge(target: Any, sources: list[Any]) -> int:
    """Take the keys that a mapping lacks from the mappings merged into it; the first one counts."""
    added = 0
    for source in sources:
        if not isinstance(source, dict):
            raise _Refused("a merge of something that is not a mapping", None)
        for key, value in source.items():
            if key not in target:
                target[key] = value
                added += 1
    return added


def _extent(value: Any) -> tuple[int, int]:
    """How many characters a value holds, and how many levels of mappings and sequences."""
    if type(value) is str:
        return len(value), 0
    if type(value) is dict:
        characters, inner = sum(map(len, value)), [_extent(item) for item in value.values()]
    elif type(value) is list:
        characters, inner = 0, [_extent(item) for item in value]
    else:
        return 0, 0
    return characters + sum(more for more, _ in inner), 1 + max((levels for _, levels in inner), default=0)


def _copy(value: Any) -> Any:
    """The same value of its own, so that nothing is shared between two places."""
    if type(value) is dict:
        return {key: _copy(item) for key, item in value.items()}
    if type(value) is list:
        return [_copy(item) for item in value]
    return value


def _json_key(key: Any) -> str:
    """The key that sigs.k8s.io/yaml gives JSON: 1 -> "1", true -> "true"."""
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    return str(key)


def load_yaml(
    text: str | bytes, file: str, *, old_booleans: bool = False, scalars: Scalars | None = None
) -> Loaded:
    """All documents of a YAML text as plain values, read as kustomize 5 does; nothing in them is shared.

    `old_booleans`: unquoted yes, no, on, off, y and n count as true and false, as kubectl and Flux's variable
    substitution read them. `scalars`: how unquoted scalars are read instead.

    Raises:
        SpecError: not UTF-8, not YAML, duplicate keys, unknown tags or over a limit; names file, line and column.
    """
    usual = scalars is None and not old_booleans
    builder = _Builder(scalars or Scalars(old_booleans=old_booleans))
    try:
        plain = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
        found = read_block(plain) if usual else None
        return Loaded(tuple(builder.build(plain) if found is None else found), builder.odd)
    except UnicodeDecodeError as err:
        raise SpecError.at(file, "", found=f"byte {err.start}", expected="UTF-8 text") from err
    except UnicodeEncodeError as err:
        raise SpecError.at(file, "", found="half a character", expected="UTF-8 text") from err
    except yaml.YAMLError as err:
        raise _unreadable(file, getattr(err, "problem", None) or str(err).split("\n", 1)[0], err) from err
    except _Refused as err:
        raise _unreadable(file, f"found {err.problem}", err) from err


def read_yaml(text: str | bytes, file: str) -> list[Any]:
    """All documents of a YAML text as plain values, empty ones left out. Raises SpecError as `load_yaml`."""
    return [value for value in load_yaml(text, file).values if value is not None]


def read_documents(text: str | bytes, file: str) -> tuple[Document, ...]:
    """All documents of a YAML text that are mappings; `List` kinds are unfolded into their items.

    Raises:
        SpecError: as `read_yaml`, or a document or an item of a list that is not a mapping.
    """
    documents: list[Document] = []
    for index, data in enumerate(read_yaml(text, file)):
        where = f"{file}: document {index + 1}"
        if not isinstance(data, dict):
            expected = "a mapping with apiVersion and kind"
            raise SpecError.at(where, "", found=type(data).__name__, expected=expected)
        is_list = str(data.get("kind", "")).endswith("List") and isinstance(data.get("items"), list)
        for position, item in enumerate(data["items"] if is_list else [data]):
            if not isinstance(item, dict):
                raise SpecError.at(
                    where, f"items[{position}]", found=type(item).__name__, expected="a mapping"
                )
            documents.append(Document(file, index, item))
    return tuple(documents)


def _unreadable(file: str, problem: str, err: Any) -> SpecError:
    mark = getattr(err, "problem_mark", None) or getattr(err, "mark", None)
    place = f"{file}: line {mark.line + 1}, column {mark.column + 1}" if mark else file
    return SpecError(f"{place}: not readable as YAML: {problem}", hint="correct the file and commit again")
