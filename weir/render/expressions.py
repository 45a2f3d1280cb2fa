"""`${variable}` expressions in a text, in the syntax and with the results of Flux's envsubst.

Rule: https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution and
https://github.com/fluxcd/pkg/tree/main/envsubst
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from weir.render.globs import cut_end, cut_start

MAX_LEVELS: Final = 20
"""Expressions inside expressions."""
MAX_CHARS: Final = 10_000_000
"""Characters of one result, and of all values that are worked on for it."""

Lookup = Callable[[str], str | None]
"""A variable's value, None when it is not defined."""

_OPERATORS: Final = (":=", ":-", ":?", ":+", ":", "##", "#", "%%", "%", "//", "/#", "/%", "/", "^^", "^", ",,", ",",
                     "=", "-", "+", "?")  # fmt: skip
_MAX_DIGITS: Final = 18
_DEFAULTS: Final = (":=", ":-", "=", "-")
_UNSUPPORTED: Final = (":?", ":+", "?", "+")


class ExpressionError(ValueError):
    """A text that cannot be substituted; says why and shows the expression."""


class UndefinedError(ExpressionError):
    """A variable without value or default."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the variable {name} is not defined and has no default")
        self.name = name


class Opaque(str):
    """A value that is not known yet: whatever is done to it, it stays as it is."""

    __slots__ = ()


def expand(text: str, lookup: Lookup, otherwise: Lookup = lambda _: None) -> str:
    """The text with every expression replaced; `$$` becomes `$`, and a `$` before anything but `{` stays.

    `otherwise` is asked about what is not defined and has no default.

    Raises:
        UndefinedError: a variable is not defined and its expression gives no default.
        ExpressionError: an expression is not closed, not supported, or makes the text too large.
    """
    return _Reader(text, lookup, otherwise).text_to_end()


class _Reader:
    def __init__(self, text: str, lookup: Lookup, otherwise: Lookup) -> None:
        self.text = text
        self.at = 0
        self.levels = 0
        self.work = 0
        self.lookup = lookup
        self.otherwise = otherwise

    def text_to_end(self) -> str:
        parts: list[str] = []
        size = 0
        while self.at < len(self.text):
            dollar = self.text.find("$", self.at)
            if dollar < 0:
                parts.append(self.text[self.at :])
                break
            parts.append(self.text[self.at : dollar])
            self.at = dollar
            if self.text.startswith("${", dollar):
                parts.append(self.expression())
            else:
                parts.append("$")
                self.at += 2 if self.text.startswith("$$", dollar) else 1
            size += len(parts[-1])
            _check_size(size)
        return "".join(parts)

    def expression(self) -> str:
        """The value of the expression that starts here."""
        start = self.at
        self.at += 2
        self.levels += 1
        if self.levels > MAX_LEVELS:
            raise ExpressionError(f"found over {MAX_LEVELS} expressions inside each other")
        length = self._take("#")
        name = self._name(start)
        operator = "#" if length else next((o for o in _OPERATORS if self.text.startswith(o, self.at)), "")
        if operator in _UNSUPPORTED:
            raise ExpressionError(f"{self._shown(start)}: the operator {operator} is not supported")
        if length:
            value = self._finish(start, lambda: _length(self._value(name)))
        else:
            self.at += len(operator)
            value = self._apply(start, name, operator)
        self.levels -= 1
        return value

    def _apply(self, start: int, name: str, operator: str) -> str:
        if operator in _DEFAULTS:
            return self._default(start, name)
        if operator == ":":
            arguments = self._slice_arguments(start)
        elif operator.startswith("/"):
            arguments = self._replace_arguments(start)
        elif operator in ("#", "##", "%", "%%"):
            arguments = [self._word(start, "}")]
        else:
            arguments = []
        return self._finish(start, lambda: _operate(self._value(name), operator, arguments))

    def _finish(self, start: int, result: Callable[[], str]) -> str:
        if not self._take("}"):
            raise ExpressionError(f"{self._shown(start)}: expected }} at its end; write $${{ for a plain ${{")
        return result()

    def _value(self, name: str) -> str:
        value = self.lookup(name)
        if value is None:
            value = self.otherwise(name)
        if value is None:
            raise UndefinedError(name)
        self.work += len(value)
        _check_size(self.work)
        return value

    def _default(self, start: int, name: str) -> str:
        """The value, or when it is empty or not defined, everything up to the brace."""
        parts: list[str] = []
        while self.at < len(self.text) and self.text[self.at] != "}":
            nested = self.text.startswith("${", self.at)
            parts.append(self.expression() if nested else self._run(lambda: self.text[self.at] == "}"))
            self.work += len(parts[-1])
            _check_size(self.work)
        return self._finish(start, lambda: self.lookup(name) or "".join(parts))

    def _slice_arguments(self, start: int) -> list[str]:
        arguments = [self._word(start, ":}")]
        if self._take(":"):
            while self._take(":"):
                pass
            arguments.append(self._word(start, "}"))
        return arguments

    def _replace_arguments(self, start: int) -> list[str]:
        arguments = ["" if self._peek() == "/" else self._word(start, "/", escapes=True)]
        if not self._take("/"):
            raise ExpressionError(f"{self._shown(start)}: expected / between pattern and replacement")
        while self._take("/"):
            pass
        if self._peek() != "}":
            arguments.append(self._word(start, "}", escapes=True))
        return arguments

    def _word(self, start: int, ends: str, *, escapes: bool = False) -> str:
        """One argument: an expression, or the text up to one of these characters."""
        if self.text.startswith("${", self.at):
            return self.expression()
        if self._peek() in ends or not self._peek():
            raise ExpressionError(
                f"{self._shown(start)}: expected something between its operator and its end"
            )
        return self._run(lambda: self.text[self.at] in ends, escapes=escapes)

    def _run(self, ended: Callable[[], bool], *, escapes: bool = False) -> str:
        parts: list[str] = []
        while self.at < len(self.text) and not self.text.startswith("${", self.at):
            if escapes and self.text[self.at : self.at + 2] in ("$$", "\\/", "\\\\"):
                self.at += 1
            elif ended():
                break
            parts.append(self.text[self.at])
            self.at += 1
        return "".join(parts)

    def _name(self, start: int) -> str:
        begin = self.at
        while self.at < len(self.text) and (self.text[self.at].isalnum() or self.text[self.at] == "_"):
            self.at += 1
        if self.at == begin:
            raise ExpressionError(
                f"{self._shown(start)}: expected the name of a variable; write $${{ for a plain ${{"
            )
        return self.text[begin : self.at]

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, char: str) -> bool:
        found = self._peek() == char
        self.at += found
        return found

    def _shown(self, start: int) -> str:
        line = self.text[start : start + 40].split("\n", 1)[0]
        end = line.find("}")
        return line[: end + 1] if end >= 0 else line


def _check_size(size: int) -> None:
    if size > MAX_CHARS:
        raise ExpressionError(f"grows over {MAX_CHARS} characters")


def _length(value: str) -> str:
    return value if isinstance(value, Opaque) else str(len(value.encode()))


def _slice(value: str, arguments: list[str]) -> str:
    """A part counted in bytes; arguments that are no numbers change nothing."""
    data = value.encode()
    numbers = [_number(argument) for argument in arguments]
    if numbers[0] is None:
        return value
    begin = numbers[0] if numbers[0] >= 0 else max(0, len(data) + numbers[0])
    if len(numbers) == 1:
        return _text(data[begin:])
    if numbers[1] is None:
        return value
    end = begin + numbers[1] if numbers[1] >= 0 else len(data) + numbers[1]
    return _text(data[begin:end]) if end > begin else ""


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as err:
        raise ExpressionError("cuts a character that is longer than one byte in two") from err


def _number(text: str) -> int | None:
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > _MAX_DIGITS:
        return None
    return int(text)


def _replace(value: str, arguments: list[str], count: int) -> str:
    pattern, new = arguments[0], arguments[1] if len(arguments) > 1 else ""
    found = value.count(pattern) if count < 0 else 1
    _check_size(len(value) + found * len(new))
    return value.replace(pattern, new, count)


def _replace_start(value: str, arguments: list[str]) -> str:
    pattern, *new = arguments
    return new[0] + value.removeprefix(pattern) if new and value.startswith(pattern) else value


def _replace_end(value: str, arguments: list[str]) -> str:
    pattern, *new = arguments
    return value.removesuffix(pattern) + new[0] if new and value.endswith(pattern) else value


_FUNCTIONS: Final[dict[str, Callable[[str, list[str]], str]]] = {
    "": lambda value, _: value,
    "^": lambda value, _: value[:1].upper() + value[1:],
    "^^": lambda value, _: value.upper(),
    ",": lambda value, _: value[:1].lower() + value[1:],
    ",,": lambda value, _: value.lower(),
    ":": _slice,
    "#": lambda value, arguments: cut_start(value, arguments[0], longest=False),
    "##": lambda value, arguments: cut_start(value, arguments[0], longest=True),
    "%": lambda value, arguments: cut_end(value, arguments[0], longest=False),
    "%%": lambda value, arguments: cut_end(value, arguments[0], longest=True),
    "/": lambda value, arguments: _replace(value, arguments, 1),
    "//": lambda value, arguments: _replace(value, arguments, -1),
    "/#": _replace_start,
    "/%": _replace_end,
}
"""What each operator does to a value."""


def _operate(value: str, operator: str, arguments: list[str]) -> str:
    return value if isinstance(value, Opaque) else _FUNCTIONS[operator](value, arguments)
