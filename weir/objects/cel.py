"""CEL expressions over objects: `healthCheckExprs` and `readyExpr`, bounded and without surprises in their errors.

Rule: Flux evaluates both with cel-go; a health expression sees the object's own top-level fields, a `readyExpr` sees
`self` and `dep`. The language is cel-python's; `weir.objects.cel_runner` adds what Flux's environment has beyond it.
Expressions come from Git: their length and nesting, the steps of one evaluation and the size of every text and list
they build are limited, and regular expressions are RE2's. Messages of the library are never passed on, for they quote
the values of variables.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from weir.objects.values import Json
from weir.spec.errors import SpecError

MAX_LENGTH: Final = 4096
"""Characters of an expression."""
MAX_NESTING: Final = 32
"""Brackets inside brackets."""
MAX_STEPS: Final = 100_000
"""Syntax nodes visited in one evaluation; a condition test over ten conditions takes about 1,000."""
_LITERAL: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_UNARY_RUN: Final = re.compile(r"[!\-]{17,}")
_BINDING: Final = frozenset({"all", "exists", "exists_one", "filter", "map"})
_MACROS: Final = _BINDING | {"has", "dyn"}
_WAITS: Final = (KeyError, IndexError)


@dataclass(frozen=True, slots=True)
class _Program:
    """A parsed expression, the variables it reads and the functions it calls."""

    tree: Any
    variables: frozenset[str]
    functions: frozenset[str]


def compile_check(expr: str, variables: Collection[str] | None = None) -> None:
    """Return when an expression can be evaluated, as far as can be told without an object.

    `variables`, when given, are the only names it may read (`self` and `dep` for a readyExpr).

    Raises:
        SpecError: names the expression and what is wrong with it.
    """
    program = _parse(expr)
    unknown = sorted(program.variables - set(variables)) if variables is not None else []
    if unknown:
        known = ", ".join(sorted(variables or ()))
        raise SpecError.at("CEL expression", expr, found=unknown[0], expected=f"one of the variables {known}")


def evaluate(expr: str, variables: Mapping[str, Json]) -> bool:
    """Whether an expression is true; false also when it reads a field that is not there (yet).

    Raises:
        SpecError: the expression is not valid, not boolean, or over a limit; never shows a variable's value.
    """
    return judge(expr, variables) is True


def judge(expr: str, variables: Mapping[str, Json]) -> bool | None:
    """As `evaluate`, but None when the expression reads a field that is not there (yet).

    Raises:
        SpecError: as `evaluate`.
    """
    from celpy import celtypes

    value = _value(expr, variables)
    if value is _ABSENT:
        return None
    if not isinstance(value, bool | celtypes.BoolType):
        raise _broken(expr, f"a result of type {_type_name(value)}, not a boolean")
    return bool(value)


def text(expr: str, variables: Mapping[str, Json]) -> str:
    """The text that an expression gives.

    Raises:
        SpecError: as `evaluate`, for another type than text, and when it reads a field that is not there.
    """
    value = _value(expr, variables)
    if value is _ABSENT:
        raise _broken(expr, "it reads a field that is not there")
    if not isinstance(value, str):
        raise _broken(expr, f"a result of type {_type_name(value)}, not a text")
    return str(value)


def result(expr: str, variables: Mapping[str, Json]) -> Json:
    """What an expression gives, as other expressions take it for a variable.

    Raises:
        SpecError: as `evaluate`, and when it reads a field that is not there.
    """
    from celpy.adapter import CELJSONEncoder

    value = _value(expr, variables)
    if value is _ABSENT:
        raise _broken(expr, "it reads a field that is not there")
    found: Json = CELJSONEncoder.to_python(value)
    return found


_ABSENT: Final = object()
"""The value of an expression that reads a field that is not there (yet)."""


def _value(expr: str, variables: Mapping[str, Json]) -> Any:
    from celpy.adapter import json_to_cel
    from celpy.evaluation import CELEvalError

    from weir.objects.cel_runner import LimitError, run

    program = _parse(expr)
    known = {name: json_to_cel(variables[name]) for name in program.variables if name in variables}
    try:
        return run(program.tree, known, MAX_STEPS)
    except CELEvalError as err:
        if _is_absence(err):
            return _ABSENT
        raise _broken(expr, _reason(err)) from None
    except (LimitError, RecursionError) as err:
        raise _broken(
            expr, f"over a limit: {err}" if isinstance(err, LimitError) else "nested too deeply"
        ) from None
    except (TypeError, ValueError, ArithmeticError, AttributeError) as err:
        raise _broken(expr, f"a step failed ({type(err).__name__})") from None


def _type_name(value: Any) -> str:
    return type(value).__name__.removesuffix("Type").lower()


def _broken(expr: str, found: str) -> SpecError:
    short = expr if len(expr) <= 200 else expr[:197] + "..."  # noqa: PLR2004 - what fits a line of log
    return SpecError(f"CEL expression {short!r}: {found}", hint="correct the expression")


def _is_absence(err: Exception) -> bool:
    """Whether an evaluation failed for want of a field, an element or a variable (functions were checked before)."""
    if len(err.args) > 1 and isinstance(err.args[1], type) and issubclass(err.args[1], _WAITS):
        return True
    return bool(err.args) and str(err.args[0]).startswith("None with type")


def _reason(err: Exception) -> str:
    """What went wrong, without the values that the library's own message may quote."""
    text = str(err.args[0]) if err.args else ""
    found = re.match(r"found no matching overload for (?:Token\('RULE', ')?'?(\w+)", text)
    if found:
        kinds = re.findall(r"celtypes\.(\w+?)(?:Type)?'", text)
        return f"{found[1]} does not take {' and '.join(kinds).lower() or 'these values'}"
    if "field selection" in text:
        return "a field of something that is no map"
    cause = err.args[1] if len(err.args) > 1 and isinstance(err.args[1], type) else type(err)
    return f"it cannot be evaluated ({cause.__name__})"


