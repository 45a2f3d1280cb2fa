"""The commands that pages show: lines of shell blocks, and code spans that say what they act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from demo.stack import PROJECT

PAGES: Final = sorted([PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")])
SHELL: Final = ("sh", "bash")
TRANSCRIPT: Final = "console"
"""Kind of a block with commands after `$ ` and what they print."""

_FENCE: Final = re.compile(r"^ *```(\w*)$")
_SPAN: Final = re.compile(r"`([^`]+)`")
_PROGRAM: Final = re.compile(r"(?:weir|make|pulumi|python|kubectl|git|curl|flux|docker|source) ")
_ACTS: Final = re.compile(r" (?:-s|--stack|-n|namespace|cluster|completion) [^ ]|--help")
"""What tells a whole command from the name of one, which stands in code spans too."""
_COMMENT: Final = re.compile(r"\s+# .*$")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a page."""

    page: str
    """The page's path in the project."""
    line: int
    text: str
    """As a person types it: on one line, without a comment."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    block: str | None
    """Kind of the block that it is in, None outside of blocks."""


def commands(page: str, text: str) -> tuple[Command, ...]:
    """The commands of a page in their order."""
    return tuple(Command(page, number, command) for number, command in _found(text))


def stray(text: str) -> list[str]:
    """Lines that look like commands in blocks that do not say they hold some."""
    unmarked = [line.text for line in _lines(text) if line.block == ""]
    return [text for text in unmarked if _PROGRAM.match(text.strip()) or text.startswith("$ ")]


def all_commands() -> tuple[Command, ...]:
    """The commands of all pages."""
    return tuple(
        command
        for page in PAGES
        for command in commands(page.relative_to(PROJECT).as_posix(), page.read_text())
    )


def _found(text: str) -> Iterator[tuple[int, str]]:
    begun, start = "", 0
    for line in _lines(text):
        if line.block is None:
            yield from ((line.number, span) for span in _SPAN.findall(line.text) if _is_whole(span))
            continue
        typed = _typed(line)
        if typed.endswith("\\"):
            begun, start = f"{begun}{typed[:-1].strip()} ", start or line.number
        elif begun or typed:
            yield start or line.number, begun + typed
            begun, start = "", 0


def _lines(text: str) -> Iterator[_Line]:
    block: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if fence:
            block = fence[1] if block is None else None
        else:
            yield _Line(number, line, block)


def _typed(line: _Line) -> str:
    """What a person types of a line in a block, empty for nothing."""
    if line.block == TRANSCRIPT:
        return line.text[2:] if line.text.startswith("$ ") else ""
    text = line.text.strip()
    return _COMMENT.sub("", text) if line.block in SHELL and not text.startswith("#") else ""


def _is_whole(span: str) -> bool:
    return bool(_PROGRAM.match(span) and _ACTS.search(span))
