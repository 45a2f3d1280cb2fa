"""The values of a template: records, texts, numbers, truth values, nothing, lists and maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from weir.edit.template_syntax import TemplateError

MAX_OUTPUT: Final = 1_000_000
"""Characters that one run may print, or one function give."""


class Record:
    """A value with fields, all of them known; anything else asked of it is an error."""

    def __init__(self, shown: str, **fields: Any) -> None:
        self.shown = shown
        self.fields = fields


def is_true(value: Any) -> bool:
    """Whether `if` takes a value for true: one that is not empty, not 0 and not nothing."""
    return isinstance(value, Record) or bool(value)


def shown(value: Any) -> str:
    """What an action prints. Raises TemplateError as `written`."""
    return "<no value>" if value is None else written(value)


def written(*values: Any) -> str:
    """Values as Go's `%v`, one right behind the other. Raises TemplateError for over `MAX_OUTPUT` characters."""
    pieces: list[str] = []
    size, left = 0, list(reversed(values))
    while left:
        value = left.pop()
        if isinstance(value, Mapping):
            pairs = [part for key, item in value.items() for part in (" ", key, ":", item)]
            left += reversed(["map[", *pairs[1:], "]"])
        elif isinstance(value, list | tuple):
            left += reversed(["[", *between(" ", value), "]"])
        else:
            pieces.append(_scalar(value))
            size += len(pieces[-1]) or 1
            if size > MAX_OUTPUT:
                raise TemplateError(f"a text of more than {MAX_OUTPUT} characters")
    return "".join(pieces)


def between(by: str, values: Iterable[Any]) -> list[Any]:
    """The values with a text between each two."""
    return [part for value in values for part in (by, value)][1:]


def _scalar(value: Any) -> str:
    if isinstance(value, Record):
        return value.shown
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
