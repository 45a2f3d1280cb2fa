"""Go's templates run over plain values: what a commit message needs of text/template and of Sprig's functions.

A missing key of a map prints as `<no value>`, a missing field of anything else is an error. Rule:
https://pkg.go.dev/text/template and https://masterminds.github.io/sprig/
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from weir.edit.template_syntax import (
    Block,
    Call,
    Command,
    Constant,
    Field,
    Operand,
    Part,
    Pipeline,
    TemplateError,
    parse_template,
)

MAX_OUTPUT: Final = 1_000_000
"""Characters that one run may print."""
_PER_STEP: Final = 64
"""Characters of a function's text that count as one step."""


class Record:
    """A value with fields, all of them known; anything else asked of it is an error."""

    def __init__(self, shown: str, **fields: Any) -> None:
        self.shown = shown
        self.fields = fields


def render_template(text: str, data: Record, steps: int) -> str:
    """What a template prints about the data; `steps` are the parts that it may print or decide about.

    Raises:
        TemplateError: it is not a template, asks for what is not there, prints over `MAX_OUTPUT` characters, or goes on
            after its steps.
    """
    run = _Run(data, steps)
    run.parts(parse_template(text), data)
    return "".join(run.output)


class _Run:
    def __init__(self, data: Record, steps: int) -> None:
        self.output: list[str] = []
        self._variables: list[tuple[str, Any]] = [("$", data)]
        self._steps = steps
        self._left = steps
        self._size = 0

    def parts(self, parts: Sequence[Part], dot: Any) -> None:
        """Print parts; variables that they declare end with them."""
        known = len(self._variables)
        for part in parts:
            self._spend(1)
            if isinstance(part, Block):
                self._block(part, dot)
            elif isinstance(part, str):
                self._print(part)
            else:
                self._action(part, dot)
        del self._variables[known:]

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise TemplateError(f"more than {self._steps} steps")

    def _print(self, text: str) -> None:
        self._size += len(text)
        if self._size > MAX_OUTPUT:
            raise TemplateError(f"more than {MAX_OUTPUT} characters of output")
        self.output.append(text)

    def _action(self, pipeline: Pipeline, dot: Any) -> None:
        value = self._value(pipeline, dot)
        if len(pipeline.variables) > 1:
            raise TemplateError("two variables outside of range")
        if pipeline.variables:
            self._declare(pipeline, value)
        else:
            self._print(_shown(value))

    def _declare(self, pipeline: Pipeline, *values: Any) -> None:
        for name, value in zip(pipeline.variables, values, strict=True):
            if pipeline.assigns:
                self._variables[self._index(name)] = (name, value)
            else:
                self._variables.append((name, value))

    def _index(self, name: str) -> int:
        for index in range(len(self._variables) - 1, -1, -1):
            if self._variables[index][0] == name:
                return index
        raise TemplateError(f"the variable {name}, which is not defined")

    def _block(self, block: Block, dot: Any) -> None:
        known = len(self._variables)
        value = self._value(block.pipeline, dot)
        if block.kind == "range":
            self._range(block, value, dot)
        else:
            if block.pipeline.variables:
                self._declare(block.pipeline, value)
            inner = value if block.kind == "with" and _true(value) else dot
            self.parts(block.body if _true(value) else block.otherwise, inner)
        del self._variables[known:]

    def _range(self, block: Block, value: Any, dot: Any) -> None:
        pairs = _pairs(value)
        for key, item in pairs:
            known = len(self._variables)
            names = len(block.pipeline.variables)
            self._declare(block.pipeline, *((key, item)[2 - names :] if names else ()))
            self.parts(block.body, item)
            del self._variables[known:]
        if not pairs:
            self.parts(block.otherwise, dot)

    def _value(self, pipeline: Pipeline, dot: Any) -> Any:
        value: tuple[Any, ...] = ()
        for command in pipeline.commands:
            value = (self._command(command, dot, value),)
        return value[0]

    def _command(self, command: Command, dot: Any, piped: tuple[Any, ...]) -> Any:
        first, *rest = command
        if isinstance(first, Call):
            return self._call(first.name, [*(self._operand(operand, dot) for operand in rest), *piped])
        if rest or piped:
            raise TemplateError("arguments for something that is not a function")
        return self._operand(first, dot)

    def _operand(self, wanted: Operand, dot: Any) -> Any:
        if isinstance(wanted, Constant):
            return wanted.value
        if isinstance(wanted, Call):
            return self._call(wanted.name, [])
        value = self._start(wanted, dot)
        for name in wanted.names:
            value = _field(value, name)
        return value

    def _call(self, name: str, arguments: list[Any]) -> Any:
        value = _call(name, arguments)
        self._spend(len(value) // _PER_STEP if isinstance(value, str) else 0)
        return value

    def _start(self, field: Field, dot: Any) -> Any:
        if isinstance(field.start, Pipeline):
            return self._value(field.start, dot)
        return self._variables[self._index(field.start)][1] if field.start else dot


def _field(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name)
    if isinstance(value, Record) and name in value.fields:
        return value.fields[name]
    known = ", ".join(value.fields) if isinstance(value, Record) else ""
    raise TemplateError(
        f"the field {name}, {f'where there are {known}' if known else 'of something without fields'}"
    )


def _true(value: Any) -> bool:
    return isinstance(value, Record) or bool(value)


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if value is None:
        return []
    raise TemplateError("range over something that is neither a list nor a map")


def _shown(value: Any) -> str:
    if isinstance(value, Record):
        return value.shown
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{_shown(key)}:{_shown(item)}" for key, item in value.items()) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(_shown, value)) + "]"
    return str(value)


