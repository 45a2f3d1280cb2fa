r"""Texts, bytes and numbers as CEL expressions write them.

Rule: the specification's lexis: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax. An unknown escape
such as `'\d'` is an error, as in cel-go; patterns are written `r'\d'`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isinf
from typing import Any, Final

from celpy import celtypes

from weir.objects.cel_values import Value

_ESCAPE: Final = re.compile(
    r"\\(U[0-9a-fA-F]{8}|u[0-9a-fA-F]{4}|[xX][0-9a-fA-F]{2}|[0-3][0-7]{2}|.|$)", re.DOTALL
)
_PLAIN: Final = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))
_QUOTES: Final = re.compile(r"""([bB]?)([rR]?)(\"{3}|'{3}|"|')(.*)\3""", re.DOTALL)
_ASCII: Final = 0x80
_BYTES: Final = 0xDC00
"""Where Python's `surrogateescape` keeps bytes that are no text."""


def literal(token: Any) -> Value:
    """The value of a literal's token. Raises ValueError, in words that say why."""
    return _LITERALS[token.type](str(token))


def _text(written: str) -> Value:
    _, raw, _, body = _parts(written)
    return celtypes.StringType(body if raw else _ESCAPE.sub(_character, body))


def _bytes(written: str) -> Value:
    _, raw, _, body = _parts(written)
    return celtypes.BytesType((body if raw else _ESCAPE.sub(_byte, body)).encode(errors="surrogateescape"))


def _parts(written: str) -> tuple[str, ...]:
    found = _QUOTES.fullmatch(written)
    if not found:
        raise ValueError("a text that does not end")
    return found.groups()


def _character(match: re.Match[str]) -> str:
    code = match[1]
    if code in _PLAIN:
        return _PLAIN[code]
    try:
        char = chr(int(code, 8) if code[:1].isdigit() else int(code[1:], 16))
        char.encode()
    except (ValueError, OverflowError):
        raise ValueError(f"an unknown escape \\{code}") from None
    return char


def _byte(match: re.Match[str]) -> str:
    if match[1][:1] in ("u", "U"):
        raise ValueError(f"an escape \\{match[1]} in bytes")
    char = _character(match)
    return char if ord(char) < _ASCII else chr(_BYTES + ord(char))


def _number(kind: Callable[[str], Value], written: str) -> Value:
    try:
        value = kind(written)
    except ValueError:
        value = None
    if value is None or isinf(value):
        raise ValueError(f"a number that is out of range: {written}")
    return value


_LITERALS: Final[Mapping[str, Callable[[str], Value]]] = {
    "BOOL_LIT": lambda written: celtypes.BoolType(written == "true"),
    "BYTES_LIT": _bytes,
    "FLOAT_LIT": lambda written: _number(celtypes.DoubleType, written),
    "INT_LIT": lambda written: _number(celtypes.IntType, written),
    "MLSTRING_LIT": _text,
    "NULL_LIT": lambda _: None,
    "STRING_LIT": _text,
    "UINT_LIT": lambda written: _number(celtypes.UintType, written[:-1]),
}
