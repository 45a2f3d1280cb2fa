"""Go's templates run over plain values: what a commit message needs of text/template and of Sprig's functions.

A missing key of a map prints as `<no value>`, a missing field of anything else is an error. Rule:
https://pkg.go.dev/text/template and https://masterminds.github.io/sprig/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from weir.edit.template_functions import FUNCTIONS
from weir.edit.template_syntax import (
    Block,
    Call,
    Command,
    Constant,
    Field,
    Jump,
    Operand,
    Part,
    Pipeline,
    TemplateError,
    parse_template,
)
from weir.edit.template_values import MAX_OUTPUT, Record, is_true, shown

_PER_STEP: Final = 64
"""Characters that a function takes, or characters or elements that it gives, which count as one step."""


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

    def parts(self, parts: Sequence[Part], dot: Any) -> Jump | None:
        """Print parts, up to a jump that is then given; variables that they declare end with them."""
        known, jump = len(self._variables), None
        for part in parts:
            self._spend(1)
            if isinstance(part, Block | Jump):
                jump = self._block(part, dot) if isinstance(part, Block) else part
                if jump:
                    break
            elif isinstance(part, str):
                self._print(part)
            else:
                self._action(part, dot)
        del self._variables[known:]
        return jump

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
            self._print(shown(value))

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

    def _block(self, block: Block, dot: Any) -> Jump | None:
        known = len(self._variables)
        value = self._value(block.pipeline, dot)
        if block.kind == "range":
            jump = self._range(block, value, dot)
        else:
            if block.pipeline.variables:
                self._declare(block.pipeline, value)
            inner = value if block.kind == "with" and is_true(value) else dot
            jump = self.parts(block.body if is_true(value) else block.otherwise, inner)
        del self._variables[known:]
        return jump

    def _range(self, block: Block, value: Any, dot: Any) -> Jump | None:
        pairs = _pairs(value)
        for key, item in pairs:
            known = len(self._variables)
            names = len(block.pipeline.variables)
            self._declare(block.pipeline, *((key, item)[2 - names :] if names else ()))
            jump = self.parts(block.body, item)
            del self._variables[known:]
            if jump and jump.kind == "break":
                break
        jump = None if pairs else self.parts(block.otherwise, dot)
        return jump if jump and jump.kind == "continue" else None

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
        self._spend(sum(len(text) for text in arguments if isinstance(text, str)) // _PER_STEP)
        value = _call(name, arguments)
        self._spend(len(value) // _PER_STEP if isinstance(value, str | list) else 0)
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


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if value is None:
        return []
    raise TemplateError("range over something that is neither a list nor a map")


def _call(name: str, arguments: list[Any]) -> Any:
    function = FUNCTIONS.get(name)
    if function is None:
        raise TemplateError(f"the function {name}, which is not one of {', '.join(FUNCTIONS)}")
    try:
        value = function(*arguments)
    except (TypeError, IndexError) as err:
        raise TemplateError(f"the function {name} with arguments it does not take") from err
    if isinstance(value, str) and len(value) > MAX_OUTPUT:
        raise TemplateError(f"a text of more than {MAX_OUTPUT} characters")
    return value
