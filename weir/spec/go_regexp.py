"""Regular expressions and templates as Flux writes them: Go's.

Patterns: https://pkg.go.dev/regexp/syntax, which is RE2, so time is linear in the text whatever the pattern.
Templates: https://pkg.go.dev/regexp#Regexp.Expand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from weir.spec.errors import SpecError

_VARIABLE: Final = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,7}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled regular expression. It matches when some part of the text fits, unless it says `^` and `$`."""

    text: str
    _compiled: Any

    @classmethod
    def parse(cls, text: str, where: str, field: str) -> Pattern:
        """Read a pattern; `where` and `field` are for the message. Raises SpecError."""
        try:
            return cls(text, _compile(text))
        except ValueError as err:
            expected = f"a regular expression in Go's syntax ({err})"
            raise SpecError.at(where, field, found=text, expected=expected) from err

    def matches(self, text: str) -> bool:
        """Whether some part of the text fits."""
        return self.search(text) is not None

    def template(self, text: str) -> Template:
        """A template over the groups of this pattern; every text is one."""
        parts: list[bytes | int] = []
        position = 0
        for match in _VARIABLE.finditer(text):
            name = match[1] or match[2]
            parts += [_bytes(text[position : match.start()]), self._group(name) if name else b"$"]
            position = match.end()
        return Template(self, (*parts, _bytes(text[position:])))

    def search(self, text: str) -> Any:
        """RE2's match of the first part of the text that fits, over bytes; None when no part does."""
        return self._compiled.search(_bytes(text))

    def _group(self, name: str) -> bytes | int:
        """The group that a variable means, or nothing. As in Go, a number with a leading zero is a name."""
        number = int(name) if _NUMBER.fullmatch(name) else self._compiled.groupindex.get(_bytes(name))
        return b"" if number is None or number > self._compiled.groups else int(number)


@dataclass(frozen=True, slots=True)
class Template:
    """A text with variables: `$1`, `${1}`, `$name`, `${name}`, and `$$` for a dollar sign.

    `$name` is read as far as letters, digits and underscores go: `$1x` is `${1x}`. A variable that the pattern does
    not have, or that took no part in the match, stands for nothing. A dollar sign that starts none stays.
    """

    pattern: Pattern
    parts: tuple[bytes | int, ...]
    """Texts, and the numbers of groups."""

    def fill(self, text: str) -> str | None:
        """The template for the first part of a text that fits the pattern, None when no part does."""
        found = self.pattern.search(text)
        if found is None:
            return None
        filled = [part if isinstance(part, bytes) else found[part] or b"" for part in self.parts]
        return b"".join(filled).decode(errors="surrogatepass")


def glob_pattern(text: str) -> str:
    """The regular expression of a glob in which `*` stands for any characters and everything else for itself."""
    return rf"\A(?s:{'.*'.join(map(re.escape, text.split('*')))})\z"


@lru_cache(maxsize=1024)
def _compile(text: str) -> Any:
    """Over bytes, because that takes a third of the time. Raises ValueError with RE2's complaint."""
    re2 = import_module("re2")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(_bytes(text), options)
    except re2.error as err:
        complaint = err.args[0] if err.args else ""
        raise ValueError(complaint.decode() if isinstance(complaint, bytes) else str(complaint)) from err


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
