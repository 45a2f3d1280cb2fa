"""Which tag a container's pattern means, as Flux 1 wrote it into a workload's annotations.

`glob:` (the default, `*` stands for any characters) and `regexp:` or `regex:` (some part of the tag fits) choose the
tag whose image was built last; `semver:` chooses the highest version in a range, where `1` and `1.2` count as versions
too. A pattern that is not one is an error; Flux 1 took it for one that every tag fits.

Rule: https://github.com/fluxcd/flux/blob/master/docs/references/automated-image-update.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from weir.select.semver_range import Precedence, parse_precedence
from weir.select.tags import Order, Sieve, TagPolicy, by_version, newest
from weir.spec.go_regexp import Pattern, glob_pattern

ALL: Final = "glob:*"
"""The pattern of a container that has none."""

_GLOB: Final = "glob:"
_SEMVER: Final = "semver:"
_REGEXP: Final = ("regexp:", "regex:")
_SHORT: Final = re.compile(r"(v?[0-9]+(?:\.[0-9]+)?)([-+].*)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadPattern:
    """A pattern of tags, ready to choose."""

    text: str
    sieve: Sieve
    versions: Order | None = None
    """How a semver pattern compares; the others compare build dates."""

    @classmethod
    def parse(cls, text: str, where: str, field: str) -> WorkloadPattern:
        """Read a pattern; `where` and `field` are for messages. Raises SpecError."""
        if text.startswith(_SEMVER):
            wanted = text.removeprefix(_SEMVER)
            return cls(text=text, sieve=Sieve(), versions=by_version(wanted, where, field, _precedence))
        prefix = next((prefix for prefix in _REGEXP if text.startswith(prefix)), None)
        expression = text.removeprefix(prefix) if prefix else glob_pattern(text.removeprefix(_GLOB))
        return cls(text=text, sieve=Sieve(Pattern.parse(expression, where, field)))

    @property
    def by_date(self) -> bool:
        """Whether choosing needs the build dates of the tags that match."""
        return self.versions is None

    def matches(self, tag: str) -> bool:
        """Whether a tag may be chosen."""
        if self.versions is None:
            return any(self.sieve.values((tag,)))
        place = _precedence(tag)
        return place is not None and self.versions.admits(place)

    def policy(self, created: Mapping[str, float]) -> TagPolicy:
        """The policy over tags that were built at these times (epoch seconds).

        `created` is asked for tags that match and for the one in use, nothing else.
        """
        return TagPolicy(f"pattern {self.text!r}", self.versions or newest(created), self.sieve)


def _precedence(tag: str) -> Precedence | None:
    short = _SHORT.fullmatch(tag)
    if short is None:
        return parse_precedence(tag)
    numbers = short[1] + ".0" * (2 - short[1].count("."))
    return parse_precedence(numbers + (short[2] or ""))
