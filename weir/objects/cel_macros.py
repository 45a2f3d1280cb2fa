"""CEL's macros over lists, maps and optionals, with the rest of the expression as functions.

Rule: cel-go's standard macros and `OptionalTypes`. `all` and `exists` stop at the first answer and forget failures
before it; the others end with the first failure. A map stands for its keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from celpy import celtypes
from celpy.evaluation import CELEvalError

from weir.objects.cel_values import NONE, Failure, OptionalType, Value, kind_of

Body = Callable[[Value], Value]
"""A part of an expression with the macro's variable in it; a CELEvalError when it fails."""


def apply(macro: str, value: Value, *bodies: Body) -> Value:
    """What a macro makes of a value; a CELEvalError when it fails."""
    takes = OptionalType if macro in _OF_OPTIONALS else (celtypes.ListType, celtypes.MapType)
    if not isinstance(value, takes):
        return (
            value if isinstance(value, CELEvalError) else Failure(f"{macro} does not take {kind_of(value)}")
        )
    try:
        return _MACROS[macro](value, *bodies)
    except CELEvalError as err:
        return err


def decided(condition: Value) -> bool:
    """A boolean of CEL's as Python's.

    Raises:
        CELEvalError: the value when it is one, else that it is no boolean.
    """
    if not isinstance(sound(condition), celtypes.BoolType):
        raise Failure(f"a condition of type {kind_of(condition)}, not a boolean")
    return bool(condition)


def sound(value: Value) -> Value:
    """A value. Raises CELEvalError when it is one."""
    if isinstance(value, CELEvalError):
        raise value
    return value


def until(values: Iterable[Any], test: Body, *, answer: bool) -> Value:
    """The answer when a value has it, else the other one, or the first failure."""
    failure: CELEvalError | None = None
    for value in values:
        try:
            if decided(test(value)) is answer:
                return celtypes.BoolType(answer)
        except CELEvalError as err:
            failure = failure or err
    return failure or celtypes.BoolType(not answer)


def _passing(values: Value, test: Body) -> Iterator[Value]:
    return (value for value in values if decided(test(value)))


def _exists_one(values: Value, test: Body) -> Value:
    return celtypes.BoolType(sum(1 for _ in _passing(values, test)) == 1)


def _filter(values: Value, test: Body) -> Value:
    return celtypes.ListType(_passing(values, test))


def _map(values: Value, *bodies: Body) -> Value:
    *tests, change = bodies
    chosen = _passing(values, *tests) if tests else values
    return celtypes.ListType([sound(change(value)) for value in chosen])


def _opt_map(optional: Value, change: Body) -> Value:
    return OptionalType((sound(change(*optional.values)),)) if optional.values else NONE


def _opt_flat_map(optional: Value, change: Body) -> Value:
    return change(*optional.values) if optional.values else NONE


_OF_OPTIONALS: Final[Mapping[str, Callable[..., Value]]] = {"optFlatMap": _opt_flat_map, "optMap": _opt_map}
_MACROS: Final[Mapping[str, Callable[..., Value]]] = {
    "all": partial(until, answer=False),
    "exists": partial(until, answer=True),
    "exists_one": _exists_one,
    "existsOne": _exists_one,
    "filter": _filter,
    "map": _map,
    **_OF_OPTIONALS,
}
