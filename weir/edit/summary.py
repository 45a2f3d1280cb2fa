"""What an edit did, for people: the changed lines of its files, and a short table of what went from where to where.

Values of Secrets are masked as in the plans of objects, and so is what a kustomization makes Secrets of. Nothing in
these texts moves a terminal's cursor.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from weir.edit.changes import Change
from weir.edit.nodes import COMMENT, Leaf, Path, YamlText, read_text
from weir.edit.placed import placed_objects
from weir.spec.errors import SpecError

MASK: Final = "***"

_HIDDEN_KIND: Final = "Secret"
_GENERATOR: Final = "secretGenerator"
_LITERALS: Final = "literals"
_OPEN: Final[tuple[Path, ...]] = (
    ("apiVersion",),
    ("kind",),
    ("type",),
    ("metadata", "name"),
    ("metadata", "namespace"),
    ("metadata", "labels"),
)
"""What of a Secret is no secret."""
_WORDS: Final = re.compile(r"[^\s].*")
_CONTEXT: Final = 1
"""Lines around a change."""


@dataclass(frozen=True, slots=True)
class Move:
    """What one policy, container or annotation changed from one value to another, in all places together."""

    who: str
    """`namespace:policy`, or `Kind/namespace/name: container`."""
    old: str
    """Empty when it was added."""
    new: str
    """Empty when it was removed."""
    places: int


def moves(changes: Iterable[Change]) -> tuple[Move, ...]:
    """The changes of each who, in the order in which they come first.

    Of a policy whose tag changed, changes of names and digests alone are left out: they go with it.
    """
    known = tuple(changes)
    tagged = {_who(change) for change in known if not _goes_along(change)}
    found: dict[tuple[str, str, str], int] = {}
    for change in known:
        if not (_goes_along(change) and _who(change) in tagged):
            key = (_who(change), *_values(change))
            found[key] = found.get(key, 0) + 1
    return tuple(Move(*key, places) for key, places in found.items())


def format_moves(rows: Sequence[Move]) -> str:
    """One line for each, in columns: `flux:app  app:1.0.0 -> app:1.1.0  (2 places)`."""
    cells = [
        (_plain(row.who), f"{_plain(row.old) or '(none)'} -> {_plain(row.new) or '(none)'}") for row in rows
    ]
    first, second = (max((len(cell[index]) for cell in cells), default=0) for index in (0, 1))
    counts = [f"({row.places} places)" if row.places > 1 else "" for row in rows]
    lines = (
        f"{who:{first}}  {move:{second}}  {count}".rstrip() + "\n"
        for (who, move), count in zip(cells, counts, strict=True)
    )
    return "".join(lines)


def format_diff(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> str:
    """The files of `after` that differ, as unified diffs in the order of their paths, with one line of context.

    A file that `before` does not have is new. Of a file that cannot be read as YAML only the name is shown, because
    nobody can tell what in it is secret.
    """
    lines: list[str] = []
    for path in sorted(after):
        old, new = before.get(path, b""), after[path]
        if old == new:
            continue
        try:
            one, other = read_text(old, path), read_text(new, path)
        except SpecError:
            lines += [f"--- a/{path}", f"+++ b/{path}", "(not shown: it cannot be read as YAML)"]
            continue
        was, now = _lines(_masked(one, other, "before")), _lines(_masked(other, one, "after"))
        lines += difflib.unified_diff(was, now, f"a/{path}", f"b/{path}", n=_CONTEXT, lineterm="")
    return "".join(f"{_plain(line)}\n" for line in lines)


def _who(change: Change) -> str:
    namespace, colon, rest = change.setter.partition(":")
    return namespace + colon + rest.partition(":")[0] if colon else f"{change.object}: {change.setter}"


def _goes_along(change: Change) -> bool:
    return change.setter.count(":") > 1 and not change.setter.endswith(":tag")


def _values(change: Change) -> tuple[str, str]:
    if change.object.kind != _HIDDEN_KIND:
        return change.old, change.new
    return change.old and f"{MASK} (before)", change.new and f"{MASK} (after)"


def _lines(text: str) -> list[str]:
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


@dataclass(frozen=True, slots=True)
class _Shown:
    leaf: Leaf
    private: bool
    """Whether it stands in a Secret or in what Secrets are made of, where comments may hold secrets too."""
    secret: bool
    """Whether it is a value that is not to be shown."""


def _masked(text: YamlText, other: YamlText, when: str) -> str:
    """The text without secret values; one that differs in the other text says when it was there."""
    theirs = {_place(shown.leaf): shown.leaf.node.value for shown in _shown(other)}
    pieces: list[str] = []
    position, near = 0, False
    for shown in _shown(text):
        node = shown.leaf.node
        pieces.append(_gap(text.text[position : node.start], private=near or shown.private))
        whole = text.text[node.start : node.end]
        if shown.secret:
            same = theirs.get(_place(shown.leaf)) == node.value
            whole = _WORDS.sub(MASK if same else f"{MASK} ({when})", whole)
        pieces.append(whole)
        position, near = node.end, shown.private
    return "".join([*pieces, _gap(text.text[position:], private=near)])


def _gap(text: str, *, private: bool) -> str:
    return COMMENT.sub(f"# {MASK}", text) if private else text


def _shown(text: YamlText) -> Iterator[_Shown]:
    """All leaves in the order of the text, and what of them may be shown."""
    secrets = {
        (placed.document, placed.base) for placed in placed_objects(text) if placed.id.kind == _HIDDEN_KIND
    }
    for leaf in text.leaves():
        base = next((base for base in ((), leaf.path[:2]) if (leaf.document, base) in secrets), None)
        if base is not None:
            path = leaf.path[len(base) :]
            secret = not any(path[: len(known)] == known for known in _OPEN)
        else:
            secret = leaf.path[:1] == (_GENERATOR,) and _LITERALS in leaf.path
        private = base is not None or leaf.path[:1] == (_GENERATOR,)
        yield _Shown(leaf, private, secret and not leaf.is_key)


def _place(leaf: Leaf) -> tuple[int, Path, bool]:
    return leaf.document, leaf.path, leaf.is_key


def _plain(text: str) -> str:
    """One line without control and direction characters, these written as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\t" else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()
