"""Which tag a policy means: Flux's policies, Flux 1's patterns, Go's patterns and templates."""

from __future__ import annotations

import pytest

from tests.support.image_policies import ID, WHERE, Asked, policy
from weir.select.tags import counted
from weir.select.workload_tags import ALL, WorkloadPattern
from weir.spec.errors import SpecError
from weir.spec.go_regexp import Pattern
from weir.spec.image_policy import AlphabeticalRule, NumericalRule, Rule, SemverRule
from weir.spec.image_repository import EXCLUDED, ImageRepositorySpec

UP, DOWN = NumericalRule(), NumericalRule(descending=True)
CASES: list[tuple[Rule, str, str, str, str | None]] = [
    (SemverRule(">=1.0.0"), "", "", "1.2.0 1.10.0 1.9.0", "1.10.0"),
    (SemverRule("1.x"), "", "", "1.2.0 v1.3.0 2.0.0", "v1.3.0"),
    (SemverRule(">=1.0.0"), "", "", "1.0.0 2.0.0-rc.1", "1.0.0"),
    (SemverRule(">=1.0.0-0"), "", "", "1.0.0 2.0.0-rc.1 2.0.0-rc.2 2.0.0-alpha.10", "2.0.0-rc.2"),
    (SemverRule(">=1.0.0-0"), "", "", "1.0.0-2 1.0.0-10 1.0.0-alpha 1.0.0-alpha.1", "1.0.0-alpha.1"),
    (SemverRule(">=1.0.0-0"), "", "", "1.0.0-rc.2 1.0.0-rc.10", "1.0.0-rc.10"),
    (SemverRule("*"), "", "", "latest 1.2 main 7f3a 0.1.0", "0.1.0"),
    (SemverRule("*"), "", "", "latest 1.2 main", None),
    (SemverRule("1.x"), "", "", "v1.0.0 1.0.0", "v1.0.0"),
    (SemverRule("1.x"), "-alpine$", "", "1.2.0 1.1.0-alpine", None),
    (SemverRule("1.x-0"), "-alpine$", "", "1.2.0 1.1.0-alpine", "1.1.0-alpine"),
    (
        SemverRule(">=1.0.0"),
        r"^release-(.*)$",
        "$1",
        "release-1.2.0 release-1.10.0 9.0.0",
        "release-1.10.0",
    ),
    (AlphabeticalRule(), "", "", "a c b", "c"),
    (AlphabeticalRule(descending=True), "", "", "c a b", "a"),
    (AlphabeticalRule(), "", "", "RELEASE.2024-01 RELEASE.2023-12", "RELEASE.2024-01"),
    (UP, "", "", "1 10 9", "10"),
    (DOWN, "", "", "10 9 11", "9"),
    (UP, "", "", "3 latest 7f3a 12", "12"),
    (UP, "", "", "1.5 1.25 -3 1e0", "1.5"),
    (UP, "", "", "inf nan Infinity 1e400 1_000 ٣ 2", "2"),
    (UP, "", "", "latest main", None),
    (UP, r"-(\d+)$", "$1", "a-1704457845123456789 b-1704457845123456788", "a-1704457845123456789"),
    (UP, r"^main-[a-f0-9]+-(?P<ts>[0-9]+)$", "$ts", "main-ab-5 main-cd-40 dev-ab-90 main-x-99", "main-cd-40"),
    (UP, r"^build-(\d+)(-rc)?$", "${1}", "build-7 build-8-rc", "build-8-rc"),
    (UP, r"^(?P<n>\d+)-", "$n", "7-b 7-c 7-a", "7-c"),
    (DOWN, r"^(?P<n>\d+)-", "$n", "7-b 7-c 7-a", "7-a"),
]


@pytest.mark.parametrize(("rule", "pattern", "extract", "tags", "want"), CASES)
def test_the_latest_tag(rule: Rule, pattern: str, extract: str, tags: str, want: str | None) -> None:
    chooser = policy(rule, pattern, extract)
    assert chooser.latest(tags.split()) == want
    assert chooser.latest(reversed(tags.split())) == want
    assert next(iter(chooser.ranked(tags.split())), None) == want


def test_ranked_lists_what_fits_and_nothing_else() -> None:
    tags = ("1.1.0", "latest", "2.0.0", "v1.2.0", "1.3.0-rc.1", "1.0.0")
    assert policy(SemverRule("1.x")).ranked(tags) == ("v1.2.0", "1.1.0", "1.0.0")
    assert policy(AlphabeticalRule(descending=True)).ranked("bca") == ("a", "b", "c")


def test_the_error_for_nothing_says_what_was_looked_for() -> None:
    text = str(policy(SemverRule("9.x"), "^v").nothing(214))
    assert text.startswith("found no tag for the semver range '9.x' with filter '^v' among 214; ")


