"""Which tag an image policy means, among the tags that a registry lists.

A tag that a policy cannot read, such as `latest` for a number, is left out; it never fails the policy, as it does in
Flux for `numerical`. The order of the list does not matter: of two tags that stand equal (`1.0.0` and `v1.0.0`, or the
same text extracted from both) the one whose name comes last wins, and for `desc` the one whose name comes first.

Rules: https://fluxcd.io/flux/components/image/imagepolicies/#policy and, for what may be excluded,
https://fluxcd.io/flux/components/image/imagerepositories/#exclusion-list
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from weir.select.semver_range import SemverRange, parse_precedence
from weir.spec.errors import SourceError, SpecError
from weir.spec.go_regexp import Pattern, Template
from weir.spec.image_policy import AlphabeticalRule, ImagePolicySpec, NumericalRule, SemverRule, TagFilter
from weir.spec.image_repository import ImageRepositorySpec

Place = Any
"""Where a value stands in an order; comparable with the other places of that order."""

_DECIMAL: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How a policy compares."""

    place: Callable[[str], Place | None]
    """Where a value stands; None for one that has no place in the order."""
    admits: Callable[[Place], bool] = lambda _: True
    """Whether a value at this place may be chosen."""
    descending: bool = False
    """Whether the lowest place wins."""
    by_date: bool = False
    """Whether values stand where the registry says, whatever they are called."""
    best_first: Callable[[Iterable[str]], Iterator[Mapping[str, Place]]] | None = None
    """A short way to the values that may be chosen: in portions, of which the first that holds any has the best."""

    def portions(self, values: Iterable[str]) -> Iterator[Mapping[str, Place]]:
        """The values that may be chosen with where they stand, those in earlier portions before those in later ones."""
        if self.best_first is not None:
            yield from self.best_first(values)
            return
        places = ((value, self.place(value)) for value in values)
        yield {value: place for value, place in places if place is not None and self.admits(place)}


@dataclass(frozen=True, slots=True)
class Sieve:
    """Which tags count, and what of them is compared."""

    pattern: Pattern | None = None
    template: Template | None = None

    @classmethod
    def parse(cls, wanted: TagFilter, where: str) -> Sieve:
        """Read `filterTags`; `where` is for messages. Raises SpecError."""
        if not wanted.pattern and not wanted.extract:
            return cls()
        pattern = Pattern.parse(wanted.pattern, where, "spec.filterTags.pattern")
        return cls(pattern, pattern.template(wanted.extract) if wanted.extract else None)

    def values(self, tags: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Each tag that counts, with what is compared of it."""
        if self.pattern is None:
            return ((tag, tag) for tag in tags)
        if self.template is None:
            return ((tag, tag) for tag in tags if self.pattern.matches(tag))
        filled = ((tag, self.template.fill(tag)) for tag in tags)
        return ((tag, value) for tag, value in filled if value is not None)


@dataclass(frozen=True, slots=True)
class TagPolicy:
    """An image policy, ready to choose."""

    name: str
    """For messages, as in `no tag for the semver range '1.x'`."""
    order: Order
    sieve: Sieve

    @classmethod
    def parse(cls, spec: ImagePolicySpec) -> TagPolicy:
        """Read the texts of an ImagePolicy. Raises SpecError for a bad range or pattern."""
        name, order = _order(spec)
        pattern = spec.filter_tags.pattern
        shown = f"{name} with filter {pattern!r}" if pattern else name
        return cls(shown, order, Sieve.parse(spec.filter_tags, spec.where))

    def latest(self, tags: Iterable[str]) -> str | None:
        """The tag that the policy chooses, None when none fits; `nothing` is the error for that."""
        pairs = list(self.sieve.values(tags))
        for portion in self.order.portions([value for _, value in pairs]):
            fitting = [(portion[value], tag) for tag, value in pairs if value in portion]
            if fitting:
                _, best = min(fitting) if self.order.descending else max(fitting)
                return best
        return None

    def ranked(self, tags: Iterable[str]) -> tuple[str, ...]:
        """All tags that the policy may choose, the one it prefers first."""
        pairs = {(self.order.place(value), tag) for tag, value in self.sieve.values(tags)}
        fitting = (pair for pair in pairs if pair[0] is not None and self.order.admits(pair[0]))
        return tuple(tag for _, tag in sorted(fitting, reverse=not self.order.descending))

    def prefers(self, tag: str, other: str) -> bool | None:
        """Whether a tag stands before another one, in range or not; None when the two cannot be compared."""
        value, against = (self._value(name) for name in (tag, other))
        if value is None or against is None:
            return None
        place, base = self.order.place(value), self.order.place(against)
        if place is None or base is None:
            return None
        wins = operator.lt if self.order.descending else operator.gt
        return bool(wins((place, tag), (base, other)))

    def nothing(self, seen: int) -> SourceError:
        """The error when none of the tags seen fits."""
        dated = "with a known build date " if self.order.by_date else ""
        return SourceError(
            f"found no tag {dated}for the {self.name} among {seen}",
            hint="push a tag that fits, or correct the policy",
        )

    def _value(self, tag: str) -> str | None:
        """What is compared of any tag. A build date does not depend on whether the tag counts."""
        return tag if self.order.by_date else next((value for _, value in self.sieve.values((tag,))), None)


def counted(spec: ImageRepositorySpec, tags: Iterable[str]) -> tuple[str, ...]:
    """The tags that the repository's exclusion list leaves. Raises SpecError for a bad pattern."""
    excluded = [Pattern.parse(text, spec.where, "spec.exclusionList") for text in spec.exclusion_list]
    return tuple(tag for tag in tags if not any(pattern.matches(tag) for pattern in excluded))


def newest(created: Mapping[str, float]) -> Order:
    """By build date, the youngest first; `created` maps tags to epoch seconds, 0 or none where it is not known."""
    return Order(place=lambda tag: _known(created.get(tag)), by_date=True)


def by_version(text: str, where: str, field: str, place: Callable[[str], Place | None]) -> Order:
    """By version within a range; `where` and `field` are for messages. Raises SpecError."""
    try:
        wanted = SemverRange.parse(text)
    except SpecError as err:
        expected = "a semver range such as 1.2.x, ^1.2.0 or >=1.0.0 <2.0.0"
        raise SpecError.at(where, field, found=text, expected=expected) from err
    return Order(place=place, admits=wanted.admits, best_first=lambda texts: wanted.newest(texts, place))


def number(text: str) -> Decimal | None:
    """The number that a text writes in decimal digits, None for anything else, not a number or infinite in Flux.

    Flux reads 64-bit floats, for which long numbers such as nanoseconds since 1970 are equal; here they are not.
    """
    if _DECIMAL.fullmatch(text) is None or math.isinf(float(text)):
        return None
    return Decimal(text)


def _order(spec: ImagePolicySpec) -> tuple[str, Order]:
    match spec.rule:
        case SemverRule(text):
            order = by_version(text, spec.where, "spec.policy.semver.range", parse_precedence)
            return f"semver range {text!r}", order
        case AlphabeticalRule(descending):
            return "alphabetical policy", Order(place=str, descending=descending)
        case NumericalRule(descending):
            return "numerical policy", Order(place=number, descending=descending)


def _known(created: float | None) -> float | None:
    """A build date; reproducible builds say 0, which stands for none."""
    return created if created is not None and created > 0 else None
