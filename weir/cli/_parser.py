"""The parser of all verbs: argparse, and what people know from Flux."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from typing import Any, Final

from weir.cli._flux_words import unknown

_BOOLEANS: Final = {
    **dict.fromkeys(("true", "True", "TRUE", "t", "T", "1"), True),
    **dict.fromkeys(("false", "False", "FALSE", "f", "F", "0"), False),
}
"""Rule: https://pkg.go.dev/strconv#ParseBool"""
_EXIT_CODES: Final = "Exit codes: 0 done, 1 failed as the message says, 2 wrong usage, 130 stopped by Ctrl-C."


class Parser(argparse.ArgumentParser):
    """Takes `--flag=true` and `--flag=false` too, as Go's programs do, for each flag that has no value.

    Only with `=`: a word after the bare flag is never taken for its value. The last one holds. Flags may stand between
    the words of a list. A help that says nothing about exit codes has those that all verbs share.
    """

    def format_help(self) -> str:
        """As argparse."""
        self.epilog = self.epilog or _EXIT_CODES
        return super().format_help()

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse; flags that only Flux has are told with what to do instead."""
        found, others = self.parse_known_args(args, namespace)
        if others:
            self.error(unknown(others))
        return found

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse; called for the verbs below this one as well."""
        words = self._bare(sys.argv[1:] if args is None else args)
        return super().parse_known_args(self._flags_first(words), namespace)

    def _bare(self, words: Sequence[str]) -> list[str]:
        """`--flag=true` as `--flag`, and `--flag=false` as nothing; both replace what was said of it before."""
        made: list[str] = []
        for index, word in enumerate(words):
            if word == "--":
                return [*made, *words[index:]]
            flag, equals, value = word.partition("=")
            names = self._names_of_switch(flag) if equals else ()
            if not names:
                made.append(word)
                continue
            if value not in _BOOLEANS:
                self.error(f"argument {'/'.join(names)}: found {value[:100]!r}, expected true or false")
            made = [earlier for earlier in made if earlier not in names]
            made += [flag] * _BOOLEANS[value]
        return made

    def _flags_first(self, words: Sequence[str]) -> Sequence[str]:
        """The same in an order that argparse takes: it ends a list of words at the first flag.

        Left as they are where a verb may stand among them, or a flag whose values cannot be told from words.
        """
        flags: list[str] = []
        plain: list[str] = []
        rest = iter(words)
        for word in rest:
            if word == "--":
                return [*flags, *plain, word, *rest]
            if not word.startswith("-") or word == "-":
                plain.append(word)
                continue
            action = self._option_string_actions.get(word.partition("=")[0])
            if action is None or action.nargs not in (None, 0):
                return words
            flags.append(word)
            if action.nargs is None and "=" not in word:
                flags += itertools.islice(rest, 1)
        return words if self._subparsers else [*flags, *plain]

    def _names_of_switch(self, flag: str) -> Sequence[str]:
        """All spellings of a flag that has no value; none for other flags and words."""
        action = self._option_string_actions.get(flag)
        switch = action is not None and action.nargs == 0 and action.const is True
        return action.option_strings if action and switch else ()
