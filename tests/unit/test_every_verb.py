"""What holds for all verbs and everything below them: flags that mean the same are spelled the same."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from typing import Final, cast

import pytest

from weir.cli import TOPICS, VERBS, Verb, parse


def parsers_of(verb: str) -> Iterator[argparse.ArgumentParser]:
    """The parser of a verb and those of the verbs below it."""
    parser = argparse.ArgumentParser(prog=f"weir {verb}")
    cast("Verb", importlib.import_module(VERBS[verb][0])).add_arguments(parser)
    yield from _with_inner(parser)


def _with_inner(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in dict.fromkeys(action.choices.values()):
                yield from _with_inner(inner)


EVERY: Final = [parser for verb in VERBS for parser in parsers_of(verb)]
each = pytest.mark.parametrize("parser", EVERY, ids=lambda parser: parser.prog.removeprefix("weir "))


@each
def test_a_stack_has_its_short_flag(parser: argparse.ArgumentParser) -> None:
    flags = parser._option_string_actions
    assert flags.get("--stack") is flags.get("-s")


@each
def test_the_help_has_exit_codes(parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([*parser.prog.split()[1:], "--help"])
    assert ended.value.code == 0
    assert "exit codes:" in capsys.readouterr().out.lower()


READING: Final = (*TOPICS["look"], *TOPICS["understand"], "check", "version")


@pytest.mark.parametrize("verb", READING)
def test_verbs_that_read_answer_in_json_and_yaml(verb: str) -> None:
    [parser] = parsers_of(verb)
    assert {"json", "yaml"} <= set(parser._option_string_actions["--output"].choices or ())


@pytest.mark.parametrize("verb", ["get", "events", "stats", "logs"])
def test_all_namespaces_may_be_asked_for(verb: str) -> None:
    _, args = parse([verb, *["all"] * (verb == "get"), "-A", "-s", "production"])
    assert (args.all_namespaces, args.namespace) == (True, None)


@pytest.mark.parametrize("verb", ["up", "preview", "refresh", "destroy"])
def test_the_engine_takes_the_stack_by_either_flag(verb: str) -> None:
    for flag in ("-s", "--stack"):
        _, args = parse([verb, flag, "production", "--", "--refresh"])
        assert (args.stack, args.extra) == ("production", ["--refresh"])


GIT = ("create", "source", "git", "web", "--url=https://git.example/web")
KUSTOMIZATION = ("create", "kustomization", "web", "--source=GitRepository/web")


@pytest.mark.parametrize(
    ("words", "flag", "expected"),
    [
        ((*KUSTOMIZATION, "--prune=true"), "prune", True),
        ((*KUSTOMIZATION, "--prune=false"), "prune", False),
        ((*KUSTOMIZATION, "--prune=1", "--wait=T"), "wait", True),
        ((*KUSTOMIZATION, "--prune", "--prune=false"), "prune", False),
        ((*KUSTOMIZATION, "--prune=false", "--prune"), "prune", True),
        ((*GIT, "--recurse-submodules=true"), "recurse_submodules", True),
        (("reconcile", "ks", "web", "--with-source=true", "-s", "x"), "with_source", True),
        (("suspend", "ks", "--all=true", "-s", "x"), "all", True),
        (("get", "all", "-A", "--all-namespaces=false", "-s", "x"), "all_namespaces", False),
    ],
    ids=str,
)
def test_flags_without_a_value_take_gos_form(words: tuple[str, ...], flag: str, expected: bool) -> None:
    _, args = parse(list(words))
    assert getattr(args, flag) is expected


def test_a_word_after_a_bare_flag_is_not_its_value() -> None:
    _, args = parse(["create", "kustomization", "--prune", "true", "--source=GitRepository/web"])
    assert (args.prune, args.name) == (True, "true")
    _, args = parse(["destroy", "-s", "x", "--", "--yes=true"])
    assert (args.yes, args.extra) == (False, ["--yes=true"])
    _, args = parse([*GIT, "--branch=true"])
    assert args.branch == "true"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("get ks -s production web api", ["web", "api"]),
        ("get ks -A web -s production api", ["web", "api"]),
        ("get ks web -o json -s production api --no-header", ["web", "api"]),
        ("get --stack=production ks -- web", ["web"]),
        ("get ks --stack production -- --web", ["--web"]),
        ("get ks web --stac production", ["web"]),
    ],
)
def test_flags_may_stand_between_names(words: str, names: list[str]) -> None:
    _, args = parse(words.split())
    assert (args.what, args.words, args.stack) == ("ks", names, "production")


def test_a_word_between_flags_is_no_value_of_a_flag_without_one() -> None:
    _, args = parse(["reconcile", "ks", "--with-source", "web", "-s", "x"])
    assert (args.with_source, args.names) == (True, ["web"])
    _, args = parse(["suspend", "kustomization", "-m", "why", "web", "-n", "prod", "-s", "x"])
    assert (args.message, args.names, args.namespace) == ("why", ["web"], "prod")
    _, args = parse(["create", "source", "git", "--recurse-submodules", "web", "--url", "x"])
    assert (args.kind, args.part, args.name) == ("source", "git", "web")
    _, args = parse(["up", "--stack", "x", "--target", "a/b/c", "--", "-v", "3"])
    assert args.extra == ["-v", "3"]


@pytest.mark.parametrize("value", ["yes", "", "truee"])
def test_other_values_are_wrong_usage(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([*KUSTOMIZATION, f"--prune={value}"])
    assert ended.value.code == 2
    assert f"argument --prune: found {value!r}, expected true or false" in capsys.readouterr().err
