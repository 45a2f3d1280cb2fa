"""The values of CEL expressions: optionals, failures, equality and what is in a map or a list.

Rule: cel-go with `OptionalTypes` and `CrossTypeNumericComparisons`, as fluxcd/pkg runtime/cel sets it up. Values of
different types are not equal; 1, 1u and 1.0 are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final

from celpy import celtypes
from celpy.evaluation import CELEvalError

Value = Any
MAX_TEXT: Final = 1_000_000
"""Characters of a text, or elements of a list, that an expression builds."""
NUMBERS: Final = (celtypes.IntType, celtypes.UintType, celtypes.DoubleType)


class LimitError(Exception):
    """An expression did more than it may."""


class Failure(CELEvalError):
    """Why a step has no value, in words that quote no value; `||`, `&&` and `exists` may not need it.

    `cause` is KeyError or IndexError when a field or an element is not there (yet).
    """

    def __init__(self, reason: str, cause: type[Exception] = ValueError) -> None:
        super().__init__(reason, cause)


@dataclass(frozen=True, slots=True)
class OptionalType:
    """CEL's `optional_type`: one value, which may be null, or none."""

    values: tuple[Value, ...] = ()


NONE: Final = OptionalType()
TYPES: Final[Mapping[str, type]] = {
    "bool": celtypes.BoolType,
    "bytes": celtypes.BytesType,
    "double": celtypes.DoubleType,
    "int": celtypes.IntType,
    "list": celtypes.ListType,
    "map": celtypes.MapType,
    "null_type": NoneType,
    "optional_type": OptionalType,
    "string": celtypes.StringType,
    "type": type,
    "uint": celtypes.UintType,
    "google.protobuf.Duration": celtypes.DurationType,
    "google.protobuf.Timestamp": celtypes.TimestampType,
}
"""The types by the names that `type()` compares with and `%s` writes."""
_NAMES: Final = {found: name for name, found in TYPES.items()}
_WRAPS: Final[Mapping[type, type]] = {
    bool: celtypes.BoolType,
    bytes: celtypes.BytesType,
    float: celtypes.DoubleType,
    int: celtypes.IntType,
    str: celtypes.StringType,
}
"""By the Python type of what an operator or a function gives, which CEL's functions do not take."""


def wrapped(value: Value) -> Value:
    """A plain Python value as CEL's; one of CEL's own as it is. Raises ValueError for a number over 64 bits."""
    if isinstance(value, list | tuple) and not isinstance(value, celtypes.ListType):
        return celtypes.ListType([wrapped(part) for part in value])
    if isinstance(value, dict) and not isinstance(value, celtypes.MapType):
        return celtypes.MapType({wrapped(key): wrapped(part) for key, part in value.items()})
    wrap = _WRAPS.get(type(value))
    return wrap(value) if wrap else value


def type_of(value: Value) -> type:
    """What `type()` gives."""
    return type if isinstance(value, type) else type(value)


def type_name(kind: type) -> str:
    """The name of a type."""
    return _NAMES.get(kind, kind.__name__)


def kind_of(value: Value) -> str:
    """A value's type in a word for messages."""
    return type_name(type_of(value)).rpartition(".")[2].removesuffix("_type").lower()


def number(value: Value) -> float | int:
    """A number of CEL's as one that Python compares with any other."""
    return float(value) if isinstance(value, celtypes.DoubleType) else int(value)


def equal(left: Value, right: Value) -> bool:
    """Whether two values are equal; never an error."""
    if isinstance(left, NUMBERS) and isinstance(right, NUMBERS):
        return number(left) == number(right)
    if isinstance(left, type) or isinstance(right, type):
        return left is right
    if type(left) is not type(right):
        return False
    if isinstance(left, celtypes.MapType):
        return len(left) == len(right) and all(
            holds(right, key) and equal(value, entry(right, key)) for key, value in left.items()
        )
    if isinstance(left, celtypes.ListType | OptionalType):
        parts, others = (
            value.values if isinstance(value, OptionalType) else value for value in (left, right)
        )
        return len(parts) == len(others) and all(map(equal, parts, others))
    return bool(left == right)


def entry(container: Value, key: Value) -> Value:
    """What a map has at a key, or a list at an index.

    Raises:
        LookupError: nothing; null has no fields yet.
        TypeError: a list has no such index, or the container is neither map nor list.
    """
    if container is None:
        raise KeyError
    if isinstance(container, celtypes.MapType):
        for probe in _probes(key):
            try:
                return dict.__getitem__(container, probe)
            except (KeyError, TypeError):  # a number of another type, which celpy does not compare
                continue
        raise KeyError
    if not isinstance(container, celtypes.ListType) or not isinstance(key, NUMBERS) or number(key) % 1:
        raise TypeError
    if not 0 <= number(key) < len(container):
        raise IndexError
    return container[int(key)]


def _probes(key: Value) -> Iterator[Value]:
    """The keys that are equal to one."""
    if isinstance(key, celtypes.StringType | celtypes.BoolType):
        yield key
    if isinstance(key, NUMBERS) and not number(key) % 1:
        if -(2**63) <= number(key) < 2**63:
            yield celtypes.IntType(int(key))
        if 0 <= number(key) < 2**64:
            yield celtypes.UintType(int(key))


def holds(container: Value, item: Value) -> bool:
    """`item in container`: an element of a list, or a key of a map. Raises TypeError for other containers."""
    if isinstance(container, celtypes.ListType):
        return any(equal(item, one) for one in container)
    if not isinstance(container, celtypes.MapType):
        raise TypeError
    try:
        entry(container, item)
    except KeyError:
        return False
    return True


def select(operand: Value, key: Value, *, optional: bool) -> Value:
    """`operand.key` and `operand[key]`, or `operand.?key` and `operand[?key]`; a Failure when there is none.

    What is selected from an optional is optional too.
    """
    for failed in (operand, key):
        if isinstance(failed, CELEvalError):
            return failed
    if isinstance(operand, OptionalType):
        return select(operand.values[0], key, optional=True) if operand.values else NONE
    try:
        found = entry(operand, key)
    except LookupError as err:
        return NONE if optional else Failure("it reads a field that is not there", type(err))
    except TypeError:
        if isinstance(operand, celtypes.ListType):
            return Failure("an index of a list that is no whole number", TypeError)
        return NONE if optional else Failure("a field of something that is no map", TypeError)
    return OptionalType((found,)) if optional else found
