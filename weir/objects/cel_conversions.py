"""`bool()`, `bytes()`, `double()`, `duration()`, `int()`, `string()`, `timestamp()` and `uint()` of CEL.

Rule: the overloads of cel-go's standard library, which parses texts as Go does: durations as `1h30m`, timestamps as
RFC 3339. Every pattern takes linear time.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import floor, fsum, isfinite, isnan
from typing import Final

from celpy import celtypes

from weir.objects.cel_format import as_text, timestamp_text
from weir.objects.cel_values import TYPES, Value

_INT: Final = re.compile(r"[-+]?[0-9]+", re.ASCII)
_UINT: Final = re.compile(r"[0-9]+", re.ASCII)
_DOUBLE: Final = re.compile(
    r"[-+]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[-+]?[0-9]+)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE
)
_DURATION: Final = re.compile(
    r"[-+]?(?:0|(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII
)
_PART: Final = re.compile(r"([0-9.]+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_TIMESTAMP: Final = re.compile(
    r"[0-9]{4}(?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){2}(?:\.[0-9]+)?(?:Z|[-+][0-9]{2}:[0-9]{2})", re.ASCII
)
_SECONDS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
}  # fmt: skip
_BOOL: Final = re.compile(r"[01tTfF]|true|TRUE|True|false|FALSE|False")
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_PLAIN_EXPONENTS: Final = range(-4, 6)
_MAX_LENGTH: Final = 400
"""Characters of a text that is converted to anything but bytes."""
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _bool(value: Value) -> Value:
    if isinstance(value, celtypes.StringType):
        return _matched(value, _BOOL) in _TRUE
    return _only(value, "bool")


def _bytes(value: Value) -> Value:
    return value.encode() if isinstance(value, celtypes.StringType) else _only(value, "bytes")


def _double(value: Value) -> Value:
    if isinstance(value, celtypes.StringType):
        return float(_matched(value, _DOUBLE))
    return float(_only(value, "double", "int", "uint"))


def _duration(value: Value) -> Value:
    if isinstance(value, celtypes.IntType):
        return celtypes.DurationType(dt.timedelta(microseconds=int(value) // 1000))
    if not isinstance(value, celtypes.StringType):
        return _only(value, "google.protobuf.Duration")
    text = _matched(value, _DURATION)
    seconds = fsum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(text))
    return celtypes.DurationType(dt.timedelta(seconds=-seconds if text.startswith("-") else seconds))


def _int(value: Value) -> Value:
    if isinstance(value, celtypes.StringType):
        return int(_matched(value, _INT))
    if isinstance(value, celtypes.TimestampType):
        return floor(value.timestamp())
    if isinstance(value, celtypes.DurationType):
        return value // dt.timedelta(microseconds=1) * 1000
    return int(_only(value, "int", "uint", "double"))


def _string(value: Value) -> Value:
    if isinstance(value, celtypes.DoubleType):
        return _shortest(float(value))
    if isinstance(value, celtypes.BytesType):
        return bytes(value).decode()
    if isinstance(value, celtypes.TimestampType):
        return timestamp_text(value)
    return as_text(_only(value, "string", "bool", "int", "uint", "google.protobuf.Duration"))


def _shortest(value: float) -> str:
    """A number as Go's `%g` writes it."""
    if not isfinite(value):
        return "NaN" if isnan(value) else ("+Inf" if value > 0 else "-Inf")
    digits = Decimal(repr(value)).normalize()
    if digits.adjusted() in _PLAIN_EXPONENTS:
        return format(digits, "f")
    return f"{digits.scaleb(-digits.adjusted()):f}e{digits.adjusted():+03d}"


def _timestamp(value: Value) -> Value:
    if isinstance(value, celtypes.IntType):
        return celtypes.TimestampType(_EPOCH + dt.timedelta(seconds=int(value)))
    if isinstance(value, celtypes.StringType):
        return celtypes.TimestampType(dt.datetime.fromisoformat(_matched(value, _TIMESTAMP)))
    return _only(value, "google.protobuf.Timestamp")


def _uint(value: Value) -> Value:
    plain = (
        int(_matched(value, _UINT))
        if isinstance(value, celtypes.StringType)
        else int(_only(value, "uint", "int", "double"))
    )
    return celtypes.UintType(plain)


def _only(value: Value, *kinds: str) -> Value:
    """A value of one of the types. Raises TypeError."""
    if type(value) not in [TYPES[kind] for kind in kinds]:
        raise TypeError
    return value


def _matched(text: str, pattern: re.Pattern[str]) -> str:
    """A text that is all of a pattern. Raises ValueError."""
    if len(text) > _MAX_LENGTH or not pattern.fullmatch(text):
        raise ValueError
    return str(text)


CONVERSIONS: Final[Mapping[str, Callable[[Value], Value]]] = {
    "bool": _bool,
    "bytes": _bytes,
    "double": _double,
    "duration": _duration,
    "int": _int,
    "string": _string,
    "timestamp": _timestamp,
    "uint": _uint,
}
