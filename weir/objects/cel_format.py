"""`format` of CEL: `%s %d %f %e %b %x %X %o` and `%%`.

Rule: cel-go's `ext.Strings`, version 4 of the library, without a locale.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from math import isfinite, isnan
from typing import Any, Final

from celpy import celtypes

from weir.objects.cel_values import MAX_TEXT, NUMBERS, LimitError, Value, number, type_name

_CLAUSE: Final = re.compile(r"%(?:(%)|(?:\.(\d+))?([sdfebxXo]))")
_PRECISION: Final = 6
_TO_MICROSECONDS: Final = len("2026-01-02T03:04:05.000000")
_WHOLE: Final = (celtypes.IntType, celtypes.UintType)


def formatted(pattern: str, values: Value) -> str:
    """A pattern with its clauses replaced by the values, in order; more values than clauses are no error.

    Raises:
        LimitError: longer than an expression may build.
        TypeError: a value of a type that the clause does not take.
        ValueError: an unknown clause, or a clause without a value.
    """
    if not isinstance(values, celtypes.ListType):
        raise TypeError
    remaining = iter(values)
    parts: list[str] = []
    length = 0
    for part in _parts(pattern):
        parts.append(part if isinstance(part, str) else _clause(part, remaining))
        length += len(parts[-1])
        if length > MAX_TEXT:
            raise LimitError(f"a value of more than {MAX_TEXT} parts")
    return "".join(parts)


def _parts(pattern: str) -> Iterator[str | re.Match[str]]:
    """The clauses of a pattern and the text around them. Raises ValueError."""
    found = list(_CLAUSE.finditer(pattern))
    edges = [0, *(edge for match in found for edge in match.span()), len(pattern)]
    for index, (start, end) in enumerate(pairwise(edges)):
        if index % 2:
            yield found[index // 2]
        elif "%" in pattern[start:end]:
            raise ValueError
        else:
            yield pattern[start:end]


def _clause(match: re.Match[str], values: Iterator[Value]) -> str:
    percent, digits, letter = match.groups()
    if percent:
        return "%"
    try:
        value = next(values)
    except StopIteration:
        raise ValueError from None
    if letter in "fe":
        return _fixed(value, int(digits or _PRECISION), letter)
    return _WRITERS[letter](value)


def as_text(value: Value) -> str:
    """A value as `%s` writes it. Raises TypeError for an optional."""
    if isinstance(value, celtypes.MapType):
        entries = sorted((as_text(key), as_text(part)) for key, part in value.items())
        return "{" + ", ".join(f"{key}: {part}" for key, part in entries) + "}"
    if isinstance(value, celtypes.ListType):
        return "[" + ", ".join(map(as_text, value)) + "]"
    if isinstance(value, type):
        return type_name(value)
    write = _TEXTS.get(type(value))
    if write is None:
        raise TypeError
    return write(value)


def _double(value: Value) -> str:
    if not isfinite(value):
        return "NaN" if isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return format(Decimal(repr(float(value))), "f").removesuffix(".0")


def _in_utc(value: Value) -> str:
    return timestamp_text(dt.datetime.fromisoformat(value.isoformat()).astimezone(dt.UTC))


def timestamp_text(value: dt.datetime) -> str:
    """RFC 3339 in the value's own zone, with the digits of a second that it has."""
    text = value.isoformat(timespec="microseconds")
    moment, zone = text[:_TO_MICROSECONDS], text[_TO_MICROSECONDS:]
    return moment.rstrip("0").rstrip(".") + ("Z" if zone == "+00:00" else zone)


def _duration(value: Value) -> str:
    return _double(value.total_seconds()) + "s"


def _fixed(value: Value, precision: int, letter: str) -> str:
    if not isinstance(value, NUMBERS):
        raise TypeError
    if precision > MAX_TEXT:
        raise LimitError(f"a value of more than {MAX_TEXT} parts")
    plain = number(value)
    return format(plain, f".{precision}{letter}") if isfinite(plain) else _double(value)


def _decimal(value: Value) -> str:
    if not isinstance(value, NUMBERS):
        raise TypeError
    return as_text(value)


def _in_base(letter: str, takes: tuple[type[Any], ...] = _WHOLE) -> Callable[[Value], str]:
    def write(value: Value) -> str:
        if not isinstance(value, takes):
            raise TypeError
        if isinstance(value, celtypes.StringType | celtypes.BytesType):
            digits = (value.encode() if isinstance(value, str) else bytes(value)).hex()
            return digits.upper() if letter == "X" else digits
        return format(int(value), letter)

    return write


_HEX: Final = (*_WHOLE, celtypes.StringType, celtypes.BytesType)
_WRITERS: Final[Mapping[str, Callable[[Value], str]]] = {
    "s": as_text,
    "d": _decimal,
    "b": _in_base("b", (*_WHOLE, celtypes.BoolType)),
    "o": _in_base("o"),
    "x": _in_base("x", _HEX),
    "X": _in_base("X", _HEX),
}
_TEXTS: Final[Mapping[type, Callable[[Value], str]]] = {
    type(None): lambda _: "null",
    celtypes.BoolType: lambda value: "true" if value else "false",
    celtypes.BytesType: lambda value: bytes(value).decode(errors="replace"),
    celtypes.DoubleType: _double,
    celtypes.DurationType: _duration,
    celtypes.IntType: lambda value: str(int(value)),
    celtypes.StringType: str,
    celtypes.TimestampType: _in_utc,
    celtypes.UintType: lambda value: str(int(value)),
}
