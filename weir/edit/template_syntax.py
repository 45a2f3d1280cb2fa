"""Go's template syntax, as much of it as commit messages use, read into a tree.

Text, `{{ pipelines }}` with `{{-` and `-}}`, comments, variables, `if`, `with`, `range` with `break` and `continue`,
`else` and `end`. Rule: https://pkg.go.dev/text/template
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_DEPTH: Final = 30
"""Levels of blocks, or of parentheses."""

_QUOTED: Final = r'"(?:\\.|[^"\\\n])*+"|`[^`]*+`'
_ACTION: Final = re.compile(
    rf"\{{\{{((?:{_QUOTED}|/\*(?:[^*]|\*(?!/))*+\*/|/(?!\*)|[^\"`}}/]|\}}(?!\}}))*+)\}}\}}"
)
_TOKEN: Final = re.compile(
    rf"\s+|(?P<text>{_QUOTED})|(?P<number>-?[0-9]{{1,18}})"
    r"|(?P<fields>(?<=\))(?:\.[A-Za-z_]\w*)+)|(?P<path>\$\w*(?:\.[A-Za-z_]\w*)*|(?:\.[A-Za-z_]\w*)+|\.)"
    r"|(?P<word>[A-Za-z_]\w*)|(?P<sign>:=|[=,()|])",
    re.ASCII,
)
_COMMENT: Final = re.compile(r"\s*/\*.*\*/\s*", re.DOTALL)
_TRIM_LEFT: Final = re.compile(r"-(?=[ \t\r\n])")
_WHITE: Final = " \t\r\n"
_SPACES: Final = frozenset(_WHITE)
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "nil": None}
_BLOCKS: Final = ("if", "with", "range")
_JUMPS: Final = ([("word", "break")], [("word", "continue")])


class TemplateError(ValueError):
    """A template that is not one, or that asks for what is not there."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A text, a number, a truth value or nil."""

    value: str | int | bool | None


