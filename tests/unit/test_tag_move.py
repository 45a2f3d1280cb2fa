"""Whether an image moves: never back unless allowed, never to a tag too young; and when its tag is gone."""

from __future__ import annotations

import pytest

from tests.support.image_policies import Asked, policy
from weir.select.tag_move import Ages, decide, reflected_digest
from weir.select.workload_tags import WorkloadPattern
from weir.spec.image_policy import MoveRules, NumericalRule, Reflection, SemverRule

STRICT = MoveRules()
BACK = MoveRules(allow_downgrade=True)
ROLLBACK = MoveRules(missing_tag="rollback")
DAY_OLD = MoveRules(minimum_age=86400.0)
NOW = 1_700_000_000.0
ONE = policy(SemverRule("1.x"))


@pytest.mark.parametrize(
    ("rules", "current", "tags", "tag", "verdict", "gone"),
    [
        (STRICT, "", "1.0.0 1.1.0", "1.1.0", "first", False),
        (STRICT, "1.1.0", "1.0.0 1.1.0", "1.1.0", "current", False),
        (STRICT, "1.0.0", "1.0.0 1.1.0", "1.1.0", "move", False),
        (STRICT, "1.0.0", "1.1.0", "1.1.0", "move", True),
        (STRICT, "2.0.0", "1.0.0 2.0.0", "2.0.0", "hold", False),
        (BACK, "2.0.0", "1.0.0 2.0.0", "1.0.0", "downgrade", False),
        (ROLLBACK, "2.0.0", "1.0.0 2.0.0", "2.0.0", "hold", False),
        (STRICT, "1.1.0", "1.0.0", "1.1.0", "hold", True),
        (ROLLBACK, "1.1.0", "1.0.0 0.9.0", "1.0.0", "rollback", True),
        (ROLLBACK, "1.1.0", "1.0.0 1.2.0", "1.2.0", "move", True),
        (BACK, "1.1.0", "1.0.0", "1.0.0", "downgrade", True),
        (ROLLBACK, "1.1.0", "", "1.1.0", "hold", True),
        (ROLLBACK, "1.1.0", "latest 2.0.0", "1.1.0", "hold", True),
        (STRICT, "", "latest", "", "hold", False),
        (STRICT, "latest", "latest 1.0.0", "1.0.0", "move", False),
    ],
)
def test_moves(rules: MoveRules, current: str, tags: str, tag: str, verdict: str, gone: bool) -> None:
    decision = decide(ONE, tags.split(), current, rules)
    assert (decision.tag, decision.verdict, decision.gone) == (tag, verdict, gone)
    assert decision.moves == (tag != current)


@pytest.mark.parametrize(
    ("rules", "current", "tags", "words"),
    [
        (STRICT, "2.0.0", "1.0.0 2.0.0", ("2.0.0 is in use and 1.0.0", 'weir.dev/allow-downgrade: "true"')),
        (
            STRICT,
            "1.1.0",
            "1.0.0",
            ("1.1.0 is gone from the registry", "weir.dev/missing-tag", "to use 1.0.0"),
        ),
        (STRICT, "1.1.0", "x", ("1.1.0 is gone", "no tag for the semver range '1.x' among 1")),
        (ROLLBACK, "1.1.0", "1.0.0", ("1.1.0 is gone from the registry",)),
    ],
)
def test_what_is_unusual_is_said(rules: MoveRules, current: str, tags: str, words: tuple[str, ...]) -> None:
    reason = decide(ONE, tags.split(), current, rules).reason
    assert [word for word in words if word not in reason] == []


def test_nothing_is_said_of_the_usual() -> None:
    assert {
        decide(ONE, ("1.0.0", "1.1.0"), current, STRICT).reason for current in ("", "1.0.0", "1.1.0")
    } == {""}


def test_down_is_forward_for_a_descending_policy() -> None:
    lowest = policy(NumericalRule(descending=True))
    assert decide(lowest, ("5", "7"), "7", STRICT).tag == "5"
    assert decide(lowest, ("7",), "5", STRICT).verdict == "hold"


def test_another_line_of_tags_is_no_downgrade() -> None:
    alpine = policy(SemverRule("1.x"), "^(.*)-alpine$", "$1")
    decision = decide(alpine, ("2.0.0", "1.0.0-alpine"), "2.0.0", STRICT)
    assert (decision.tag, decision.verdict) == ("1.0.0-alpine", "move")


