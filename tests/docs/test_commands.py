"""The page about commands: every example is one that the real parser takes, and every verb has one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from demo.stack import PROJECT
from tests.docs.test_pages import commands
from weir.cli import VERBS, parse
from weir.cli._flux_words import VERBS as FLUX_ONLY

PAGE = (PROJECT / "docs" / "commands.md").read_text()
VERBS_OF_FLUX = (PROJECT / "docs" / "flux-verbs.md").read_text()
EXAMPLES = [words for words in commands(PAGE, "weir") if "--help" not in words]
BESIDE_FLUX = [words for words in commands(VERBS_OF_FLUX, "weir") if len(words) > 1]


@pytest.mark.parametrize("words", [*EXAMPLES, *BESIDE_FLUX], ids=" ".join)
def test_an_example_is_taken_by_the_parser(words: Sequence[str]) -> None:
    _, args = parse(words)
    assert args.verb == words[0]


def test_every_verb_of_flux_that_is_here_is_beside_its_own() -> None:
    of_flux = {words[0] for words in commands(VERBS_OF_FLUX, "flux")}
    assert {words[0] for words in BESIDE_FLUX} >= of_flux & set(VERBS)
    assert of_flux >= set(FLUX_ONLY) - {"envsubst", "migrate", "plugin", "pull", "tag", "list"}


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


@pytest.mark.parametrize(
    ("kind", "flags"),
    [
        (("source", "git", "a", "--url=https://git.example/a"), 8),
        (("kustomization", "a", "--source=b"), 2),
    ],
    ids=["source git", "kustomization"],
)
def test_flags_of_flux_that_are_said_to_be_missing_are(
    kind: tuple[str, ...], flags: int, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (PROJECT / "docs" / "suspend-and-reconcile.md").read_text()
    text = page[page.index("Of Flux's flags these are not") :].partition("\n\n")[0]
    title = " ".join(kind[: kind.index("a")])
    said = re.findall(r"`(--[a-z-]+)`", re.split(r"[:;] ", text.partition(f"`{title}`")[2])[0])
    assert len(said) == flags
    for flag in said:
        with pytest.raises(SystemExit):
            parse(["create", *kind, f"{flag}=x"])
        assert f"error: {flag}: " in capsys.readouterr().err, flag
