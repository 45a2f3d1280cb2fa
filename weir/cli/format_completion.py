"""Completion scripts. They hold verbs, flags and words only: nothing is asked from a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbWords:
    """One verb and what may stand behind it."""

    name: str
    summary: str
    words: tuple[str, ...]
    flags: tuple[str, ...]


def format_completion(shell: str, verbs: Sequence[VerbWords]) -> str:
    """The script for a shell of `SHELLS`, ending in a newline."""
    return "\n".join(SHELLS[shell](verbs)) + "\n"


def _bash(verbs: Sequence[VerbWords]) -> Iterator[str]:
    yield "_weir() {"
    yield '  local current="${COMP_WORDS[COMP_CWORD]}" words'
    yield '  if [ "$COMP_CWORD" -eq 1 ]; then'
    yield f"    words='{' '.join(verb.name for verb in verbs)}'"
    yield "  else"
    yield '    case "${COMP_WORDS[1]}" in'
    for verb in verbs:
        yield f"      {verb.name}) words='{' '.join((*verb.words, *verb.flags))}' ;;"
    yield "      *) words='' ;;"
    yield "    esac"
    yield "  fi"
    yield '  COMPREPLY=($(compgen -W "$words" -- "$current"))'
    yield "}"
    yield "complete -o default -F _weir weir"


def _zsh(verbs: Sequence[VerbWords]) -> Iterator[str]:
    yield "#compdef weir"
    yield "_weir() {"
    yield "  if (( CURRENT == 2 )); then"
    yield "    local -a verbs=("
    for verb in verbs:
        yield f"      {_quoted(f'{verb.name}:{verb.summary}')}"
    yield "    )"
    yield "    _describe verb verbs"
    yield "  else"
    yield "    case $words[2] in"
    for verb in verbs:
        yield f"      {verb.name}) compadd -- {' '.join((*verb.words, *verb.flags))} ;;"
    yield "    esac"
    yield "    _files"
    yield "  fi"
    yield "}"
    yield "compdef _weir weir"


def _fish(verbs: Sequence[VerbWords]) -> Iterator[str]:
    for verb in verbs:
        said = _quoted(verb.summary, "\\'")
        yield f"complete -c weir -n __fish_use_subcommand -f -a {verb.name} -d {said}"
        chosen = f"-n '__fish_seen_subcommand_from {verb.name}'"
        if verb.words:
            yield f"complete -c weir {chosen} -f -a '{' '.join(verb.words)}'"
        for flag in verb.flags:
            form = f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
            yield f"complete -c weir {chosen} {form}"


def _quoted(text: str, quote: str = "'\\''") -> str:
    return "'" + text.replace("'", quote) + "'"


SHELLS: Final[dict[str, Callable[[Sequence[VerbWords]], Iterator[str]]]] = {
    "bash": _bash,
    "fish": _fish,
    "zsh": _zsh,
}
