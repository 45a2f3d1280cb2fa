"""Laws of image policies and of moving from one tag to another."""

from __future__ import annotations

import itertools
import random

import pytest
import semver
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.image_policies import policy
from weir.select.semver_range import Precedence, SemverRange, parse_precedence, precedence
from weir.select.tag_move import Ages, decide
from weir.select.tags import TagPolicy
from weir.select.workload_tags import WorkloadPattern
from weir.spec.errors import SpecError
from weir.spec.image_policy import AlphabeticalRule, MoveRules, NumericalRule, SemverRule

pytestmark = pytest.mark.property

number = st.integers(0, 2)
prerelease = st.none() | st.sampled_from(["alpha", "alpha.1", "alpha.beta", "rc.2", "rc.10", "1", "0"])
versions = st.builds(semver.Version, number, number, number, prerelease)
version_tags = st.builds("{}{}".format, st.sampled_from(["", "v"]), versions)
odd_tags = st.sampled_from(
    [
        "1",
        "v1",
        "1.0",
        "1-rc.2",
        "1.2+b",
        "01.0.0",
        "1.00.1",
        "1.2.3.4",
        "1.x",
        "2.0.0-01",
        "1.0.0-",
        "1.1.1+b",
    ]
) | st.sampled_from(
    ["1.0.0\n2.0.0", "0.1.0\n", f"{10**19}.0.0", f"1.{10**19}.0", f"{0:030}.1.0", f"1.0.0-{'a' * 250}"]
)
number_tags = st.from_regex(r"-?[0-9]{1,3}(\.[0-9]{1,2})?", fullmatch=True)
branch_tags = st.builds("{}-{}".format, st.sampled_from(["main", "dev"]), st.integers(0, 30))
any_tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,8}", fullmatch=True)
tags = st.lists(version_tags | odd_tags | number_tags | branch_tags | any_tags, max_size=12)
ranges = st.sampled_from(["*", ">=1.0.0", "1.x", "~1.2", "^0.3.0 || >=2.0.0-0", "<=2.0.0-rc.5", "!=1.1.1"])
limits = st.builds(
    "{}{}".format,
    st.sampled_from(["", "=", "!=", ">", ">=", "<", "<=", "~", "^"]),
    st.sampled_from(
        [
            "*",
            "0",
            "1",
            "0.0",
            "0.1",
            "1.x",
            "1.1",
            "0.0.0",
            "0.0.1",
            "0.1.0",
            "1.0.0",
            "1.1.1",
            "2.0.0-rc.2",
            "0.0.0-0",
        ]
    ),
)
any_ranges = st.lists(st.lists(limits, min_size=1, max_size=2).map(" ".join), min_size=1, max_size=2).map(
    " || ".join
)
times = st.dictionaries(version_tags | branch_tags, st.integers(0, 5).map(float), max_size=12)
policies = st.one_of(
    ranges.map(SemverRule).map(policy),
    st.builds(AlphabeticalRule, st.booleans()).map(policy),
    st.builds(NumericalRule, st.booleans()).map(policy),
    st.builds(NumericalRule, st.booleans()).map(lambda rule: policy(rule, r"^main-(?P<n>\d+)$", "$n")),
    st.builds(AlphabeticalRule, st.booleans()).map(lambda rule: policy(rule, r"^(.).*", "$1")),
    times.map(lambda built: WorkloadPattern.parse("glob:*1*", "w", "f").policy(built)),
    ranges.map(lambda text: WorkloadPattern.parse(f"semver:{text}", "w", "f").policy({})),
)
rules = st.builds(
    MoveRules,
    minimum_age=st.sampled_from([0.0, 2.0]),
    allow_downgrade=st.booleans(),
    missing_tag=st.sampled_from(["hold", "rollback"]),
)
NOW = 5.0


class TestLatest:
    """The tag chosen is one of the list, whatever its order, and the first of the ranking."""

    @given(policies, tags)
    def test_it_is_in_the_list_and_first_of_the_ranking(self, chooser: TagPolicy, names: list[str]) -> None:
        latest, ranked = chooser.latest(names), chooser.ranked(names)
        assert latest == next(iter(ranked), None)
        assert set(ranked) <= set(names)
        assert len(set(ranked)) == len(ranked)

    @given(policies, tags, st.randoms(use_true_random=False))
    def test_the_order_of_the_list_does_not_matter(
        self, chooser: TagPolicy, names: list[str], dice: random.Random
    ) -> None:
        shuffled = [*names, *names[:2]]
        dice.shuffle(shuffled)
        assert chooser.latest(shuffled) == chooser.latest(names)
        assert chooser.ranked(shuffled) == chooser.ranked(names)

    @given(policies, tags, tags)
    def test_tags_that_it_would_not_prefer_change_nothing(
        self, chooser: TagPolicy, names: list[str], more: list[str]
    ) -> None:
        latest = chooser.latest(names)
        lower = [tag for tag in more if latest is not None and not chooser.prefers(tag, latest)]
        unfit = [tag for tag in more if chooser.latest((tag,)) is None]
        assert chooser.latest([*lower, *names, *unfit]) == latest

    @given(policies, tags)
    def test_nothing_in_the_list_that_fits_is_preferred_to_it(
        self, chooser: TagPolicy, names: list[str]
    ) -> None:
        latest = chooser.latest(names)
        assume(latest is not None)
        fitting = chooser.ranked(names)
        assert not any(chooser.prefers(tag, latest or "") for tag in fitting)
        assert all(chooser.prefers(latest or "", tag) for tag in fitting if tag != latest)

    @given(ranges, tags)
    def test_a_range_holds(self, text: str, names: list[str]) -> None:
        latest = policy(SemverRule(text)).latest(names)
        wanted = SemverRange.parse(text)
        places = [place for place in map(parse_precedence, names) if place and wanted.admits(place)]
        assert (parse_precedence(latest) if latest else None) == max(places, default=None)

    @given(st.lists(st.text(max_size=6), max_size=6), policies)
    def test_no_text_makes_it_fail(self, names: list[str], chooser: TagPolicy) -> None:
        assert chooser.latest([*names, "1.2.0", "2.0.0", "main-1", "1"]) is not None or chooser.order.by_date


class TestPrecedence:
    """Places compare as https://semver.org/#spec-item-11 says, on which the `semver` package agrees."""

    @given(versions, versions)
    def test_places_compare_as_versions(self, left: semver.Version, right: semver.Version) -> None:
        assert (precedence(left) < precedence(right)) == (left < right)
        assert (precedence(left) == precedence(right)) == (left == right)

    @given(versions)
    def test_a_tag_stands_where_its_version_stands(self, version: semver.Version) -> None:
        assert parse_precedence(f"v{version}") == parse_precedence(str(version)) == precedence(version)


class TestDecide:
    """An image stays, or moves to a tag of the registry that its policy and the rules allow."""

    @given(policies, tags, st.data(), rules, times)
    def test_every_move_is_allowed(
        self,
        chooser: TagPolicy,
        names: list[str],
        data: st.DataObject,
        allowed: MoveRules,
        built: dict[str, float],
    ) -> None:
        current = data.draw(st.sampled_from(["", *names]) | version_tags | branch_tags)
        ages = Ages(built, NOW)
        decision = decide(chooser, names, current, allowed, ages)
        assert decision.gone == (current != "" and current not in names)
        assert decision.moves == (decision.tag != current)
        if not decision.moves:
            return
        assert decision.tag in chooser.ranked(names)
        assert allowed.minimum_age == 0 or ages.old_enough(decision.tag, allowed.minimum_age)
        if current and chooser.prefers(current, decision.tag):
            assert allowed.allow_downgrade or (decision.gone and allowed.missing_tag == "rollback")

    @given(policies, tags, st.data(), rules, times)
    def test_a_second_look_changes_nothing(
        self,
        chooser: TagPolicy,
        names: list[str],
        data: st.DataObject,
        allowed: MoveRules,
        built: dict[str, float],
    ) -> None:
        current = data.draw(st.sampled_from(["", *names]) | version_tags)
        ages = Ages(built, NOW)
        first = decide(chooser, names, current, allowed, ages)
        again = decide(chooser, list(reversed(names)), first.tag, allowed, ages)
        assert again.tag == first.tag
        assert not again.moves


class TestPatterns:
    """Every text is a pattern of Flux 1 or an error that names it; a glob without `*` is one tag."""

    @given(st.text(max_size=12))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            WorkloadPattern.parse(text, "w", "tag.web").matches("1.0.0")
        except SpecError as err:
            assert str(err).startswith("w: tag.web: found ")  # noqa: PT017 - only this error may come

    @given(any_tags, any_tags)
    def test_a_glob_is_literal_but_for_the_star(self, left: str, right: str) -> None:
        matches = WorkloadPattern.parse(f"glob:{left}*{right}", "w", "f").matches
        assert matches(left + right)
        assert matches(f"{left}.{right}")
        assert WorkloadPattern.parse(left, "w", "f").matches(right) == (left == right)


class TestNewest:
    """The short way to the highest version in a range finds what looking at every tag finds."""

    @given(any_ranges.map(SemverRange.parse), tags)
    def test_portions_hold_all_that_is_admitted_from_the_highest(
        self, wanted: SemverRange, names: list[str]
    ) -> None:
        portions = [portion for portion in wanted.newest(names, parse_precedence) if portion]
        places = ((name, parse_precedence(name)) for name in names)
        slowly = {name: place for name, place in places if place is not None and wanted.admits(place)}
        assert {
            name: place for portion in portions for name, place in portion.items() if name in names
        } == slowly
        assert all(min(one.values()) > max(two.values()) for one, two in itertools.pairwise(portions))

    @pytest.mark.parametrize("text", [">1", ">=1.1.0", "!=1.0.0", "*", ">0.0.0 || <1", "~0.0.0", "^1 || ^2"])
    def test_a_higher_major_release_is_not_passed_over(self, text: str) -> None:
        (newest, *_) = SemverRange.parse(text).newest(["1.2.0", "2.0.0", "0.9.0"], parse_precedence)
        assert newest.keys() == {"2.0.0"}

    def test_a_number_that_is_not_written_is_zero(self) -> None:
        chooser = WorkloadPattern.parse("semver:*", "w", "f").policy({})
        assert [chooser.latest([tag, "1.0.1"]) for tag in ("v1", "v1.0", "1.0.2", "1.1")] == ["1.0.1"] * 2 + [
            "1.0.2",
            "1.1",
        ]

    def test_one_of_many_tags_is_found_without_reading_all_of_them(self) -> None:
        read: list[str] = []

        def place(text: str) -> Precedence | None:
            read.append(text)
            return parse_precedence(text)

        names = [f"{major}.{minor}.0" for major in range(20) for minor in range(20)]
        assert next(SemverRange.parse("^7.3.0").newest(names, place)).keys() == {"7.19.0"}
        assert read == ["7.19.0"]
