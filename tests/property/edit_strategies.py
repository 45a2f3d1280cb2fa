"""Generated YAML texts with marked scalars, made of pieces, so that what must stay and what must change is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml
from hypothesis import strategies as st

from weir.edit.image import Image
from weir.spec.documents import load_yaml

DIGEST = "sha256:" + "0f" * 32
POLICIES = ("flux:app", "flux:api")
_TAGS = st.sampled_from(["1.10", "v2.0.1", "latest", "on", "null", "2024-01-02", "1e3", "main-abc-7", "0x1f"])
IMAGES = st.fixed_dictionaries(
    {
        policy: st.builds(
            Image,
            name=st.sampled_from(["app", "ghcr.io/org/app", "localhost:5000/a/b", "10"]),
            tag=_TAGS,
            digest=st.sampled_from(["", DIGEST]),
        )
        for policy in POLICIES
    }
)
_OLD = st.one_of(
    _TAGS, st.sampled_from(["app:1", "ghcr.io/org/app:1.10", f"app:1@{DIGEST}", "app", DIGEST, "é😀"])
)
_VALUES = st.sampled_from(
    ["x", "1", "true", "''", '"a # b"', "'it''s'", "a#b", "[a, 'b']", "{}", "é 😀", "~", '"\\u00e9 \\" # x"']
)
_COMMENTS = st.sampled_from(["", " # note", "\t#", ' # {"a": 1}', "  # é😀 'open", "   "])
_OWN_LINES = st.sampled_from(
    ["", "# note", '# a: b # {"$imagepolicy": "flux:app"}', "   ", "# 'open \" {[ é"]
)
_BLOCKS = ['|\n@image: x # {"$imagepolicy": "flux:app"}', ">-\n@a # b\n\n@'c", "|+ # note\n@x\n"]


@dataclass(frozen=True)
class Slot:
    """A scalar that is marked: how it is quoted, what stands there, and what it takes from which policy."""

    quote: str
    old: str
    policy: str
    part: Any
    path: tuple[Any, ...]

    def text(self, value: str) -> str:
        if self.quote:
            return self.quote + value + self.quote
        return value if value and _reads_as_itself(value) else f'"{value}"'


@dataclass
class Text:
    """Literal pieces and slots."""

    pieces: list[str | Slot] = field(default_factory=list)
    aliases: dict[tuple[Any, ...], tuple[Any, ...]] = field(default_factory=dict)
    """Paths of aliases and of the slots they stand for."""

    @property
    def slots(self) -> list[Slot]:
        return [piece for piece in self.pieces if isinstance(piece, Slot)]

    def written(self, slot_text: Callable[[Slot], str]) -> bytes:
        return "".join(
            piece if isinstance(piece, str) else slot_text(piece) for piece in self.pieces
        ).encode()

    def before(self) -> bytes:
        return self.written(lambda slot: slot.quote + slot.old + slot.quote)


def _reads_as_itself(value: str) -> bool:
    """Whether readers of YAML 1.1 and Kubernetes' tools take a plain scalar for the same text."""
    kubernetes = load_yaml(value, "x", old_booleans=True).values
    return kubernetes == (value,) and yaml.safe_load(value) == value


@st.composite
def marked_texts(draw: st.DrawFn) -> Text:
    """A file of one to three documents."""
    text = Text()
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    text.pieces.append(draw(st.sampled_from(["", "\ufeff"])))
    for document in range(draw(st.integers(1, 3))):
        if document or draw(st.booleans()):
            text.pieces.append("---" + draw(_COMMENTS) + newline)
        _mapping(draw, text, newline, "", (document,), 0)
    if draw(st.booleans()) and isinstance(text.pieces[-1], str):
        text.pieces[-1] = text.pieces[-1].removesuffix(newline)
    return text


def _mapping(
    draw: st.DrawFn, text: Text, newline: str, indent: str, path: tuple[Any, ...], depth: int
) -> None:
    for number in range(draw(st.integers(1, 4))):
        if own := draw(_OWN_LINES):
            text.pieces.append(draw(st.sampled_from(["", "  ", indent])) + own + newline)
        key = f"k{number}"
        here = (*path, key)
        text.pieces.append(f"{indent}{key}:")
        kind = draw(st.sampled_from(["slot", "slot", "value", "block", "list", "flow", "mapping"]))
        deeper = indent + " " * draw(st.integers(1, 4))
        if kind == "mapping" and depth < 3:
            text.pieces.append(draw(st.sampled_from(["", " &m"])) + draw(_COMMENTS) + newline)
            _mapping(draw, text, newline, deeper, here, depth + 1)
        elif kind == "list":
            text.pieces.append(newline)
            _list(draw, text, newline, deeper, here)
        elif kind == "flow":
            text.pieces.append(" [a, ")
            _slot(draw, text, newline + deeper + ", b]" + newline, (*here, 1))
        elif kind == "block":
            block = draw(st.sampled_from(_BLOCKS)).replace("@", deeper).replace("\n", newline)
            text.pieces.append(f" {block}{newline}")
        elif kind == "slot":
            _anchored(draw, text, newline, here, indent, path)
        else:
            text.pieces.append(f" {draw(_VALUES)}{draw(_COMMENTS)}{newline}")


def _anchored(
    draw: st.DrawFn, text: Text, newline: str, here: tuple[Any, ...], indent: str, path: tuple[Any, ...]
) -> None:
    """A marked value, perhaps with an anchor and an alias of it on the next line."""
    anchor = draw(st.sampled_from(["", "&it "]))
    text.pieces.append(draw(st.sampled_from([" ", "\t", "   "])) + anchor)
    _slot(draw, text, newline, here)
    if anchor:
        twin = (*path, f"{here[-1]}twin")
        text.pieces.append(f"{indent}{twin[-1]}: *it{newline}")
        text.aliases[twin] = here


def _list(draw: st.DrawFn, text: Text, newline: str, indent: str, path: tuple[Any, ...]) -> None:
    for index in range(draw(st.integers(1, 3))):
        text.pieces.append(f"{indent}- ")
        if draw(st.booleans()):
            _slot(draw, text, newline, (*path, index))
        else:
            text.pieces.append(f"{draw(_VALUES)}{draw(_COMMENTS)}{newline}")


def _slot(draw: st.DrawFn, text: Text, end: str, path: tuple[Any, ...]) -> None:
    part = draw(st.sampled_from(["", "name", "tag", "digest"]))
    policy = draw(st.sampled_from(POLICIES))
    quote, old = draw(st.sampled_from(["", "'", '"'])), draw(_OLD)
    text.pieces.append(Slot(quote, old, policy, part, path))
    marker = f'{{"$imagepolicy": "{policy}{":" if part else ""}{part}"}}'
    space = draw(st.sampled_from([" # ", "\t#", "  ##  "]))
    after = draw(st.sampled_from(["", " ", "\t"]))
    text.pieces.append(f"{space}{marker}{after}{end}")
