"""What holds for all verbs and everything below them: flags that mean the same are spelled the same."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from typing import Final, cast

import pytest

from weir.cli import VERBS, Verb, parse


def parsers_of(verb: str) -> Iterator[argparse.ArgumentParser]:
    """The parser of a verb and those of the verbs below it."""
    parser = argparse.ArgumentParser(prog=f"weir {verb}")
    cast("Verb", importlib.import_module(VERBS[verb][0])).add_arguments(parser)
    yield from _with_inner(parser)


def _with_inner(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _with_inner(inner)


EVERY: Final = [parser for verb in VERBS for parser in parsers_of(verb)]
each = pytest.mark.parametrize("parser", EVERY, ids=lambda parser: parser.prog.removeprefix("weir "))


@each
def test_a_stack_has_its_short_flag(parser: argparse.ArgumentParser) -> None:
    flags = parser._option_string_actions
    assert flags.get("--stack") is flags.get("-s")


@pytest.mark.parametrize("verb", ["up", "preview", "refresh", "destroy"])
def test_the_engine_takes_the_stack_by_either_flag(verb: str) -> None:
    for flag in ("-s", "--stack"):
        _, args = parse([verb, flag, "production", "--", "--refresh"])
        assert (args.stack, args.extra) == ("production", ["--refresh"])