def built(**days_ago: float) -> Asked:
    return Asked({tag.replace("_", "."): NOW - days * 86400 for tag, days in days_ago.items()})


@pytest.mark.parametrize(
    ("days", "current", "tag", "verdict", "waiting"),
    [
        ({"1_0_0": 9, "1_1_0": 2}, "1.0.0", "1.1.0", "move", ""),
        ({"1_0_0": 9, "1_1_0": 1}, "1.0.0", "1.1.0", "move", ""),
        ({"1_0_0": 9, "1_1_0": 0.9}, "1.0.0", "1.0.0", "current", "1.1.0"),
        ({"1_0_0": 9, "1_1_0": 5, "1_2_0": 0.5}, "1.0.0", "1.1.0", "move", "1.2.0"),
        ({"1_0_0": 0.1, "1_1_0": 0.1}, "1.0.0", "1.0.0", "current", "1.1.0"),
        ({"1_0_0": 0.1}, "", "", "hold", "1.0.0"),
        ({"1_0_0": 9, "1_1_0": NOW / 86400}, "1.0.0", "1.0.0", "current", "1.1.0"),
    ],
)
def test_a_tag_counts_once_it_is_old_enough(
    days: dict[str, float], current: str, tag: str, verdict: str, waiting: str
) -> None:
    ages = Ages(built(**days), NOW)
    decision = decide(ONE, tuple(ages.created), current, DAY_OLD, ages)
    assert (decision.tag, decision.verdict, decision.waiting) == (tag, verdict, waiting)
    assert (f"{waiting} waits: it is not known to be 24h old" in decision.reason) == bool(waiting)


@pytest.mark.parametrize(
    ("current", "asked"), [("1.0.0", {"1.3.0", "1.2.0"}), ("1.3.0", set()), ("1.2.5", {"1.3.0"})]
)
def test_no_more_dates_are_asked_for_than_needed(current: str, asked: set[str]) -> None:
    days = built(**{"1_0_0": 9, "1_1_0": 9, "1_2_0": 9, "1_3_0": 0})
    decide(ONE, tuple(days), current, DAY_OLD, Ages(days, NOW))
    assert days.asked == asked


def test_a_young_tag_in_use_stays_in_use() -> None:
    rules = MoveRules(minimum_age=86400.0, allow_downgrade=True)
    ages = Ages(built(**{"1_0_0": 9, "1_1_0": 0.5}), NOW)
    assert decide(ONE, tuple(ages.created), "1.1.0", rules, ages).verdict == "current"


def test_a_rollback_is_old_enough_too() -> None:
    rules = MoveRules(minimum_age=86400.0, missing_tag="rollback")
    ages = Ages(built(**{"1_0_0": 9, "1_1_0": 0.5}), NOW)
    decision = decide(ONE, tuple(ages.created), "1.2.0", rules, ages)
    assert (decision.tag, decision.verdict) == ("1.0.0", "rollback")


@pytest.mark.parametrize(
    ("current", "tags", "rules", "tag", "verdict"),
    [
        ("a", "a b", STRICT, "b", "move"),
        ("c", "a b c", STRICT, "c", "hold"),
        ("c", "a b c", BACK, "b", "downgrade"),
        ("c", "a b", STRICT, "c", "hold"),
        ("c", "a b", ROLLBACK, "b", "rollback"),
        ("other", "a b other", STRICT, "b", "move"),
        ("late", "a b late", STRICT, "late", "hold"),
    ],
)
def test_build_dates_guard_whatever_a_tag_is_called(
    current: str, tags: str, rules: MoveRules, tag: str, verdict: str
) -> None:
    chooser = WorkloadPattern.parse("regexp:^.$", "w", "f").policy(
        {"a": 1.0, "b": 2.0, "other": 1.5, "late": 3.0}
    )
    decision = decide(chooser, tags.split(), current, rules)
    assert (decision.tag, decision.verdict) == (tag, verdict)


@pytest.mark.parametrize(
    ("mode", "before", "want"),
    [
        ("Never", "", ""),
        ("Never", "sha256:a", ""),
        ("IfNotPresent", "", "sha256:b"),
        ("IfNotPresent", "sha256:a", "sha256:a"),
        ("Always", "", "sha256:b"),
        ("Always", "sha256:a", "sha256:b"),
    ],
)
def test_the_digest_that_is_written(mode: Reflection, before: str, want: str) -> None:
    assert reflected_digest(mode, "sha256:b", before) == want
