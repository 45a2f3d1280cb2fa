"""cel-python's evaluator within a budget, with the operators and the macros of cel-go.

Rule: cel-go's specification of errors (`||`, `&&`, `?:`, `all` and `exists` do without a failed part where they can)
and cross-type numeric comparison, as fluxcd/pkg runtime/cel sets it up.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from math import copysign, inf, isnan, nan
from typing import Any, Final

from celpy import celtypes
from celpy.evaluation import Activation, CELEvalError, Evaluator

from weir.objects import cel_functions as library
from weir.objects import cel_macros as macros
from weir.objects.cel_functions import Function
from weir.objects.cel_literals import literal
from weir.objects.cel_syntax import MACROS, Node, call_parts, core, identifier
from weir.objects.cel_values import (
    MAX_TEXT,
    NUMBERS,
    TYPES,
    Failure,
    LimitError,
    OptionalType,
    Value,
    equal,
    holds,
    kind_of,
    number,
    select,
    wrapped,
)

_ORDERED: Final = (
    celtypes.BoolType,
    celtypes.BytesType,
    celtypes.DurationType,
    celtypes.StringType,
    celtypes.TimestampType,
)
_SIZED: Final = (celtypes.StringType, celtypes.BytesType, celtypes.ListType)
_MOMENTS: Final = (celtypes.TimestampType, celtypes.DurationType)
_PER_STEP: Final = 64
"""Characters that count as one step."""


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
            if isinstance(value, OptionalType):
                stack.extend(value.values)
            elif isinstance(value, dict):
                stack.extend(value.values())
            elif isinstance(value, list):
                stack.extend(value)
            elif isinstance(value, str | bytes):
                self.spend(len(value) // _PER_STEP)

    def weigh_pairs(self, left: Value, right: Value) -> None:
        """As comparing each part of one value with each of the other would."""
        for _ in right if isinstance(right, list) else ():
            self.weigh(left)


class BoundedEvaluator(Evaluator):
    """An evaluator that takes a step for every syntax node it visits, in macros too."""

    def __init__(self, ast: Any, activation: Activation, budget: Budget) -> None:
        super().__init__(ast, activation)
        self.budget = budget

    def _visit_tree(self, tree: Any) -> Value:
        self.budget.spend()
        return super()._visit_tree(tree)

    def expr(self, tree: Node) -> Value:
        """`condition ? one : other`, of which only one is evaluated."""
        condition, *branches = tree.children
        if not branches:
            return self.visit(condition)
        try:
            return self.visit(branches[not macros.decided(self.visit(condition))])
        except CELEvalError as err:
            return err

    def conditionalor(self, tree: Node) -> Value:
        """`left || right`, whichever is true."""
        return self._logical(tree, answer=True)

    def conditionaland(self, tree: Node) -> Value:
        """`left && right`, whichever is false."""
        return self._logical(tree, answer=False)

    def _logical(self, tree: Node, *, answer: bool) -> Value:
        if len(tree.children) == 1:
            return self.visit(tree.children[0])
        return macros.until(tree.children, self.visit, answer=answer)

    def member_dot(self, tree: Node) -> Value:
        """`operand.field`."""
        return self._field(tree, optional=False)

    def optional_dot(self, tree: Node) -> Value:
        """`operand.?field`."""
        return self._field(tree, optional=True)

    def _field(self, tree: Node, *, optional: bool) -> Value:
        operand, name = tree.children
        return select(self.visit(operand), celtypes.StringType(str(name)), optional=optional)

    def member_index(self, tree: Node) -> Value:
        """`operand[key]`."""
        operand, key = map(self.visit, tree.children)
        return select(operand, key, optional=False)

    def optional_index(self, tree: Node) -> Value:
        """`operand[?key]`."""
        operand, key = map(self.visit, tree.children)
        return select(operand, key, optional=True)

    def member_dot_arg(self, tree: Node) -> Value:
        """`target.name(arguments)`: a function of a library, a macro or a method."""
        target, name, arguments = call_parts(tree)
        qualified = f"{identifier(target)}.{name}"
        if qualified in library.NAMESPACED:
            return self._call(qualified, arguments)
        if name in MACROS:
            variable = identifier(arguments[0]) or ""
            return macros.apply(
                name, self.visit(target), *(self._body(variable, one) for one in arguments[1:])
            )
        if name in ("or", "orValue"):
            return self._alternative(name, self.visit(target), arguments)
        return self._call(name, [target, *arguments])

    def _call(self, name: str, arguments: Sequence[Node]) -> Value:
        return self.activation.resolve_function(name)(*map(self.visit, arguments))

    def _body(self, variable: str, tree: Node) -> macros.Body:
        nested = BoundedEvaluator(tree, self.activation, self.budget)
        return lambda value: nested.set_activation({variable: value}).visit(tree)

    def _alternative(self, name: str, optional: Value, others: Sequence[Node]) -> Value:
        if isinstance(optional, CELEvalError):
            return optional
        if not isinstance(optional, OptionalType) or len(others) != 1:
            return Failure(f"{name} does not take {kind_of(optional)}")
        if optional.values:
            return optional.values[0] if name == "orValue" else optional
        return self.visit(others[0])

    def primary(self, tree: Node) -> Value:
        """A literal, a name, a call of a function, a list, a map or an expression in brackets."""
        child = tree.children[0]
        match child.data:
            case "literal":
                return literal(child.children[0])
            case "ident" | "dot_ident":
                return self._name(str(child.children[0]))
            case "ident_arg" | "dot_ident_arg":
                name, *arguments = child.children
                return self._function(str(name), arguments[0].children if arguments else [])
            case "list_lit":
                return self._built(self._list, child)
            case "map_lit":
                return self._built(self._map, child)
        return self.visit(child.children[0])

    def _name(self, name: str) -> Value:
        try:
            return self.activation.identifiers.resolve_name(self.activation.package, name).value
        except KeyError:
            return TYPES.get(name, Failure("it reads a variable that is not there", KeyError))

    def _function(self, name: str, arguments: Sequence[Node]) -> Value:
        if name != "has":
            return self._call(name, arguments)
        found = self._field(core(arguments[0]), optional=True)
        return celtypes.BoolType(bool(found.values)) if isinstance(found, OptionalType) else found

    def _built(self, build: Callable[[Node], Value], tree: Node) -> Value:
        try:
            return build(tree)
        except CELEvalError as err:
            return err

    def _list(self, tree: Node) -> Value:
        values: list[Value] = []
        for element in tree.children:
            if element.data == "optional_element":
                values.extend(_present(self.visit(element.children[0])))
            else:
                values.append(macros.sound(self.visit(element)))
        return celtypes.ListType(values)

    def _map(self, tree: Node) -> Value:
        entries = celtypes.MapType()
        for entry in tree.children:
            key, value = (macros.sound(self.visit(part)) for part in entry.children)
            if not celtypes.MapType.valid_key_type(key):
                raise Failure(f"a key of type {kind_of(key)} in a map")
            for present in _present(value) if entry.data == "optional_entry" else (value,):
                if holds(entries, key):
                    raise Failure("a key twice in a map")
                entries[key] = present
        return entries


def run(tree: Node, variables: Mapping[str, Value], steps: int) -> Value:
    """The value of a syntax tree.

    Raises:
        CELEvalError: a Failure, or the library's, whose message may quote values.
        LimitError: over the steps or sizes allowed.
    """
    budget = Budget(steps)
    return BoundedEvaluator(tree, Activation(functions=_functions(budget)), budget).evaluate(dict(variables))


def _present(optional: Value) -> tuple[Value, ...]:
    """What `[?a]` and `{?a: b}` take of an optional. Raises CELEvalError."""
    if isinstance(macros.sound(optional), OptionalType):
        return tuple(optional.values)
    raise Failure(f"? before a value of type {kind_of(optional)}, not an optional")


def _functions(budget: Budget) -> dict[str, Function]:
    """Operators and functions, on one budget."""
    weighed = {*_OPERATORS, *library.TEXT_FUNCTIONS, "base64.decode", "base64.encode", "strings.quote"}
    weights = {
        **dict.fromkeys(weighed, budget.weigh),
        **dict.fromkeys(library.SET_FUNCTIONS, budget.weigh_pairs),
    }
    return {
        name: _guarded(name.strip("_"), function, weights.get(name))
        for name, function in {**library.ALL, **_OPERATORS}.items()
    }


def _guarded(name: str, function: Function, weigh: Callable[..., None] | None) -> Function:
    """A function that gives a failed argument back, and its own failure as one."""

    def call(*args: Value) -> Value:
        failed = next((value for value in args if isinstance(value, CELEvalError)), None)
        if failed is not None:
            return failed
        try:
            if weigh:
                weigh(*args)
            return wrapped(function(*args))
        except CELEvalError as err:
            return err
        except (TypeError, AttributeError):
            kinds = " and ".join(map(kind_of, args))
            return Failure(f"{name} does not take {kinds or 'nothing'}", TypeError)
        except (ValueError, ArithmeticError, LookupError) as err:
            return Failure(f"{name} cannot be evaluated ({type(err).__name__})")

    return call


def _arithmetic(function: Function, *kinds: type) -> Function:
    """An operator on two values of one of the types; on moments and spans of time when it takes these."""

    def call(left: Value, right: Value) -> Value:
        same = type(left) is type(right) and isinstance(left, kinds)
        if not same and not all(
            isinstance(value, _MOMENTS) and type(value) in kinds for value in (left, right)
        ):
            raise TypeError
        return function(left, right)

    return call


def _add(left: Value, right: Value) -> Value:
    if isinstance(left, _SIZED) and len(left) + len(right) > MAX_TEXT:
        raise LimitError(f"a value of more than {MAX_TEXT} parts")
    return left + right


def _divide(left: Value, right: Value) -> Value:
    if isinstance(left, celtypes.DoubleType) and not right:
        return nan if not left or isnan(left) else copysign(inf, left) * copysign(1.0, right)
    return left / right


def _ordered(compare: Function) -> Function:
    """A comparison in which 1, 1u and 1.0 are one number."""

    def call(left: Value, right: Value) -> Value:
        if isinstance(left, NUMBERS) and isinstance(right, NUMBERS):
            return compare(number(left), number(right))
        if type(left) is not type(right) or not isinstance(left, _ORDERED):
            raise TypeError
        return compare(left, right)

    return call


def _negative(value: Value) -> Value:
    if not isinstance(value, celtypes.IntType | celtypes.DoubleType):
        raise TypeError
    return -value


_OPERATORS: Final[Mapping[str, Function]] = {
    "!_": lambda value: not macros.decided(value),
    "-_": _negative,
    "_+_": _arithmetic(_add, *NUMBERS, *_SIZED, *_MOMENTS),
    "_-_": _arithmetic(operator.sub, *NUMBERS, *_MOMENTS),
    "_*_": _arithmetic(operator.mul, *NUMBERS),
    "_/_": _arithmetic(_divide, *NUMBERS),
    "_%_": _arithmetic(operator.mod, celtypes.IntType, celtypes.UintType),
    "_==_": equal,
    "_!=_": lambda left, right: not equal(left, right),
    "_<_": _ordered(operator.lt),
    "_<=_": _ordered(operator.le),
    "_>_": _ordered(operator.gt),
    "_>=_": _ordered(operator.ge),
    "_in_": lambda item, container: holds(container, item),
}
