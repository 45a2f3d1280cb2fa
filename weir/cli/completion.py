"""`weir completion bash|zsh|fish`: a script that completes verbs, flags and the words that flags take."""

from __future__ import annotations

import argparse
import importlib
from typing import cast

from weir.cli import VERBS, Verb
from weir.cli._show import write
from weir.cli.format_completion import SHELLS, VerbWords, format_completion


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
    flags: list[str] = []
    words: list[str] = []
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask what a parser takes
        flags += action.option_strings
        if not action.option_strings and action.choices:
            words += map(str, action.choices)
    return VerbWords(name=name, summary=summary, words=tuple(words), flags=tuple(flags))
