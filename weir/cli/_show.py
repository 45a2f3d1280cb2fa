"""How verbs print: JSON or YAML for programs, text for people; colour on a terminal only, and never with NO_COLOR.

Rule: https://no-color.org
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from typing import Final, TextIO

import yaml

DATA: Final = ("json", "yaml")
"""Forms for programs."""
_RED, _GREEN, _YELLOW, _BLUE, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[0m"
_CELLS: Final[dict[str, dict[str, str]]] = {
    "READY": {"True": _GREEN, "False": _RED, "Unknown": _YELLOW},
    "SUSPENDED": {"True": _YELLOW},
    "TYPE": {"Warning": _YELLOW},
}
"""Column -> word in it -> colour."""
_MARKS: Final = {"✔": _GREEN, "✗": _RED, "►": _BLUE, "◎": _BLUE, "⚠": _YELLOW}
_MARK: Final = re.compile(rf"^(\s*)([{''.join(_MARKS)}])", re.MULTILINE)


def add_output_argument(parser: argparse.ArgumentParser, *people: str) -> None:
    """`-o`: one of the forms for people, the first of them by default, or one for programs."""
    parser.add_argument(
        "-o", "--output", choices=[*people, *DATA], default=people[0], help="form of the answer"
    )


def write(text: str) -> None:
    """Print text now and exactly so; when its reader is gone (`| head`), end without a word as other programs do."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None


def show(text: str) -> None:
    """Print text, coloured where that is wanted."""
    write(painted(text) if wants_colour(sys.stdout, os.environ) else text)


def show_row(head: str, row: str, *, titled: bool) -> None:
    """Print one line of a table whose titles are `head`, these above it when `titled`."""
    text = f"{head}\n{row}\n"
    if wants_colour(sys.stdout, os.environ):
        text = painted(text)
    write(text if titled else text.partition("\n")[2])


def print_trouble(text: str) -> None:
    """Say what hinders for now what goes on."""
    print(f"◎ {text}", file=sys.stderr)


def show_data(value: object, output: str) -> None:
    """Print a plain value as JSON or YAML."""
    write(as_data(value, output))


def as_data(value: object, output: str) -> str:
    """A plain value as `json` or `yaml`, ending in a newline."""
    if output == "json":
        return json.dumps(value, indent=2) + "\n"
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1_000_000)


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a stream is a terminal whose owner has nothing against colour."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def painted(text: str) -> str:
    """A table or lines with marks, in colour: the states of a table's rows, and the mark before a line."""
    head, newline, rest = text.partition("\n")
    titles = [title.strip() for title in head.split("\t")]
    colours = {index: _CELLS[title] for index, title in enumerate(titles) if title in _CELLS}
    if not colours:
        return _MARK.sub(lambda found: f"{found[1]}{_MARKS[found[2]]}{found[2]}{_PLAIN}", text)
    rows = [_row(line.split("\t"), colours) for line in rest.split("\n")]
    return head + newline + "\n".join(rows)


def _row(cells: list[str], colours: Mapping[int, Mapping[str, str]]) -> str:
    for index, words in colours.items():
        if index < len(cells) and (colour := words.get(cells[index].strip())):
            cells[index] = f"{colour}{cells[index]}{_PLAIN}"
    return "\t".join(cells)
