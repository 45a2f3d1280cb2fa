"""cel-python's evaluator within a budget, and the functions of Flux's environment that it lacks.

Imported only when an expression is evaluated: the library is slow to load.

Rule: cel-go with cross-type numeric comparison and `ext.Strings`, as fluxcd/pkg runtime/cel sets it up.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, NoReturn

from celpy import celtypes
from celpy.evaluation import Activation, CELEvalError, Evaluator, base_functions

MAX_TEXT: Final = 1_000_000
"""Characters of a text, or elements of a list, that an expression builds."""
_NUMBERS: Final = (celtypes.IntType, celtypes.UintType, celtypes.DoubleType)
_SIZED: Final = (celtypes.StringType, celtypes.BytesType, celtypes.ListType)
_CEL_TYPES: Final[Mapping[type, Callable[[Value], Value]]] = {
    bool: celtypes.BoolType,
    bytes: celtypes.BytesType,
    float: celtypes.DoubleType,
    int: celtypes.IntType,
    str: celtypes.StringType,
}
"""By the Python type of what an operator or a function gives, which CEL's functions do not take."""
_PER_STEP: Final = 64
"""Characters that count as one step."""

Value = Any
Function = Callable[..., Value]


class LimitError(Exception):
    """An expression did more than it may."""


class Budget:
    """The steps that one evaluation has left."""

    __slots__ = ("left",)

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int = 1) -> None:
        """Take steps. Raises LimitError when none are left."""
        self.left -= steps
        if self.left < 0:
            raise LimitError("more steps than one evaluation may take")

    def weigh(self, *values: Value) -> None:
        """Take a step for every part of the values, as comparing them would."""
        stack = list(values)
        while stack:
            value = stack.pop()
            self.spend()
            if isinstance(value, dict):
                stack.extend(value.values())
            elif isinstance(value, list):
                stack.extend(value)
            elif isinstance(value, str | bytes):
                self.spend(len(value) // _PER_STEP)


class BoundedEvaluator(Evaluator):
    """An evaluator that takes a step for every syntax node it visits, in macros too."""

    def __init__(self, ast: Any, activation: Activation, budget: Budget) -> None:
        super().__init__(ast, activation)
        self.budget = budget

    def _visit_tree(self, tree: Any) -> Value:
        self.budget.spend()
        return super()._visit_tree(tree)

    def sub_evaluator(self, ast: Any) -> BoundedEvaluator:
        """The evaluator of a macro's body, on the same budget."""
        return BoundedEvaluator(ast, self.activation, self.budget)


def run(tree: Any, variables: Mapping[str, Value], steps: int) -> Value:
    """The value of a syntax tree.

    Raises:
        CELEvalError: the library's, whose message may quote values.
        LimitError: over the steps or sizes allowed.
    """
    budget = Budget(steps)
    return BoundedEvaluator(tree, Activation(functions=_functions(budget)), budget).evaluate(dict(variables))


def known_functions() -> frozenset[str]:
    """The names of all functions that an expression may call."""
    return frozenset({*base_functions, *_TEXT_FUNCTIONS})


def _functions(budget: Budget) -> dict[str, Function]:
    """The standard operators that need watching, and the added functions, on one budget."""
    changed = {
        "_+_": _bounded_add,
        "_-_": _subtract,
        "_*_": _numbers_only(operator.mul),
        "_%_": _numbers_only(operator.mod),
        "_/_": _numbers_only(operator.truediv),
        "_in_": _contained,
        **{name: _across(name) for name in ("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_")},
        **{name: base_functions[name] for name in ("contains", "startsWith", "endsWith")},
        **{name: _text_function(function) for name, function in _TEXT_FUNCTIONS.items()},
    }
    return {name: _weighed(function, budget) for name, function in changed.items()}


def _weighed(function: Function, budget: Budget) -> Function:
    def call(*args: Value) -> Value:
        budget.weigh(*args)
        return function(*args)

    call.__name__ = getattr(function, "__name__", "function")
    return call


def _refuse(name: str) -> NoReturn:
    raise TypeError(name)


def _bounded_add(left: Value, right: Value) -> Value:
    if isinstance(left, _SIZED) and isinstance(right, _SIZED) and len(left) + len(right) > MAX_TEXT:
        raise LimitError(f"a value of more than {MAX_TEXT} parts")
    return _wrapped(operator.add(left, right))


def _subtract(left: Value, right: Value) -> Value:
    return _wrapped(operator.sub(left, right))


def _numbers_only(function: Function) -> Function:
    """Python repeats and formats texts with `*` and `%`; CEL does neither."""

    def call(left: Value, right: Value) -> Value:
        failed = next((value for value in (left, right) if isinstance(value, CELEvalError)), None)
        if failed is not None:
            return failed
        if not isinstance(left, _NUMBERS) or not isinstance(right, _NUMBERS):
            _refuse("numbers only")
        return _wrapped(function(left, right))

    return call


def _across(name: str) -> Function:
    """A comparison in which 1, 1u and 1.0 are one number."""
    standard = base_functions[name]
    plain = {
        "_==_": operator.eq,
        "_!=_": operator.ne,
        "_<_": operator.lt,
        "_<=_": operator.le,
        "_>_": operator.gt,
        "_>=_": operator.ge,
    }[name]

    def call(left: Value, right: Value) -> Value:
        if isinstance(left, _NUMBERS) and isinstance(right, _NUMBERS) and type(left) is not type(right):
            return celtypes.BoolType(plain(_number(left), _number(right)))
        return standard(left, right)

    return call


def _number(value: Value) -> float | int:
    return float(value) if isinstance(value, celtypes.DoubleType) else int(value)


def _contained(item: Value, container: Value) -> Value:
    if (
        isinstance(item, CELEvalError)
        or isinstance(container, CELEvalError)
        or not isinstance(item, _NUMBERS)
    ):
        return base_functions["_in_"](item, container)
    equal = _across("_==_")
    found = any(isinstance(one, _NUMBERS) and equal(one, item) for one in container)
    return celtypes.BoolType(found)


def _text_function(function: Callable[..., Value]) -> Function:
    """A function over texts with plain Python values inside and CEL's outside."""

    def call(*args: Value) -> Value:
        failed = next((value for value in args if isinstance(value, CELEvalError)), None)
        if failed is not None:
            return failed
        return _wrapped(function(*args))

    return call


def _wrapped(value: Value) -> Value:
    """A plain Python value as CEL's; one of CEL's own as it is."""
    if type(value) is list:
        return celtypes.ListType([_wrapped(part) for part in value])
    wrap = _CEL_TYPES.get(type(value))
    return wrap(value) if wrap else value


def _text(value: Value) -> str:
    return str(value) if isinstance(value, celtypes.StringType) else _refuse("texts only")


def _matches(text: Value, pattern: Value) -> bool:
    """Whether a part of the text matches; RE2 as in Flux, so time is linear whatever the pattern."""
    re2 = import_module("re2")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.search(_text(pattern), _text(text), options) is not None
    except re2.error:
        raise ValueError from None


def _replace(text: Value, old: Value, new: Value, count: Value = -1) -> str:
    whole, gone, put = _text(text), _text(old), _text(new)
    if (whole.count(gone) + 1) * len(put) + len(whole) > MAX_TEXT:
        raise LimitError(f"a value of more than {MAX_TEXT} parts")
    return whole.replace(gone, put, int(count))


def _split(text: Value, by: Value, count: Value = -1) -> list[str]:
    whole, separator, limit = _text(text), _text(by), int(count)
    if limit == 0:
        return []
    if not separator:
        return list(whole) if limit < 0 else [*whole[: limit - 1], whole[limit - 1 :]]
    return whole.split(separator, limit - 1 if limit > 0 else -1)


def _join(parts: Value, by: Value = "") -> str:
    texts = [_text(part) for part in parts]
    if sum(map(len, texts)) + len(texts) * len(by) > MAX_TEXT:
        raise LimitError(f"a value of more than {MAX_TEXT} parts")
    return str(by).join(texts)


def _substring(text: Value, start: Value, end: Value = None) -> str:
    whole = _text(text)
    last = len(whole) if end is None else int(end)
    if not 0 <= int(start) <= last <= len(whole):
        raise IndexError
    return whole[int(start) : last]


_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER: Final = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_TEXT_FUNCTIONS: Final[dict[str, Callable[..., Value]]] = {
    "charAt": lambda text, at: _substring(text, at, min(int(at) + 1, len(text))),
    "indexOf": lambda text, part, start=0: _text(text).find(_text(part), int(start)),
    "join": _join,
    "lastIndexOf": lambda text, part: _text(text).rfind(_text(part)),
    "matches": _matches,
    "lowerAscii": lambda text: _text(text).translate(_LOWER),
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "trim": lambda text: _text(text).strip(),
    "upperAscii": lambda text: _text(text).translate(_UPPER),
}
