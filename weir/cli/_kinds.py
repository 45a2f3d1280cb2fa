"""Which objects a person means: Flux's words for kinds, and names after them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from weir.spec.errors import SpecError
from weir.spec.identity import UnitId
from weir.spec.kinds import IMAGE_AUTOMATION, IMAGE_POLICY, IMAGE_REPOSITORY

Kinds = tuple[str, ...]

RECORDED: Final[Kinds] = ("GitRepository", "Kustomization", IMAGE_POLICY, IMAGE_AUTOMATION)
"""Kinds whose status is kept in the cluster."""
NOTICES: Final[dict[str, str]] = {
    "alerts": "Alert",
    "alert-providers": "Provider",
    "receivers": "Receiver",
}
"""Kinds that are no units: they say who hears of what."""
_PARTS: Final[dict[str, dict[str, Kinds]]] = {
    "sources": {"all": ("GitRepository",), "git": ("GitRepository",)},
    "images": {
        "all": (IMAGE_REPOSITORY, IMAGE_POLICY, IMAGE_AUTOMATION),
        "repository": (IMAGE_REPOSITORY,),
        "policy": (IMAGE_POLICY,),
        "update": (IMAGE_AUTOMATION,),
    },
}
"""Words that take a second one, and what each of these means."""
_WORDS: Final[dict[str, Kinds]] = {
    "all": RECORDED,
    "kustomizations": ("Kustomization",),
    **{word: (kind,) for word, kind in NOTICES.items()},
    **{word: parts["all"] for word, parts in _PARTS.items()},
}
_SHORT: Final[dict[str, str]] = {
    "ks": "kustomizations",
    **{word.removesuffix("s"): word for word in _WORDS if word != "all"},
}
KINDS: Final = frozenset(kind for kinds in _WORDS.values() for kind in kinds)
"""All of them."""
CHOICES: Final = tuple(sorted(_WORDS))
"""The words themselves."""
EVERY_WORD: Final = (*CHOICES, *sorted(_SHORT))
"""The same with `ks` and their singular."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Kinds, and the names that are meant among them."""

    word: str
    """What was asked for, for messages."""
    kinds: Kinds
    names: tuple[str, ...] = ()
    """Empty for all."""
    namespace: str | None = None
    """None for all."""

    def __contains__(self, unit: UnitId) -> bool:
        """Whether a unit is meant."""
        return (
            unit.kind in self.kinds
            and self.namespace in (None, unit.namespace)
            and (not self.names or unit.name in self.names)
        )


def read_selection(verb: str, words: Sequence[str], namespace: str | None = None) -> Selection:
    """What `kustomizations apps`, `sources git` or `images policy web` mean; `verb` is for messages.

    Raises:
        SpecError: no such kind.
    """
    first, *rest = words
    word = _SHORT.get(first, first)
    if word not in _WORDS:
        raise SpecError.at(verb, "", found=first, expected=" or ".join(CHOICES))
    kinds = _WORDS[word]
    if rest and (parts := _PARTS.get(word)):
        second, *rest = rest
        if second not in parts:
            raise SpecError.at(f"{verb} {word}", "", found=second, expected=" or ".join(parts))
        kinds = parts[second]
    elif rest and word == "all":
        raise SpecError.at(f"{verb} all", "", found=rest[0], expected="nothing", hint="name a kind first")
    return Selection(word=first, kinds=kinds, names=tuple(rest), namespace=namespace)


def parts_of(word: str) -> Kinds:
    """The second words that a word for kinds takes; none for most."""
    return tuple(_PARTS.get(_SHORT.get(word, word), ()))


def kind_of(text: str) -> str:
    """The kind that `kustomization`, `ks` or `Kustomization` mean; other words stay as they are."""
    known = {kind.lower(): kind for kind in KINDS}
    kinds = _WORDS.get(_SHORT.get(text.lower(), text.lower()), ())
    return kinds[0] if len(kinds) == 1 else known.get(text.lower(), text)


def the_one(units: Iterable[UnitId], kind: str, name: str, namespace: str | None) -> UnitId:
    """The only unit of this kind and name, in this namespace when one is given.

    Raises:
        SpecError: there is none, or several namespaces have one.
    """
    found = sorted(
        unit
        for unit in units
        if (unit.kind, unit.name) == (kind, name) and namespace in (None, unit.namespace)
    )
    if len(found) == 1:
        return found[0]
    where = f"{kind} {name}" if namespace is None else f"{kind}/{namespace}/{name}"
    if found:
        spaces = ", ".join(unit.namespace for unit in found)
        raise SpecError.at(where, "namespace", found=spaces, expected="one of them", hint="say which with -n")
    raise SpecError.at(
        where, "", found="nothing", expected="a unit of the stack", hint="see `weir get all -A`"
    )