@dataclass(frozen=True, slots=True)
class Field:
    """`.A.B`, `$x.A`, `(pipeline)` or `(pipeline).A`."""

    start: str | Pipeline
    """Empty for the dot, a variable with its `$`, or what stands in parentheses."""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A function by name."""

    name: str


Operand = Constant | Field | Call
Command = tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each taking the value of the one before; its value may go to variables."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False
    """Whether the variable was declared before."""


@dataclass(frozen=True, slots=True)
class Block:
    """`if`, `with` or `range`."""

    kind: str
    pipeline: Pipeline
    body: tuple[Part, ...]
    otherwise: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Jump:
    """`break` or `continue`, inside of `range`."""

    kind: str


Part = str | Pipeline | Block | Jump
Token = tuple[str, str]


def parse_template(text: str) -> tuple[Part, ...]:
    """The parts of a template. Raises TemplateError."""
    parts, end = _parts(_pieces(text), 0, ranged=False)
    if end:
        raise TemplateError(f"{{{{ {end[0][1]} }}}} of nothing")
    return parts


def _pieces(text: str) -> Iterator[str | list[Token]]:
    """Texts and the tokens of actions, in turn."""
    position, trim = 0, False
    while (opening := text.find("{{", position)) >= 0:
        action = _ACTION.match(text, opening)
        if action is None:
            raise TemplateError(f"{text[opening : opening + 20]!r} without }}}}")
        inner, before = action[1], text[position:opening]
        before = before.lstrip(_WHITE) if trim else before
        yield before.rstrip(_WHITE) if _TRIM_LEFT.match(inner) else before
        inner = _TRIM_LEFT.sub("", inner)
        trim = inner[-1:] == "-" and inner[-2:-1] in _SPACES
        inner = inner[:-1] if trim else inner
        if not _COMMENT.fullmatch(inner):
            yield _tokens(inner)
        position = action.end()
    yield text[position:].lstrip(_WHITE) if trim else text[position:]


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise TemplateError(f"{text[position : position + 20]!r} in {{{{{text[:40]}}}}}")
        if token.lastgroup:
            found.append((token.lastgroup, token[0]))
        position = token.end()
    if not found:
        raise TemplateError("an empty action")
    return found


def _parts(
    pieces: Iterator[str | list[Token]], depth: int, *, ranged: bool
) -> tuple[tuple[Part, ...], list[Token]]:
    """Parts up to `else` or `end`, and that action; an empty one at the end of the text."""
    if depth > MAX_DEPTH:
        raise TemplateError(f"more than {MAX_DEPTH} levels of blocks")
    found: list[Part] = []
    for piece in pieces:
        if isinstance(piece, str):
            found.append(piece)
        elif piece[0] in (("word", "else"), ("word", "end")):
            return tuple(found), piece
        elif piece[0][0] == "word" and piece[0][1] in _BLOCKS:
            found.append(_block(piece, pieces, depth, ranged=ranged))
        elif piece in _JUMPS:
            if not ranged:
                raise TemplateError(f"{{{{ {piece[0][1]} }}}} outside of range")
            found.append(Jump(piece[0][1]))
        else:
            found.append(_Reader(piece).whole())
    return tuple(found), []


def _block(tokens: list[Token], pieces: Iterator[str | list[Token]], depth: int, *, ranged: bool) -> Block:
    kind, pipeline = tokens[0][1], _Reader(tokens[1:]).whole()
    body, end = _parts(pieces, depth + 1, ranged=ranged or kind == "range")
    otherwise: tuple[Part, ...] = ()
    if len(end) > 1:
        chained = _block(_chained(kind, end), pieces, depth + 1, ranged=ranged)
        return Block(kind, pipeline, body, (chained,))
    if end and end[0][1] == "else":
        otherwise, end = _parts(pieces, depth + 1, ranged=ranged)
    if end != [("word", "end")]:
        raise TemplateError(f"{{{{ {kind} }}}} without {{{{ end }}}}")
    return Block(kind, pipeline, body, otherwise)


def _chained(kind: str, end: list[Token]) -> list[Token]:
    """The block behind `else`, which shares its `end` with the block before it."""
    if end[0][1] != "else" or end[1] != ("word", kind) or kind == "range":
        raise TemplateError(f"{' '.join(token for _, token in end)!r} in {{{{ {kind} }}}}")
    return end[1:]


class _Reader:
    """Reads the tokens of one action."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Pipeline:
        """All tokens as a pipeline. Raises TemplateError."""
        variables, assigns = self._variables()
        pipeline = Pipeline(self._commands(), variables, assigns)
        if self._at < len(self._tokens):
            raise TemplateError(f"{self._tokens[self._at][1]!r} where a value should be")
        return pipeline

    def _variables(self) -> tuple[tuple[str, ...], bool]:
        texts = [text for _, text in self._tokens]
        for count, length in ((1, 2), (2, 4)):
            names = tuple(texts[: length - 1 : 2])
            if texts[length - 1 : length] in ([":="], ["="]) and all(name[:1] == "$" for name in names):
                if count == 2 and texts[1] != ",":  # noqa: PLR2004 - two variables
                    break
                self._at = length
                return names, texts[length - 1] == "="
        return (), False

    def _commands(self) -> tuple[Command, ...]:
        found = [self._command()]
        while self._take("|"):
            found.append(self._command())
        return tuple(found)

    def _command(self) -> Command:
        found: list[Operand] = []
        while self._at < len(self._tokens) and self._tokens[self._at][1] not in ("|", ")"):
            found.append(self._operand())
        if not found:
            raise TemplateError("nothing where a value should be")
        return tuple(found)

    def _operand(self) -> Operand:
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "path":
            start, *names = text.split(".")
            return Field(start, tuple(filter(None, names)))
        if kind == "text":
            return Constant(_unquoted(text))
        if kind == "number":
            return Constant(int(text))
        if kind == "word":
            return Constant(_WORDS[text]) if text in _WORDS else Call(text)
        if text == "(":
            return self._parentheses()
        raise TemplateError(f"{text!r} where a value should be")

    def _parentheses(self) -> Operand:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TemplateError(f"more than {MAX_DEPTH} levels of parentheses")
        inner = Pipeline(self._commands())
        if not self._take(")"):
            raise TemplateError("( without )")
        self._depth -= 1
        return Field(inner, self._fields())

    def _fields(self) -> tuple[str, ...]:
        """The names right behind parentheses: fields of what these give."""
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if kind != "fields":
            return ()
        self._at += 1
        return tuple(text[1:].split("."))

    def _take(self, text: str) -> bool:
        found = self._tokens[self._at : self._at + 1] == [("sign", text)]
        self._at += found
        return found


def _unquoted(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    try:
        return str(json.loads(text, strict=False))
    except ValueError as err:
        raise TemplateError(f"{text} with an escape that is not known") from err
