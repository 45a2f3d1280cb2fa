"""The plainest kind of YAML, as people and tools write manifests, read line by line.

Block mappings and sequences of one-line scalars and literal texts in ASCII, without anchors, tags, escapes or continued
lines: reading them takes a quarter of the time of a full parser, also because manifests repeat their lines. For any
other text the answer is None, and `weir.spec.documents` reads it. What is read here is what is read there.
Rule: https://yaml.org/spec/1.1/#id873032 (block styles), as libyaml reads it
"""

from __future__ import annotations

import re
from typing import Any, Final

from weir.spec.scalars import ScalarError, Scalars

_MOST_LINES: Final = 250_000
"""Far below the limits of the full parser."""
_MOST_LEVELS: Final = 50
_LINE: Final = re.compile(
    r"""(-\ )?+                                     # an element of a sequence
    (?:([A-Za-z_][A-Za-z0-9_./-]{0,200}):(?:\ (?=[^\ ])|\Z))?
    (?:
        "([^"\\]*+)"
        |'([^']*+)'
        |((?:[A-Za-z0-9_./$(+=<^~;\\]|[-:?](?=[^\ ]))(?:[^\ :]++|:(?=[^\ ])|\ ++(?=[^\ \#]))*+)
        |(\{\}|\[\]|\|-?)
    )?\Z""",
    re.VERBOSE,
)


class _Elsewhere(Exception):
    """The full parser must read this."""


class _Mark:
    """Stands for a value that a line does not hold."""


_MISSING: Final = _Mark()
_NEW_MAPPING: Final = _Mark()
_NEW_SEQUENCE: Final = _Mark()
_LITERAL: Final = _Mark()
_LITERAL_STRIPPED: Final = _Mark()
_SIGNS: Final = {"{}": _NEW_MAPPING, "[]": _NEW_SEQUENCE, "|": _LITERAL, "|-": _LITERAL_STRIPPED}

Token = tuple[int, bool, str, Any]
"""What a line says: its column, whether it begins an element, its key (empty for none), its value or a mark."""
_NOTHING: Final[Token] = (0, False, "", _MISSING)
_SEPARATOR: Final[Token] = (0, False, "", "---")


_MOST_KNOWN: Final = 20_000
_known: dict[str, Token] = {}
"""Tokens by their lines, for files repeat each other's; of any number of threads, since a token never changes."""


class _Frame:
    """A mapping or sequence that may still grow."""

    __slots__ = ("column", "key", "value")

    def __init__(self, column: int, value: Any) -> None:
        self.column = column
        self.value = value
        self.key = ""
        """The key just read whose value is on the lines below, if any."""


