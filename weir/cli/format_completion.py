"""Completion scripts. They hold verbs, flags and words only: nothing is asked from a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbWords:
    """One verb and what may stand behind it."""

    name: str
    summary: str = ""
    words: tuple[str, ...]
    flags: tuple[str, ...]
    inner: tuple[VerbWords, ...] = ()
    """Words of `words` after which others may stand than before."""


def format_completion(shell: str, verbs: Sequence[VerbWords]) -> str:
    """The script for a shell of `SHELLS`, ending in a newline."""
    return "\n".join(SHELLS[shell](verbs)) + "\n"


def _places(verbs: Sequence[VerbWords], above: tuple[str, ...] = ()) -> Iterator[tuple[str, VerbWords]]:
    """Where one may be, as the words that lead there, each after a space, and what may stand there."""
    for verb in verbs:
        path = (*above, verb.name)
        yield "".join(f" {word}" for word in path), verb
        yield from _places(verb.inner, path)


def _walk(places: Sequence[tuple[str, VerbWords]], words: str) -> Iterator[str]:
    """Shell lines that set `place` to the place that the words typed so far lead to."""
    yield f"  for word in {words}; do"
    yield '    case "$place $word" in'
    yield f'      {"|".join(_quoted(place) for place, _ in places)}) place="$place $word" ;;'
    yield "    esac"
    yield "  done"


def _bash(verbs: Sequence[VerbWords]) -> Iterator[str]:
    places = list(_places(verbs))
    yield "_weir() {"
    yield '  local current="${COMP_WORDS[COMP_CWORD]}" place= words= word'
    yield from _walk(places, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"')
    yield '  if [ "$COMP_CWORD" -eq 1 ]; then'
    yield f"    words='{' '.join(verb.name for verb in verbs)}'"
    yield "  else"
    yield '    case "$place" in'
    for place, verb in places:
        yield f"      {_quoted(place)}) words='{' '.join((*verb.words, *verb.flags))}' ;;"
    yield "    esac"
    yield "  fi"
    yield '  COMPREPLY=($(compgen -W "$words" -- "$current"))'
    yield "}"
    yield "complete -o default -F _weir weir"


def _zsh(verbs: Sequence[VerbWords]) -> Iterator[str]:
    places = list(_places(verbs))
    yield "#compdef weir"
    yield "_weir() {"
    yield "  local place= word"
    yield from _walk(places, "${words[2,CURRENT-1]}")
    yield "  if (( CURRENT == 2 )); then"
    yield "    local -a verbs=("
    for verb in verbs:
        yield f"      {_quoted(f'{verb.name}:{verb.summary}')}"
    yield "    )"
    yield "    _describe verb verbs"
    yield "  else"
    yield "    case $place in"
    for place, verb in places:
        yield f"      {_quoted(place)}) compadd -- {' '.join((*verb.words, *verb.flags))} ;;"
    yield "    esac"
    yield "    _files"
    yield "  fi"
    yield "}"
    yield "compdef _weir weir"


def _fish(verbs: Sequence[VerbWords]) -> Iterator[str]:
    for verb in verbs:
        said = _quoted(verb.summary, "\\'")
        yield f"complete -c weir -n __fish_use_subcommand -f -a {verb.name} -d {said}"
    for place, verb in _places(verbs):
        seen = [f"__fish_seen_subcommand_from {word}" for word in place.split()]
        if verb.inner:
            names = " ".join(inner.name for inner in verb.inner)
            seen.append(f"not __fish_seen_subcommand_from {names}")
        chosen = f"-n '{'; and '.join(seen)}'"
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
