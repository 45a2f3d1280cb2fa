"""Version ranges as Flux reads them (github.com/Masterminds/semver v3), on the versions of the `semver` package.

`||` separates alternatives; within one, commas or spaces mean "and". Operators: = != > >= < <= ~ ~> ^, hyphen ranges
(`1.2 - 1.4.5`), and wildcards (`1.x`, `1.*`, `*`). A pre-release matches only when its alternative names one, as in
`>=1.0.0-0`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import semver

from weir.spec.errors import SpecError

_TAIL: Final = r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
_NUMBERS: Final = r"v?([0-9]+|[xX*])(?:\.([0-9]+|[xX*]))?(?:\.([0-9]+|[xX*]))?"
_OPERATORS: Final = r"(!=|>=|=>|<=|=<|~>|=|>|<|~|\^|)"
_ONE: Final = re.compile(rf"{_OPERATORS}\s*{_NUMBERS}{_TAIL}(?=[\s,]|$)", re.ASCII)
_HYPHEN: Final = re.compile(rf"({_NUMBERS}{_TAIL})\s+-\s+({_NUMBERS}{_TAIL})(?=[\s,|]|$)", re.ASCII)
_SEPARATOR: Final = re.compile(r"\s*,\s*|\s+", re.ASCII)
_VERSION: Final = re.compile(
    r"v?([0-9]+)\.([0-9]+)\.([0-9]+)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
)
_MINOR: Final = re.compile(r"^(v?0*([0-9]{1,19})(?:\.0*([0-9]{1,19}))?(?![0-9]).*)$", re.ASCII | re.MULTILINE)
"""The first two numbers of every line that may be a version."""
_LONGEST: Final = 256
_DIGITS: Final = 19
_REMEMBERED: Final = 2**15
"""Tags whose precedence is kept: several policies read the same lists."""


class Precedence(NamedTuple):
    """Where a version stands among others, build metadata left out; compares as semver says, as fast as a tuple.

    Rule: https://semver.org/#spec-item-11
    """

    major: int
    minor: int
    patch: int
    rest: tuple[tuple[int, int, str], ...]
    """The parts of the pre-release, lower than `_RELEASE`: numbers before words, and fewer parts before more."""


_RELEASE: Final = ((2, 0, ""),)


def precedence(version: semver.Version) -> Precedence:
    """Where a version stands."""
    return Precedence(version.major, version.minor, version.patch, _rest(version.prerelease))


@lru_cache(maxsize=_REMEMBERED)
def _rest(prerelease: str | None) -> tuple[tuple[int, int, str], ...]:
    if not prerelease:
        return _RELEASE
    parts = prerelease.split(".")
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


@lru_cache(maxsize=_REMEMBERED)
def parse_precedence(text: str) -> Precedence | None:
    """Where the version that a tag stands for stands, None as for `parse_version`."""
    match = _read(text)
    if match is None:
        return None
    major, minor, patch, prerelease, _ = match.groups()
    # what Precedence(...) does, without a Python call: this runs for every tag of a registry
    return tuple.__new__(Precedence, (int(major), int(minor), int(patch), _rest(prerelease)))


def parse_version(text: str) -> semver.Version | None:
    """The version a tag stands for, or None: three numbers, optionally a leading `v`; leading zeros are allowed."""
    match = _read(text)
    if match is None:
        return None
    major, minor, patch = map(int, match.group(1, 2, 3))
    return semver.Version(major, minor, patch, match[4], match[5])


def _read(text: str) -> re.Match[str] | None:
    match = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    if len(text) > _DIGITS and any(len(number.lstrip("0")) > _DIGITS for number in match.group(1, 2, 3)):
        return None
    prerelease = match[4]
    if prerelease and any(part.isdigit() and part[0] == "0" != part for part in prerelease.split(".")):
        return None
    return match


@dataclass(frozen=True, slots=True)
class _Constraint:
    rule: Callable[[Precedence, _Constraint], bool]
    version: Precedence
    major_open: bool = False
    """Written `*` or `x`."""
    minor_open: bool = False
    """Written `1` or `1.x`."""
    patch_open: bool = False
    """Written `1.2` or `1.2.x`."""

    @property
    def open(self) -> bool:
        return self.major_open or self.minor_open or self.patch_open


@dataclass(frozen=True, slots=True)
class _Alternative:
    constraints: tuple[_Constraint, ...]
    prereleases: bool
    """Whether one of them names a pre-release."""

    @property
    def highest(self) -> float:
        """No version of a higher major release is in it."""
        limits = (limit for limit in self.constraints if limit.rule in _BOUNDED)
        return min((limit.version.major for limit in limits if any(limit.version[:3])), default=math.inf)


@dataclass(frozen=True, slots=True)
class SemverRange:
    """A parsed range. It knows which versions are in it."""

    text: str
    alternatives: tuple[_Alternative, ...]

    @classmethod
    def parse(cls, text: str) -> SemverRange:
        """Read a range. Raises SpecError."""
        if len(text) > _LONGEST:
            raise _error(text)
        spread = _HYPHEN.sub(r">=\1,<=\6", text)
        return cls(text, tuple(_parse_alternative(part.strip(), text) for part in spread.split("||")))

    def matches(self, version: semver.Version) -> bool:
        """Whether a version is in the range."""
        return self.admits(precedence(version))

    def admits(self, version: Precedence) -> bool:
        """As `matches`, for where a version stands."""
        for alternative in self.alternatives:
            if version.rest != _RELEASE and not alternative.prereleases:
                continue
            for limit in alternative.constraints:
                if not limit.rule(version, limit):
                    break
            else:
                return True
        return False

    def newest(
        self, texts: Iterable[str], place: Callable[[str], Precedence | None]
    ) -> Iterator[dict[str, Precedence]]:
        """The versions in the range, one minor release after the other from the highest, with where they stand.

        `place` says where a text stands; numbers that are not written count as 0. It is asked for few of many texts
        by who wants only the first answer: one search finds the numbers that tell which release they belong to.
        """
        releases: dict[tuple[str, str], list[str]] = {}
        for text, major, minor in _MINOR.findall("\n".join(texts)):
            releases.setdefault((major, minor or "0"), []).append(text)
        highest = max(alternative.highest for alternative in self.alternatives)
        ordered = sorted(((int(key[0]), int(key[1])), found) for key, found in releases.items())
        for (major, _), found in reversed(ordered):
            if major <= highest:
                places = ((text, place(text)) for text in found)
                yield {text: at for text, at in places if at is not None and self.admits(at)}


def _parse_alternative(part: str, text: str) -> _Alternative:
    found: list[_Constraint] = []
    position = 0
    while match := _ONE.match(part, position):
        found.append(_parse_one(match, text))
        position = match.end()
        if position == len(part):
            return _Alternative(tuple(found), any(limit.version.rest != _RELEASE for limit in found))
        separator = _SEPARATOR.match(part, position)
        position = separator.end() if separator else position
    raise _error(text)


def _parse_one(match: re.Match[str], text: str) -> _Constraint:
    operator, *numbers, prerelease = match.groups()
    wild = next(
        (index for index, number in enumerate(numbers) if number is None or number in "xX*"), len(numbers)
    )
    digits = [number if index < wild else "0" for index, number in enumerate(numbers)]
    version = parse_version(".".join(digits) + (f"-{prerelease}" if prerelease else ""))
    if version is None:
        raise _error(text)
    return _Constraint(_RULES[operator], precedence(version), wild == 0, wild == 1, wild == 2)  # noqa: PLR2004 - positions in x.y.z


def _error(text: str) -> SpecError:
    return SpecError(
        f"semver range {text[:80]!r}: found no valid range, expected one such as 1.2.x, ^1.2.0 or >=1.0.0 <2.0.0",
        hint="correct the range",
    )


def _equal(version: Precedence, limit: _Constraint) -> bool:
    return _tilde(version, limit) if limit.open else version == limit.version


def _not_equal(version: Precedence, limit: _Constraint) -> bool:
    if limit.open and version.major != limit.version.major:
        return True
    if limit.minor_open:
        return False
    if limit.open and version.minor != limit.version.minor:
        return True
    if limit.patch_open:
        return version.rest != limit.version.rest
    return version != limit.version


def _greater(version: Precedence, limit: _Constraint) -> bool:
    if not limit.open or version.major != limit.version.major:
        return version > limit.version
    if limit.minor_open:
        return False
    return version.minor > limit.version.minor if limit.patch_open else version > limit.version


def _at_least(version: Precedence, limit: _Constraint) -> bool:
    return version >= limit.version


def _less(version: Precedence, limit: _Constraint) -> bool:
    return version < limit.version


def _at_most(version: Precedence, limit: _Constraint) -> bool:
    if not limit.open:
        return version <= limit.version
    if version.major != limit.version.major:
        return version.major < limit.version.major
    return limit.minor_open or version.minor <= limit.version.minor


def _tilde(version: Precedence, limit: _Constraint) -> bool:
    base = limit.version
    if version < base:
        return False
    if (base.major, base.minor, base.patch) == (0, 0, 0) and not limit.minor_open and not limit.patch_open:
        return True
    return version.major == base.major and (limit.minor_open or version.minor == base.minor)


def _caret(version: Precedence, limit: _Constraint) -> bool:
    base = limit.version
    if version < base:
        return False
    if limit.major_open:
        return True
    if base.major > 0 or limit.minor_open or version.major > 0:
        return version.major == base.major
    if base.minor > 0 or limit.patch_open or version.minor > 0:
        return version.minor == base.minor
    return version.patch == base.patch


_BOUNDED: Final = frozenset((_equal, _less, _at_most, _tilde, _caret))
"""Rules by which no higher major release fits than the one they name, unless that is 0.0.0."""

_RULES: Final[Mapping[str, Callable[[Precedence, _Constraint], bool]]] = {
    "": _equal,
    "=": _equal,
    "!=": _not_equal,
    ">": _greater,
    ">=": _at_least,
    "=>": _at_least,
    "<": _less,
    "<=": _at_most,
    "=<": _at_most,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}