class _Reader:
    """Documents from lines."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0
        self._scalars = Scalars()
        self._tokens = _known
        self._stack: list[_Frame] = []
        self._documents: list[Any] = []

    def read(self) -> list[Any]:
        """The value of each document. Raises _Elsewhere."""
        lines, tokens, stack, count = self._lines, self._tokens, self._stack, len(self._lines)
        while self._at < count:
            line = lines[self._at]
            self._at += 1
            token = tokens.get(line) or self._token(line)
            column, dash, key, value = token
            if value.__class__ is _Mark and value is not _MISSING:
                value = self._marked(value, column + 2 if dash else column)
            if dash:
                self._element(column, key, value)
            elif key:
                top = stack[-1] if stack else None
                if top is None or top.column != column or top.value.__class__ is list:
                    top = self._make_room(column)
                _put(top, key, value)
            elif token is not _NOTHING:
                self._separate(token)
        return self._documents

    def _token(self, line: str) -> Token:
        """What a line says."""
        bare = line.lstrip(" ")
        if not bare or bare[0] == "#":
            return _NOTHING
        found = _LINE.match(bare)
        if found is None:
            raise _Elsewhere
        dash, key, double, single, plain, sign = found.groups()
        if key and type(self._plain(key)) is not str:
            raise _Elsewhere
        value: Any = _MISSING
        if plain is not None:
            value = self._plain(plain)
        elif sign is not None:
            value = _SIGNS[sign]
        elif double is not None or single is not None:
            value = double if single is None else single
        token = (len(line) - len(bare), dash is not None, key or "", value)
        self._tokens[line] = token = _SEPARATOR if line == "---" else token
        return token

    def _plain(self, text: str) -> Any:
        if self._scalars.is_date(text):
            raise _Elsewhere
        try:
            return self._scalars.plain(text)
        except ScalarError as err:
            raise _Elsewhere from err

    def _marked(self, mark: _Mark, column: int) -> Any:
        if mark is _NEW_MAPPING:
            return {}
        if mark is _NEW_SEQUENCE:
            return []
        return mark if mark is _MISSING else self._literal(column, stripped=mark is _LITERAL_STRIPPED)

    def _literal(self, column: int, *, stripped: bool) -> str:
        """The text on the lines below that are indented further than the mapping."""
        lines, start = self._lines, self._at
        indent = 0
        while self._at < len(lines):
            line = lines[self._at]
            if line:
                depth = len(line) - len(line.lstrip(" "))
                if depth < (indent or column + 1):
                    break
                indent = indent or depth
            self._at += 1
        texts = [line[indent:] for line in lines[start : self._at]]
        if not indent or not texts[0] or texts[0][0] == " ":
            raise _Elsewhere
        return "\n".join(texts).rstrip("\n") + ("" if stripped else "\n")

    def _separate(self, token: Token) -> None:
        if token is not _SEPARATOR:
            raise _Elsewhere
        self._stack.clear()
        self._documents.append(_MISSING)

    def _make_room(self, column: int) -> _Frame:
        """Have the mapping on top to which a key at a column belongs."""
        stack = self._stack
        while stack:
            top = stack[-1]
            if top.column < column:
                break
            if top.column == column and top.value.__class__ is dict:
                return top
            stack.pop()
        return self._begin(column, {})

    def _element(self, column: int, key: str, value: Any) -> None:
        """`- value`, `- key:` or `- key: value` at a column."""
        stack = self._stack
        top = stack[-1] if stack else None
        while top is not None and top.column > column:
            stack.pop()
            top = stack[-1] if stack else None
        if top is None or top.value.__class__ is dict:
            top = self._begin(column, [])
        elif top.column != column:
            raise _Elsewhere
        if key:
            frame = _Frame(column + 2, {})
            top.value.append(frame.value)
            stack.append(frame)
            _put(frame, key, value)
        elif value is _MISSING:
            raise _Elsewhere
        else:
            top.value.append(value)

    def _begin(self, column: int, value: Any) -> _Frame:
        """A mapping or sequence below the key just read, or the whole of a document."""
        stack = self._stack
        if stack:
            parent = stack[-1]
            if not parent.key or len(stack) > _MOST_LEVELS:
                raise _Elsewhere
            parent.value[parent.key] = value
            parent.key = ""
        else:
            self._begin_document(column, value)
        frame = _Frame(column, value)
        stack.append(frame)
        return frame

    def _begin_document(self, column: int, value: Any) -> None:
        if not self._documents:
            self._documents.append(_MISSING)
        if column or self._documents[-1] is not _MISSING:
            raise _Elsewhere
        self._documents[-1] = value


def _put(frame: _Frame, key: str, value: Any) -> None:
    target = frame.value
    if key in target or target.__class__ is not dict:
        raise _Elsewhere
    if value is _MISSING:
        target[key] = None
        frame.key = key
    else:
        target[key] = value
        frame.key = ""


def _is_plain(text: str) -> bool:
    """Whether it holds nothing but printable ASCII and ends of lines."""
    return text.isascii() and text.replace("\n", "").isprintable()


def read_block(text: str) -> list[Any] | None:
    """The value of each document, empty ones as None; None when only the full parser can tell."""
    if not text.endswith("\n") or text.count("\n") > _MOST_LINES or not _is_plain(text):
        return None
    if len(_known) > _MOST_KNOWN:
        _known.clear()
    try:
        found = _Reader(text.split("\n")).read()
    except _Elsewhere:
        return None
    return [None if value is _MISSING else value for value in found]