@lru_cache(maxsize=256)
def _parse(expr: str) -> _Program:
    from celpy.celparser import CELParseError, CELParser

    from weir.objects.cel_runner import known_functions

    _check_shape(expr)
    try:
        tree = CELParser().parse(expr)  # celpy's Environment would raise the recursion limit of the process
        variables, functions = _names(tree, frozenset())
    except CELParseError as err:
        place = f"line {err.line}, column {err.column}" if err.line else "its end"
        hint = " (optional fields `.?` are not supported: use has())" if ".?" in expr or "[?" in expr else ""
        raise _broken(expr, f"not readable at {place}{hint}") from None
    except RecursionError:
        raise _broken(expr, "nested too deeply") from None
    unknown = sorted(functions - known_functions() - _MACROS)
    if unknown:
        raise _broken(expr, f"unknown function {unknown[0]}()")
    return _Program(tree, frozenset(variables), frozenset(functions))


def _check_shape(expr: str) -> None:
    """The limits that hold before anything is parsed."""
    if len(expr) > MAX_LENGTH:
        raise _broken(expr, f"{len(expr)} characters, over the limit of {MAX_LENGTH}")
    plain = _LITERAL.sub("", expr)
    depth = deepest = 0
    for char in plain:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_NESTING or _UNARY_RUN.search("".join(plain.split())):
        raise _broken(expr, f"nested deeper than {MAX_NESTING} levels")


def _names(tree: Any, bound: frozenset[str]) -> tuple[set[str], set[str]]:
    """The variables and functions of a syntax tree; names that macros bind are not variables."""
    variables: set[str] = set()
    functions: set[str] = set()
    children = list(tree.children)
    if tree.data in ("ident", "dot_ident") and str(children[0]) not in bound:
        variables.add(str(children[0]))
    if tree.data in ("ident_arg", "dot_ident_arg"):
        functions.add(str(children[0]))
    if tree.data == "member_dot_arg":
        functions.add(str(children[1]))
        if str(children[1]) in _BINDING and len(children) > 2:  # noqa: PLR2004 - subject, macro, arguments
            inner = bound | _bound_names(children[2])
            _extend(variables, functions, _names(children[2], inner))
            children = children[:2]
    for child in children:
        if hasattr(child, "data"):
            _extend(variables, functions, _names(child, bound))
    return variables, functions


def _extend(variables: set[str], functions: set[str], found: tuple[set[str], set[str]]) -> None:
    variables |= found[0]
    functions |= found[1]


def _bound_names(arguments: Any) -> frozenset[str]:
    """The name that a macro's first argument binds."""
    first = arguments.children[0]
    return frozenset(str(node.children[0]) for node in first.find_data("ident"))