def _call(name: str, arguments: list[Any]) -> Any:
    function = _FUNCTIONS.get(name)
    if function is None:
        raise TemplateError(f"the function {name}, which is not one of {', '.join(_FUNCTIONS)}")
    try:
        value = function(*arguments)
    except (TypeError, IndexError) as err:
        raise TemplateError(f"the function {name} with arguments it does not take") from err
    if isinstance(value, str) and len(value) > MAX_OUTPUT:
        raise TemplateError(f"a text of more than {MAX_OUTPUT} characters")
    return value


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise TypeError
    return any(type(first) is type(other) and first == other for other in others)


def _either(*values: Any) -> Any:
    return next((value for value in values if _true(value)), values[-1])


def _all(*values: Any) -> Any:
    return next((value for value in values if not _true(value)), values[-1])


def _item(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = _value_of(value, key) if isinstance(value, Mapping) else _element(value, key)
    return value


def _value_of(known: Mapping[Any, Any], key: Any) -> Any:
    """What a map holds for a key, else the empty value of its type: a text where the map itself is empty."""
    if not isinstance(key, str | Record):
        raise TypeError
    return known[key] if key in known else type(next(iter(known.values()), ""))()


def _element(value: Any, at: Any) -> Any:
    if not isinstance(value, list | tuple) or type(at) is not int:
        raise TypeError
    if at < 0:
        raise IndexError
    return value[at]


def _replaced(old: Any, new: Any, text: Any) -> str:
    old, new, text = _text(old), _text(new), _text(text)
    if text.count(old) * len(new) > MAX_OUTPUT:
        raise TemplateError(f"a text of more than {MAX_OUTPUT} characters")
    return str(text.replace(old, new))


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "and": _all,
    "or": _either,
    "not": lambda value: not _true(value),
    "eq": _equal,
    "ne": lambda first, second: not _equal(first, second),
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "len": len,
    "index": _item,
    "print": lambda *values: "".join(map(_shown, values)),
    "lower": lambda text: _text(text).lower(),
    "upper": lambda text: _text(text).upper(),
    "trim": lambda text: _text(text).strip(),
    "quote": lambda value: json.dumps(_shown(value), ensure_ascii=False),
    "contains": lambda part, text: _text(part) in _text(text),
    "hasPrefix": lambda part, text: _text(text).startswith(_text(part)),
    "hasSuffix": lambda part, text: _text(text).endswith(_text(part)),
    "trimPrefix": lambda part, text: _text(text).removeprefix(_text(part)),
    "trimSuffix": lambda part, text: _text(text).removesuffix(_text(part)),
    "replace": _replaced,
    "default": lambda other, value=None: value if _true(value) else other,
}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeError
