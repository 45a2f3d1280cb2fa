"""A unit's objects as a tree: namespaces, kinds, objects. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from weir.watch.view import ObjectView

SHOWN: Final = 2000
"""Objects that a page holds."""
_OPEN: Final = 40
"""Objects up to which a kind is unfolded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindBranch:
    """Objects of one kind in one namespace, those with a finding first."""

    kind: str
    objects: tuple[ObjectView, ...]
    noted: int
    """How many have a finding."""

    @property
    def unfolded(self) -> bool:
        """Whether it is shown without being asked for."""
        return self.noted > 0 or len(self.objects) <= _OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceBranch:
    """Everything in one namespace; an empty name is for objects that are in none."""

    namespace: str
    kinds: tuple[KindBranch, ...]


def tree_of(objects: Sequence[ObjectView]) -> tuple[NamespaceBranch, ...]:
    """Objects by namespace, kind and name; all findings are there, and up to `SHOWN` objects."""
    ordered = sorted(objects, key=lambda one: (not one.notes, one.id.name))[:SHOWN]
    found: dict[str, dict[str, list[ObjectView]]] = defaultdict(lambda: defaultdict(list))
    for one in ordered:
        found[one.id.namespace][one.id.kind].append(one)
    return tuple(
        NamespaceBranch(
            namespace=namespace,
            kinds=tuple(_branch(kind, kinds[kind]) for kind in sorted(kinds)),
        )
        for namespace, kinds in sorted(found.items())
    )


def _branch(kind: str, objects: Sequence[ObjectView]) -> KindBranch:
    noted = sum(bool(one.notes) for one in objects)
    return KindBranch(kind=kind, objects=tuple(objects), noted=noted)
