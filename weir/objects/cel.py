"""CEL expressions over objects: `healthCheckExprs` and `readyExpr`, bounded and without surprises in their errors.

Rule: Flux evaluates both with cel-go; a health expression sees the object's own top-level fields, a `readyExpr` sees
`self` and `dep`. Syntax, types and arithmetic are cel-python's; the modules `cel_*` beside this one add what Flux's
environment has beyond them, and are imported when an expression is read: the library is slow to load.
Expressions come from Git: their length and nesting, the steps of one evaluation and the size of every text and list
they build are limited, and regular expressions are RE2's. Messages of the library are never passed on, for they quote
the values of variables.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from weir.objects.values import Json
from weir.spec.errors import SpecError

if TYPE_CHECKING:
    from weir.objects.cel_syntax import Program

MAX_LENGTH: Final = 4096
"""Characters of an expression."""
MAX_NESTING: Final = 32
"""Brackets inside brackets."""
MAX_STEPS: Final = 100_000
"""Syntax nodes visited in one evaluation; a condition test over ten conditions takes about 1,000."""
_LITERAL: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_UNARY_RUN: Final = re.compile(r"[!\-]{17,}")
_WAITS: Final = (KeyError, IndexError)


def compile_check(expr: str, variables: Collection[str] | None = None) -> None:
    """Return when an expression can be evaluated, as far as can be told without an object.

    `variables`, when given, are the only names it may read (`self` and `dep` for a readyExpr).

    Raises:
        SpecError: names the expression and what is wrong with it.
    """
    from weir.objects.cel_values import TYPES

    program = _parse(expr)
    unknown = sorted(program.variables - {*variables, *TYPES}) if variables is not None else []
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

    from weir.objects.cel_values import kind_of

    value = _value(expr, variables)
    if value is _ABSENT:
        return None
    if not isinstance(value, bool | celtypes.BoolType):
        raise _broken(expr, f"a result of type {kind_of(value)}, not a boolean")
    return bool(value)


def text(expr: str, variables: Mapping[str, Json]) -> str:
    """The text that an expression gives.

    Raises:
        SpecError: as `evaluate`, for another type than text, and when it reads a field that is not there.
    """
    from weir.objects.cel_values import kind_of

    value = result(expr, variables)
    if not isinstance(value, str):
        raise _broken(expr, f"a result of type {kind_of(value)}, not a text")
    return str(value)


def result(expr: str, variables: Mapping[str, Json]) -> Any:
    """What an expression gives, of any type of CEL's, as other expressions take it for a variable.

    Raises:
        SpecError: as `evaluate`, and when it reads a field that is not there.
    """
    value = _value(expr, variables)
    if value is _ABSENT:
        raise _broken(expr, "it reads a field that is not there")
    return value


_ABSENT: Final = object()
"""The value of an expression that reads a field that is not there (yet)."""


def _value(expr: str, variables: Mapping[str, Json]) -> Any:
    from celpy.evaluation import CELEvalError

    from weir.objects.cel_runner import run
    from weir.objects.cel_values import LimitError, wrapped

    program = _parse(expr)
    known = {name: wrapped(variables[name]) for name in program.variables if name in variables}
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


def _broken(expr: str, found: str) -> SpecError:
    short = expr if len(expr) <= 200 else expr[:197] + "..."  # noqa: PLR2004 - what fits a line of log
    return SpecError(f"CEL expression {short!r}: {found}", hint="correct the expression")


def _is_absence(err: Exception) -> bool:
    """Whether an evaluation failed for want of a field, an element or a variable (functions were checked before)."""
    return len(err.args) > 1 and isinstance(err.args[1], type) and issubclass(err.args[1], _WAITS)


def _reason(err: Exception) -> str:
    """What went wrong, without the values that the library's own messages may quote."""
    from weir.objects.cel_values import Failure

    return str(err.args[0]) if isinstance(err, Failure) else f"it cannot be evaluated ({type(err).__name__})"


@lru_cache(maxsize=256)
def _parse(expr: str) -> Program:
    from weir.objects.cel_syntax import UnreadableError, parse

    _check_shape(expr)
    try:
        return parse(expr)
    except UnreadableError as err:
        raise _broken(expr, str(err)) from None
    except RecursionError:
        raise _broken(expr, "nested too deeply") from None


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