@pytest.mark.parametrize(
    ("rule", "pattern", "field", "expected"),
    [
        (SemverRule("newest"), "", "spec.policy.semver.range: found 'newest'", "a semver range such as"),
        (UP, "(", "spec.filterTags.pattern: found '('", "a regular expression in Go's syntax"),
        (UP, "a(?=b)", "spec.filterTags.pattern: found 'a(?=b)'", "a regular expression in Go's syntax"),
    ],
)
def test_a_bad_text_names_its_field(rule: Rule, pattern: str, field: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        policy(rule, pattern)
    assert str(caught.value).startswith(f"{WHERE}: {field}")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (EXCLUDED, ["1.0", "1.0.sig-x", "rc-1"]),
        (("^rc-", r"\.sig$"), ["1.0", "1.0.sig-x"]),
        (("1",), []),
    ],
)
def test_excluded_tags_do_not_count(patterns: tuple[str, ...], left: list[str]) -> None:
    assert list(counted(images(patterns), ("1.0", "sha256-1.sig", "1.0.sig-x", "rc-1"))) == left


def test_a_bad_exclusion_is_named() -> None:
    with pytest.raises(SpecError, match=r"f\.yaml: ImagePolicy/apps/web: spec\.exclusionList: found '\*'"):
        counted(images(("*",)), ())


def images(patterns: tuple[str, ...]) -> ImageRepositorySpec:
    return ImageRepositorySpec(
        id=ID, where=WHERE, annotations={}, image="web", interval=1, timeout=1, exclusion_list=patterns
    )


@pytest.mark.parametrize(
    ("template", "want"),
    [
        ("$ts", "12"), ("${ts}", "12"), ("$2", "12"), ("$b$ts", "main12"), ("$tsx", ""), ("${ts}x", "12x"),
        ("$$ts", "$ts"), ("$$$ts", "$12"), ("$", "$"), ("${", "${"), ("${}", "${}"), ("$1x", ""), ("$3", ""),
        ("$9", ""), ("$0", "main-abc-12"), ("a$-b", "a$-b"), ("${ts", "${ts"), ("$01", ""), ("$\u00e9", ""),
        ("${a b}", "${a b}"), ("$000", ""), ("$123456789", ""), ("\u00fc${ts}\u00fc", "\u00fc12\u00fc"),
    ],
)  # fmt: skip
def test_templates_expand_as_in_go(template: str, want: str) -> None:
    pattern = Pattern.parse("^(?P<b>main|dev)-[a-f0-9]+-(?P<ts>[0-9]+)(x)?$", "", "")
    assert pattern.template(template).fill("main-abc-12") == want
    assert pattern.template(template).fill("other") is None


BUILT = {"1.0": 100.0, "1.1": 300.0, "1.2": 200.0, "2.0": 400.0, "old": 0.0}


@pytest.mark.parametrize(
    ("text", "tags", "want"),
    [
        (ALL, "1.0 1.1 1.2 2.0 old", "2.0"),
        ("glob:1.*", "1.0 1.1 1.2 2.0", "1.1"),
        ("1.*", "1.0 1.1 1.2 2.0", "1.1"),
        ("glob:*.0", "1.0 1.1 2.0", "2.0"),
        ("glob:1", "1.0 1.1", None),
        ("glob:1?0", "1.0", None),
        ("glob:old", "old", None),
        ("glob:unknown", "unknown", None),
        ("regexp:^1", "1.0 1.2 2.0", "1.2"),
        ("regex:0", "1.0 1.1 1.2", "1.0"),
        ("semver:~1", "1.0 1.1 1.2 2.0 old", "1.2"),
        ("semver:~0.0", "0.0.9 0.0.10 v0.0.2 0.1.0 0.0 latest", "0.0.10"),
        ("semver:*", "v1 1.0.0-rc.1 v1.0", "v1.0"),
    ],
)
def test_patterns_of_flux_1(text: str, tags: str, want: str | None) -> None:
    pattern = WorkloadPattern.parse(text, WHERE, "tag.web")
    chooser = pattern.policy(BUILT)
    assert chooser.latest(tags.split()) == want
    assert chooser.latest(reversed(tags.split())) == want
    assert want is None or pattern.matches(want)


def test_tags_built_at_the_same_time_go_by_name() -> None:
    chooser = WorkloadPattern.parse(ALL, WHERE, "tag.web").policy({"a": 5.0, "c": 5.0, "b": 5.0})
    assert chooser.ranked("abc") == ("c", "b", "a")


def test_dates_are_asked_for_only_of_tags_that_match() -> None:
    built = Asked(BUILT)
    WorkloadPattern.parse("glob:1.*", WHERE, "tag.web").policy(built).latest(BUILT)
    assert built.asked == {"1.0", "1.1", "1.2"}


@pytest.mark.parametrize(("text", "by_date"), [("glob:*", True), ("regex:x", True), ("semver:*", False)])
def test_only_versions_need_no_dates(text: str, by_date: bool) -> None:
    assert WorkloadPattern.parse(text, WHERE, "tag.web").by_date is by_date


@pytest.mark.parametrize(("text", "found"), [("semver:newest", "newest"), ("regexp:(", "(")])
def test_a_bad_pattern_of_flux_1_is_refused(text: str, found: str) -> None:
    with pytest.raises(SpecError) as caught:
        WorkloadPattern.parse(text, WHERE, "tag.web")
    assert str(caught.value).startswith(f"{WHERE}: tag.web: found {found!r}, expected ")
