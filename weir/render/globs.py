"""Shell patterns as envsubst matches them: the shortest or longest start of a text, in time linear in the text.

`*` and `?` match any character, also `/`; `[a-z]` and `[^a-z]` a class; a backslash quotes the next character.
Rule: https://github.com/drone/envsubst/blob/master/path/match.go
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Test = Callable[[str], bool]


class BadPatternError(ValueError):
    """A class without an end, or a backslash with nothing behind it."""


@dataclass(frozen=True, slots=True)
class _Star:
    """Any number of characters."""


def cut_start(text: str, pattern: str, *, longest: bool) -> str:
    """The text without the shortest or longest start, of at least one character, that matches the pattern."""
    try:
        end = _match(text, _parse(pattern), longest=longest)
    except BadPatternError:
        return text
    return text[end:]


def cut_end(text: str, pattern: str, *, longest: bool) -> str:
    """The text without the shortest or longest end that matches; as envsubst, both are turned round for it."""
    return cut_start(text[::-1], pattern[::-1], longest=longest)[::-1]


def _match(text: str, parts: list[Test | _Star], *, longest: bool) -> int:
    """How many characters match; every state of the pattern is one bit."""
    stars = sum(1 << index for index, part in enumerate(parts) if isinstance(part, _Star))
    done = 1 << len(parts)
    steps: dict[str, int] = {}
    active, found = _pass_stars(1, stars), 0
    for index, char in enumerate(text):
        if char not in steps:
            steps[char] = sum(
                1 << i for i, part in enumerate(parts) if not isinstance(part, _Star) and part(char)
            )
        active = _pass_stars((active & steps[char]) << 1 | (active & stars), stars)
        if active & done:
            found = index + 1
            if not longest:
                break
        if not active:
            break
    return found


def _pass_stars(active: int, stars: int) -> int:
    # stars never stand side by side, so one step is enough
    return active | (active & stars) << 1


def _parse(pattern: str) -> list[Test | _Star]:
    parts: list[Test | _Star] = []
    index = 0
    while index < len(pattern):
        char = pattern[index]
        index += 1
        if char == "*":
            if not parts or not isinstance(parts[-1], _Star):
                parts.append(_Star())
        elif char == "?":
            parts.append(lambda _: True)
        elif char == "[":
            test, index = _parse_class(pattern, index)
            parts.append(test)
        else:
            if char == "\\":
                char, index = _quoted(pattern, index)
            parts.append(char.__eq__)
    return parts


def _parse_class(pattern: str, index: int) -> tuple[Test, int]:
    negated = pattern[index : index + 1] == "^"
    index += negated
    ranges: list[tuple[str, str]] = []
    while True:
        if pattern[index : index + 1] == "]" and ranges:
            return lambda char: any(low <= char <= high for low, high in ranges) != negated, index + 1
        low, index = _class_char(pattern, index)
        high = low
        if pattern[index : index + 1] == "-":
            high, index = _class_char(pattern, index + 1)
        ranges.append((low, high))


def _class_char(pattern: str, index: int) -> tuple[str, int]:
    char = pattern[index : index + 1]
    if char in ("", "-", "]"):
        raise BadPatternError(pattern)
    return _quoted(pattern, index + 1) if char == "\\" else (char, index + 1)


def _quoted(pattern: str, index: int) -> tuple[str, int]:
    if index >= len(pattern):
        raise BadPatternError(pattern)
    return pattern[index], index + 1
