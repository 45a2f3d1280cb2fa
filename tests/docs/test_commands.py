"""The page about commands: every example is one that the real parser takes, and every verb has one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from demo.stack import PROJECT
from tests.docs.test_pages import commands
from weir.cli import VERBS, parse

PAGE = (PROJECT / "docs" / "commands.md").read_text()
EXAMPLES = [words for words in commands(PAGE, "weir") if "--help" not in words]


@pytest.mark.parametrize("words", EXAMPLES, ids=" ".join)
def test_an_example_is_taken_by_the_parser(words: Sequence[str]) -> None:
    _, args = parse(words)
    assert args.verb == words[0]


def test_every_verb_has_an_example() -> None:
    assert set(VERBS) - {words[0] for words in EXAMPLES} == set()


def test_an_example_that_the_parser_refuses_would_be_found(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["get", "kustomizations", "--nonsense", "-s", "prod"])
    assert "--nonsense" in capsys.readouterr().err


def test_the_help_has_one_line_for_each_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 110
    for name, (_, summary) in VERBS.items():
        assert lines.count(f"  {name:<12}{summary}") == 1
