"""Version ranges against the documented behaviour of github.com/Masterminds/semver v3."""

from __future__ import annotations

import pytest
import semver

from weir.select.semver_range import SemverRange, parse_version
from weir.spec.errors import SpecError

MATCHES = [
    ("1.2.3", "1.2.3", "1.2.4 1.2.3-rc.1"),
    ("=2.0.0", "2.0.0 v2.0.0 2.0.0+build.7", "2.0.1"),
    ("!=1.2.3", "1.2.4 2.0.0", "1.2.3 1.2.4-rc.1"),
    ("!=1.2.x", "1.3.0 2.2.1", "1.2.0 1.2.9"),
    ("!=1", "2.0.0 0.1.0", "1.0.0 1.9.9"),
    (">1.2", "1.3.0 2.0.0", "1.2.5 1.1.0"),
    (">11", "12.0.0", "11.1.0 10.9.9"),
    ("<1.2.x", "1.1.9", "1.2.0"),
    ("<=1.2", "1.2.9 1.0.0", "1.3.0 2.0.0"),
    ("<=11", "11.9.9", "12.0.0"),
    ("=<1.2.3", "1.2.3", "1.2.4"),
    ("=>1.2.3", "1.2.3 9.0.0", "1.2.2"),
    ("1.2.x", "1.2.0 1.2.99", "1.3.0 1.2.1-beta"),
    ("1.X", "1.0.0 1.99.0", "2.0.0 0.9.0"),
    ("1", "1.5.0", "2.0.0"),
    ("*", "0.0.1 99.0.0", "1.0.0-rc.1"),
    ("*-0", "1.0.0-rc.1 1.0.0", ""),
    ("x", "4.5.6", ""),
    ("~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"),
    ("~1", "1.0.0 1.9.0", "2.0.0"),
    ("~2.3", "2.3.0 2.3.9", "2.4.0"),
    ("~>1.2", "1.2.5", "1.3.0"),
    ("~0.0.0", "0.0.0 3.0.0", ""),
    ("^1.2.3", "1.2.3 1.9.0", "2.0.0 1.2.2 1.5.0-rc"),
    ("^1.x", "1.0.0 1.9.9", "2.0.0"),
    ("^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2 1.0.0"),
    ("^0.2", "0.2.0 0.2.9", "0.3.0"),
    ("^0.0.3", "0.0.3", "0.0.4 0.1.0"),
    ("^0.0", "0.0.0 0.0.9", "0.1.0"),
    ("^0", "0.0.0 0.9.9", "1.0.0"),
    ("1.2 - 1.4.5", "1.2.0 1.4.5", "1.1.9 1.4.6"),
    ("2 - 4", "2.0.0 4.9.9", "5.0.0 1.9.9"),
    (">=1.0.0 <2.0.0", "1.0.0 1.9.9", "2.0.0"),
    (">= 1.0.0, < 2.0.0", "1.0.0 1.9.9", "2.0.0 2.0.0-rc"),
    (">=1.0.0-0 <2.0.0", "1.0.0-alpha 1.5.0-rc.1 2.0.0-rc", "2.0.0"),
    (">=1.2.0-rc.1 || 0.1.0", "1.2.0-rc.2 0.1.0", "0.1.0-rc.1 1.2.0-rc.0"),
    ("<1 || >=3", "0.9.0 3.0.0", "1.0.0 2.9.9"),
    ("^1.0.0||^3.0.0", "1.1.0 3.1.0", "2.0.0"),
    ("v1.2.x", "1.2.7", "1.3.0"),
    (">v1.2.3", "1.2.4", "1.2.3"),
]  # fmt: skip


def version(text: str) -> semver.Version:
    found = parse_version(text)
    assert found is not None, text
    return found


@pytest.mark.parametrize(("text", "inside", "outside"), MATCHES, ids=[row[0] for row in MATCHES])
def test_ranges(text: str, inside: str, outside: str) -> None:
    wanted = SemverRange.parse(text)
    assert [item for item in inside.split() if not wanted.matches(version(item))] == []
    assert [item for item in outside.split() if wanted.matches(version(item))] == []


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "latest", ">=", "1.2.3.4", ">1 >", "1,,2", "|| 1", "1 |", "^^1", ">=1.2.3 foo", "1.2.3,", "1x.2",
        "~1.2.3-", "9" * 300,
    ],
)  # fmt: skip
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="semver range"):
        SemverRange.parse(text)


@pytest.mark.parametrize(
    ("tag", "want"),
    [
        ("v1.2.3", "1.2.3"),
        ("1.2.3", "1.2.3"),
        ("01.002.0003", "1.2.3"),
        ("v1.0.0-rc.1+build.5", "1.0.0-rc.1+build.5"),
        ("1.2", None),
        ("v1", None),
        ("1.2.3.4", None),
        ("release-1.2.3", None),
        ("V1.2.3", None),
        ("1.2.3-01", None),
        ("1.2.\u0663", None),
        ("1.2." + "9" * 30, None),
    ],
)
def test_tags_that_are_versions(tag: str, want: str | None) -> None:
    found = parse_version(tag)
    assert (None if found is None else str(found)) == want
