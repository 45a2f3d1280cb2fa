"""Texts for services that have limits and markup of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_DOTS: Final = "…"
_BAD: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Halves of characters, and control characters, which some services refuse a whole message for."""
_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def clean(text: str) -> str:
    """The text without control characters other than tabs and line ends, and without halves of characters."""
    return _BAD.sub("\ufffd", text).replace("\r", "")


def width(text: str) -> int:
    """UTF-16 units of a clean text: what services count that do not count bytes, or no fewer than those."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def cut(text: str, limit: int) -> str:
    """As much of a clean text as has at most `limit` UTF-16 units; what is cut ends in an ellipsis."""
    if width(text) <= limit:
        return text
    kept = text.encode("utf-16-le")[: 2 * max(limit - 1, 0)].decode("utf-16-le", "ignore")
    return (kept + _DOTS)[: max(limit, 0)]


def cut_escaped(text: str, limit: int, escape: Callable[[str], str]) -> str:
    """As much of a clean text, escaped, as has at most `limit` UTF-16 units in its escaped form."""
    room, escaped = limit, escape(cut(text, limit))
    while room and width(escaped) > limit:
        room = room * 3 // 4
        escaped = escape(cut(text, room))
    return escaped


def html(text: str) -> str:
    """A text for services that read `&`, `<` and `>` as markup."""
    return text.translate(_HTML)


def one_line(text: str) -> str:
    """The words of a text on one line."""
    return " ".join(text.split())


def code(text: str) -> str:
    """One line of inline code for Markdown, in which nothing is markup and nobody is mentioned."""
    line = one_line(text).replace("`", "'")
    return f"`{line}`" if line else ""


def code_block(text: str) -> str:
    """A block of code for Markdown, in which nothing is markup and nobody is mentioned."""
    return "```\n{}\n```".format(text.replace("```", "'''"))
