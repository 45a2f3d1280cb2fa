"""What the pages name exists: files, links, targets, commands and their flags."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from demo.stack import PROJECT
from weir.cli import VERBS, Verb

PAGES: Final = sorted([PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")])
LONGEST: Final = 120
"""Lines of a page, and characters of a line outside tables and blocks."""

_LINK: Final = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(#[^)]*)?\)")
_FENCE: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"`([^`\n]+)`")
_TARGETS: Final = re.compile(r"^([a-z]+):", re.MULTILINE)


def name_of(page: Path) -> str:
    return page.relative_to(PROJECT).as_posix()


each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The words of every command of a program in shell blocks and code spans, without comments and placeholders."""
    lines = [
        line for kind, block in _FENCE.findall(text) if kind in ("sh", "") for line in block.splitlines()
    ]
    for line in [*lines, *_CODE.findall(_FENCE.sub("", text))]:
        for part in re.split(r"&&|\|\||[|;]", line.split(" #")[0]):
            words = _words(part.replace("...", " "))
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words[:1] == [program] and len(words) > 1:
                yield words[1:]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def flags_of(verb: str) -> set[str]:
    """What a verb of `weir` takes."""
    module: Verb = importlib.import_module(VERBS[verb][0])
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return _flags_in(parser)


def _flags_in(parser: argparse.ArgumentParser) -> set[str]:
    """The flags of a parser and of the verbs below it."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    inner = [part for action in below for part in action.choices.values()]
    return set(parser._option_string_actions).union(*map(_flags_in, inner))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target, _ in _LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@each_page
def test_make_targets_exist(page: Path) -> None:
    known = {*_TARGETS.findall((PROJECT / "Makefile").read_text()), ".venv/ready"}
    for words in commands(page.read_text(), "make"):
        if not words[0].startswith("-") and "|" not in words:
            assert words[0] in known, words


@each_page
def test_verbs_and_flags_of_weir_exist(page: Path) -> None:
    for words in commands(page.read_text(), "weir"):
        for verb in words[0].split("|"):
            assert verb in VERBS, words
            own = words[: words.index("--")] if "--" in words else words
            for word in own[1:]:
                if word.startswith("-"):
                    assert word.partition("=")[0] in flags_of(verb), words


def test_a_verb_and_a_flag_that_do_not_exist_would_be_found() -> None:
    text = "run `weir diff --nonsense`\n```sh\nKUBECONFIG=x weir fly # now\nmake demo && make coffee\n```\n"
    assert list(commands(text, "weir")) == [["fly"], ["diff", "--nonsense"]]
    assert list(commands(text, "make")) == [["demo"], ["coffee"]]
    assert "--nonsense" not in flags_of("diff")


def test_every_verb_is_named_in_the_readme_or_a_page() -> None:
    named = {words[0] for page in PAGES for words in commands(page.read_text(), "weir")}
    assert set(VERBS) - named == set()


def test_the_layout_block_is_the_tree() -> None:
    text = (PROJECT / "README.md").read_text()
    block = text[text.index("## Layout") :].split("```")[1]
    listed = [line.split()[0] for line in block.strip().splitlines() if not line.startswith(" ")]
    assert len(listed) > 5
    for name in listed:
        assert (PROJECT / name).exists(), name
        assert name.endswith("/") == (PROJECT / name).is_dir(), name
    folders = {f"{path.name}/" for path in PROJECT.iterdir() if any(path.glob("*.py"))}
    assert folders - set(listed) == set()


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {target for target, _ in _LINK.findall((PROJECT / "README.md").read_text())}
    pages = {name_of(page) for page in PAGES if page.parent.name == "docs"}
    assert pages - linked - {"docs/benchmarks.md"} == set()


@each_page
def test_pages_are_short(page: Path) -> None:
    lines = page.read_text().splitlines()
    if page.name in ("architecture.md", "benchmarks.md") or page.parent.name == "adr":
        return
    assert len(lines) <= LONGEST
    in_block = False
    for line in lines:
        in_block ^= line.lstrip().startswith("```")
        assert in_block or line.startswith("|") or len(line) <= LONGEST, line
