"""The syntax of CEL expressions, and all that can be said of one without an object.

Rule: cel-go's grammar with `OptionalTypes` (`a.?b`, `a[?b]`, `[?a]`, `{?a: b}`) and its macros; unknown functions are
refused. The grammar is cel-python's where it does not lack anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from celpy.celparser import CELParser
from lark import Lark, Tree
from lark.exceptions import UnexpectedInput

from weir.objects.cel_functions import FUNCTIONS, METHODS, NAMESPACED
from weir.objects.cel_literals import literal

MACROS: Final[Mapping[str, tuple[int, ...]]] = {
    "all": (2,),
    "exists": (2,),
    "exists_one": (2,),
    "existsOne": (2,),
    "filter": (2,),
    "map": (2, 3),
    "optFlatMap": (2,),
    "optMap": (2,),
}
"""Methods whose first argument names a variable of the others, with the numbers of arguments that they take."""
_ADDED: Final = r"""
%override member   : member_dot | member_dot_arg | member_index | member_object
                   | optional_dot | optional_index | primary
optional_dot       : member "." "?" IDENT
optional_index     : member "[" "?" expr "]"
%override list_lit : "[" (_element ",")* [_element] "]"
_element           : expr | optional_element
optional_element   : "?" expr
%override map_lit  : "{" (_entry ",")* [_entry] "}"
_entry             : entry | optional_entry
entry              : expr ":" expr
optional_entry     : "?" expr ":" expr
"""
_WRAPPERS: Final = frozenset(
    {
        "expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication", "unary", "member",
        "primary", "paren_expr",
    }
)  # fmt: skip
_NAMESPACES: Final = frozenset(name.partition(".")[0] for name in NAMESPACED)

Node = Tree[Any]


class UnreadableError(Exception):
    """Why a text is no expression that can be evaluated."""


@dataclass(frozen=True, slots=True)
class Program:
    """A parsed expression and the variables it reads; names of types are among them."""

    tree: Node
    variables: frozenset[str]


def parse(expr: str) -> Program:
    """The expression of a text.

    Raises:
        UnreadableError: not CEL, an unknown function, a macro that is not used as one, or a literal without a value.
        RecursionError: nested too deeply.
    """
    try:
        tree = _parser().parse(expr)
    except UnexpectedInput as err:
        raise UnreadableError(f"not readable at line {err.line}, column {err.column}") from None
    return Program(tree, frozenset(_variables(tree, frozenset())))


def call_parts(tree: Node) -> tuple[Node, str, list[Node]]:
    """The target, the method and the arguments of a `member_dot_arg`."""
    target, name, *arguments = tree.children
    return target, str(name), arguments[0].children if arguments else []


def identifier(tree: Node) -> str | None:
    """The name when an expression is only that."""
    inner = core(tree)
    return str(inner.children[0]) if inner.data == "ident" else None


def core(tree: Node) -> Node:
    """An expression without the rules that add nothing to it."""
    while tree.data in _WRAPPERS and len(tree.children) == 1:
        tree = tree.children[0]
    return tree


@cache
def _parser() -> Lark:
    grammar = resources.files("celpy").joinpath("cel.lark").read_text("utf-8")
    return Lark(
        grammar + _ADDED,
        parser="lalr",
        start="expr",
        g_regex_flags=re.MULTILINE,
        lexer_callbacks={"IDENT": CELParser.ambiguous_literals},
        propagate_positions=True,
        maybe_placeholders=False,
        priority="invert",
    )


def _variables(tree: Node, bound: frozenset[str]) -> set[str]:
    """The variables of a syntax tree; names that macros bind are not variables. Raises UnreadableError."""
    if tree.data in ("ident", "dot_ident"):
        return {str(tree.children[0])} - bound
    if tree.data == "member_dot_arg":
        return _of_call(tree, bound)
    if tree.data in ("ident_arg", "dot_ident_arg"):
        _check_function(tree)
    if tree.data == "literal":
        _check_literal(tree)
    if tree.data == "member_object":
        raise UnreadableError("messages cannot be made, only maps")
    return _of_all(tree.children, bound)


def _of_all(trees: Iterable[Any], bound: frozenset[str]) -> set[str]:
    found: set[str] = set()
    return found.union(*(_variables(tree, bound) for tree in trees if isinstance(tree, Tree)))


def _of_call(tree: Node, bound: frozenset[str]) -> set[str]:
    target, name, arguments = call_parts(tree)
    space = identifier(target)
    if f"{space}.{name}" in NAMESPACED:
        return _of_all(arguments, bound)
    if space in _NAMESPACES - bound:
        raise UnreadableError(f"unknown function {space}.{name}()")
    if name in MACROS:
        return _variables(target, bound) | _of_all(arguments[1:], bound | {_bound_name(name, arguments)})
    if name not in METHODS:
        raise UnreadableError(f"unknown function {name}()")
    return _of_all([target, *arguments], bound)


def _bound_name(macro: str, arguments: list[Node]) -> str:
    if len(arguments) not in MACROS[macro]:
        counts = " or ".join(map(str, MACROS[macro]))
        raise UnreadableError(f"{macro}() with {len(arguments)} arguments, not {counts}")
    name = identifier(arguments[0])
    if name is None:
        raise UnreadableError(f"{macro}() whose first argument is no name")
    return name


def _check_literal(tree: Node) -> None:
    try:
        literal(tree.children[0])
    except ValueError as err:
        raise UnreadableError(str(err)) from None


def _check_function(tree: Node) -> None:
    name, *rest = tree.children
    arguments = rest[0].children if rest else []
    if name == "has":
        if len(arguments) != 1 or core(arguments[0]).data != "member_dot":
            raise UnreadableError("has() of something that is no field, such as has(a.b)")
    elif name not in FUNCTIONS:
        raise UnreadableError(f"unknown function {name}()")
