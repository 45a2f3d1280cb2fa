"""A pull request as a forge tells of it, and what every kind of forge can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from weir.edges.forge.proposal import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A pull request that is there."""

    number: int
    url: str
    title: str
    body: str
    labels: frozenset[str]
    open: bool


class Forge(Protocol):
    """One kind of forge. Every method raises ForgeError and StopRequested."""

    def find(self, proposal: Proposal) -> Found | None:
        """The open pull request from head to base within the repository."""

    def create(self, proposal: Proposal) -> Found:
        """A new one. RefusedError when there is one already."""

    def update(self, proposal: Proposal, found: Found) -> Found:
        """The same with the proposal's title and body."""

    def label(self, proposal: Proposal, found: Found, names: Sequence[str]) -> None:
        """Add labels; those that do not exist yet are created."""

    def same_label(self, one: str, other: str) -> bool:
        """Whether two names mean one label here."""
