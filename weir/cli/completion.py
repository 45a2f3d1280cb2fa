"""`weir completion bash|zsh|fish`: a script that completes verbs, flags and the words that flags take."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Final, cast

from weir.cli import VERBS, Verb
from weir.cli._kinds import parts_of
from weir.cli._show import write
from weir.cli.format_completion import SHELLS, VerbWords, format_completion

_UNITS: Final = ("image", "kustomization", "source")
_KIND_WORDS: Final = {
    "build": ("kustomization",),
    "delete": ("alert", "alert-provider", *_UNITS, "receiver"),
    "diff": ("kustomization",),
    "reconcile": _UNITS,
    "resume": _UNITS,
    "suspend": _UNITS,
    "tree": ("kustomization",),
}
"""Verb -> the kinds that it takes where its parser lets all words through, so that it can say itself what is wrong."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = """  bash:  source <(weir completion bash)
  zsh:   source <(weir completion zsh)
  fish:  weir completion fish | source

Exit codes: 0 printed, 2 wrong usage."""
    parser.add_argument("shell", choices=sorted(SHELLS))


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    write(format_completion(args.shell, [_words(name) for name in VERBS]))
    return 0


def _words(name: str) -> VerbWords:
    module, summary = VERBS[name]
    parser = argparse.ArgumentParser(prog=f"weir {name}")
    cast("Verb", importlib.import_module(module)).add_arguments(parser)
    return _words_of(name, summary, parser, _KIND_WORDS.get(name, ()))


def _words_of(
    name: str, summary: str, parser: argparse.ArgumentParser, kinds: Sequence[str] = ()
) -> VerbWords:
    """What a parser takes, and those of the verbs below it."""
    flags: list[str] = []
    words = [*kinds]
    inner: list[VerbWords] = []
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask what a parser takes
        if action.help == argparse.SUPPRESS:
            continue
        flags += action.option_strings
        if not action.option_strings and action.choices:
            words += map(str, action.choices)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            inner += [_words_of(word, "", below) for word, below in action.choices.items()]
    if not inner:
        inner = [
            VerbWords(name=word, words=parts, flags=tuple(flags))
            for word in words
            if (parts := parts_of(word))
        ]
    return VerbWords(name=name, summary=summary, words=tuple(words), flags=tuple(flags), inner=tuple(inner))
