"""Typed reading of a document's fields: every value is checked once, and a field nobody knows is an error."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from weir.spec.duration import parse_duration
from weir.spec.errors import SpecError

REQUIRED: Final[Any] = object()
"""Marks a field without a default."""

NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)
"""A Kubernetes object name (RFC 1123 subdomain)."""


class Fields:
    """A mapping being read. Remembers which keys were asked for; `done` refuses the rest."""

    def __init__(self, data: dict[str, Any], where: str, path: str = "") -> None:
        self.data = data
        self.where = where
        self.path = path
        self._known: set[str] = set()

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def error(self, name: str, expected: str, *, hint: str = "") -> SpecError:
        """The error for what this field holds."""
        return SpecError.at(
            self.where, self._at(name), found=self.data.get(name), expected=expected, hint=hint
        )

    def _value(self, name: str, default: Any, types: tuple[type, ...], expected: str) -> Any:
        self._known.add(name)
        value = self.data.get(name)
        if value is None:
            if default is REQUIRED:
                raise self.error(name, expected)
            return default
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise self.error(name, expected)
        return value

    def text(
        self,
        name: str,
        default: Any = REQUIRED,
        *,
        one_of: Iterable[str] = (),
        form: re.Pattern[str] | None = None,
        expected: str = "a text",
    ) -> Any:
        """A string (type `str`, or the default as it is)."""
        choices = tuple(one_of)
        expected = " or ".join(choices) if choices else expected
        value = self._value(name, default, (str,), expected)
        if name not in self.data or value is default:
            return value
        if (choices and value not in choices) or (form and not form.fullmatch(value)):
            raise self.error(name, expected)
        return value

    def name(self, name: str, default: Any = REQUIRED) -> Any:
        """A Kubernetes object name."""
        return self.text(
            name, default, form=NAME, expected="a name of lower-case letters, digits, '-' and '.'"
        )

    def boolean(self, name: str, default: Any = False) -> Any:  # noqa: FBT002
        """A truth value."""
        return self._value(name, default, (bool,), "true or false")

    def integer(self, name: str, default: Any = REQUIRED) -> Any:
        """A whole number."""
        return self._value(name, default, (int,), "a whole number")

    def duration(self, name: str, default: Any = REQUIRED) -> Any:
        """Seconds (float) of a Go duration."""
        text = self._value(name, default, (str,), "a duration such as 30s, 10m or 1h30m")
        if text is default:
            return default
        try:
            return parse_duration(text)
        except ValueError as err:
            raise self.error(name, str(err)) from None

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; empty when absent."""
        values = self._value(name, [], (list,), "a list of texts")
        if not all(isinstance(value, str) for value in values):
            raise self.error(name, "a list of texts")
        return tuple(values)

    def text_map(self, name: str) -> dict[str, str]:
        """A mapping of strings to strings; empty when absent."""
        values = self._value(name, {}, (dict,), "a mapping of texts")
        for key, value in values.items():
            if not isinstance(value, str):
                expected = "a text (write it in quotes)"
                raise SpecError.at(self.where, f"{self._at(name)}.{key}", found=value, expected=expected)
        return dict(values)

    def mapping(self, name: str) -> dict[str, Any]:
        """Any mapping, unread; empty when absent."""
        return dict(self._value(name, {}, (dict,), "a mapping"))

    def child(self, name: str, *, required: bool = False) -> Fields | None:
        """The fields of a nested mapping, or None when absent."""
        value = self._value(name, REQUIRED if required else None, (dict,), "a mapping")
        return None if value is None else Fields(value, self.where, self._at(name))

    def children(self, name: str) -> tuple[Fields, ...]:
        """The fields of each mapping of a list; empty when absent."""
        values = self._value(name, [], (list,), "a list of mappings")
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                raise SpecError.at(
                    self.where, f"{self._at(name)}[{index}]", found=value, expected="a mapping"
                )
        return tuple(
            Fields(value, self.where, f"{self._at(name)}[{index}]") for index, value in enumerate(values)
        )

    def done(self) -> None:
        """Refuse fields that nobody asked for."""
        for key in self.data:
            if key not in self._known:
                known = ", ".join(sorted(self._known))
                raise SpecError.at(
                    self.where,
                    self._at(str(key)),
                    found="an unknown field",
                    expected=f"one of {known}",
                    hint="correct the spelling or remove the field",
                )


def name_only(fields: Fields | None) -> str:
    """The name in a reference that holds nothing else, empty for no reference. Raises SpecError."""
    if fields is None:
        return ""
    name: str = fields.name("name")
    fields.done()
    return name
