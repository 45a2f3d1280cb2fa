"""What is wrong with objects: known for as long as it lasts, told once when it begins and once when it is over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weir.flow.repair import Outcome, Repair
from weir.objects.health import Health
from weir.spec.identity import ObjectId, UnitId
from weir.watch.findings import Findings, HealthNews
from weir.watch.view import Finding, ObjectNote

UNIT = UnitId("Kustomization", "prod", "shop")
WEB = ObjectId("apps", "Deployment", "prod", "web")
WORKER = ObjectId("apps", "Deployment", "prod", "worker")
PATIENCE = 60.0
READY = Health("Current", "is available")
WAITS = Health("InProgress", "available: 0/2")
FAILED = Health("Failed", "ProgressDeadlineExceeded")
REPORTED = Repair(id=WEB, outcome=Outcome.REPORTED, text="spec.replicas: 5 -> 2")
REFUSED = Repair(id=WEB, outcome=Outcome.REFUSED, text="the webhook says no", missing=True)


def begun(*unproven: ObjectId, digest: str = "1") -> Findings:
    """A unit of two objects, of which an apply waited for all but the `unproven`."""
    findings = Findings()
    findings.begin(UNIT, digest, {WEB, WORKER}, set(unproven), PATIENCE)
    return findings


def see(findings: Findings, health: Health, now: float = 0.0, item: ObjectId = WEB) -> list[HealthNews]:
    findings.judged(UNIT, item, health, now)
    return findings.news(now)


def finding(findings: Findings, item: ObjectId = WEB) -> list[Finding]:
    return [note.finding for note in findings.notes(UNIT).get(item, ())]


def lost(*items: ObjectId, health: Health = FAILED) -> list[HealthNews]:
    return [HealthNews(unit=UNIT, lost=dict.fromkeys(items, health.message))]


def regained(*items: ObjectId) -> list[HealthNews]:
    return [HealthNews(unit=UNIT, regained=items)]


def test_drift_stays_until_the_object_is_as_desired() -> None:
    findings = begun()
    assert findings.drifted(UNIT, REPORTED)
    assert findings.notes(UNIT) == {WEB: (ObjectNote(Finding.DRIFTED, "spec.replicas: 5 -> 2"),)}
    findings.settled(UNIT, WEB)
    assert findings.notes(UNIT) == {}


def test_the_same_drift_is_news_once_and_again_after_it_was_over() -> None:
    findings = begun()
    assert findings.drifted(UNIT, REPORTED)
    assert not findings.drifted(UNIT, REPORTED)
    assert findings.drifted(UNIT, REFUSED)
    findings.settled(UNIT, WEB)
    assert findings.drifted(UNIT, REFUSED)


def test_what_cannot_be_brought_back_is_missing_and_says_why() -> None:
    findings = begun()
    findings.drifted(UNIT, REFUSED)
    assert findings.notes(UNIT) == {WEB: (ObjectNote(Finding.MISSING, "not corrected: the webhook says no"),)}


def test_drift_and_health_of_one_object_are_both_known() -> None:
    findings = begun()
    findings.drifted(UNIT, REPORTED)
    see(findings, FAILED)
    assert finding(findings) == [Finding.DRIFTED, Finding.FAILED]
    findings.settled(UNIT, WEB)
    assert finding(findings) == [Finding.FAILED]


def test_what_fails_is_told_at_once_and_its_recovery_too() -> None:
    findings = begun()
    assert see(findings, READY) == []
    assert see(findings, FAILED, 1.0) == lost(WEB)
    assert see(findings, FAILED, 2.0) == []
    assert finding(findings) == [Finding.FAILED]
    assert see(findings, READY, 3.0) == regained(WEB)
    assert see(findings, READY, 4.0) == []
    assert findings.notes(UNIT) == {}


def test_what_is_in_progress_for_a_while_is_not_told_and_shows_as_such() -> None:
    findings = begun()
    assert see(findings, WAITS, 10.0) == []
    assert finding(findings) == [Finding.PROGRESSING]
    assert findings.wait(20.0) == PATIENCE - 10.0
    assert see(findings, READY, 10.0 + PATIENCE - 1) == []
    assert findings.wait(0.0) is None
    assert findings.news(10.0 + PATIENCE) == []


def test_what_stays_in_progress_is_lost_when_its_time_is_up() -> None:
    findings = begun()
    see(findings, WAITS, 10.0)
    see(findings, Health("InProgress", "available: 1/2"), 30.0)
    assert findings.news(10.0 + PATIENCE - 1) == []
    assert findings.news(10.0 + PATIENCE)[0].lost == {WEB: "available: 1/2"}
    assert findings.wait(10.0 + PATIENCE) is None
    assert finding(findings) == [Finding.FAILED]
    assert see(findings, READY, 500.0) == regained(WEB)


def test_what_never_was_healthy_cannot_lose_it() -> None:
    findings = begun(WEB)
    assert see(findings, WAITS) == []
    assert finding(findings) == [Finding.PROGRESSING]
    assert findings.wait(0.0) is None
    assert findings.news(10 * PATIENCE) == []
    assert see(findings, FAILED, 11 * PATIENCE) == lost(WEB), "it came closer, and then failed"


def test_what_is_failed_at_first_sight_shows_and_is_not_told() -> None:
    findings = begun(WEB)
    assert see(findings, FAILED) == []
    assert finding(findings) == [Finding.FAILED]


def test_a_recovery_is_told_when_everything_lost_is_well_again() -> None:
    findings = begun()
    assert see(findings, FAILED, item=WEB) == lost(WEB)
    assert see(findings, FAILED, item=WORKER) == lost(WORKER)
    assert see(findings, READY, item=WEB) == []
    assert see(findings, READY, item=WORKER) == regained(WEB, WORKER)


def test_what_is_lost_again_before_that_is_told_again() -> None:
    findings = begun()
    see(findings, FAILED, item=WEB)
    see(findings, FAILED, item=WORKER)
    see(findings, READY, item=WEB)
    assert see(findings, FAILED, item=WEB) == lost(WEB)
    see(findings, READY, item=WEB)
    assert see(findings, READY, item=WORKER) == regained(WEB, WORKER)


def test_a_deleted_object_is_drift_and_what_was_told_of_it_is_not_forgotten() -> None:
    findings = begun()
    see(findings, FAILED)
    findings.gone(UNIT, WEB)
    assert findings.notes(UNIT) == {}
    assert see(findings, WAITS, 1.0) == []
    assert see(findings, READY, 2.0) == regained(WEB)


def test_a_deleted_object_that_comes_back_has_its_whole_patience() -> None:
    findings = begun()
    see(findings, WAITS, 0.0)
    findings.gone(UNIT, WEB)
    assert see(findings, WAITS, PATIENCE - 1) == []
    assert findings.news(PATIENCE + 1) == []
    assert findings.news(2 * PATIENCE) == lost(WEB, health=WAITS)


def test_a_deleted_object_that_never_was_healthy_is_as_before_when_it_comes_back() -> None:
    findings = begun(WEB)
    see(findings, WAITS)
    findings.gone(UNIT, WEB)
    see(findings, WAITS)
    assert findings.news(2 * PATIENCE) == []


def test_a_new_revision_begins_anew_and_what_was_told_is_not_forgotten() -> None:
    findings = begun()
    see(findings, FAILED, item=WEB)
    see(findings, WAITS, item=WORKER)
    findings.drifted(UNIT, REPORTED)
    assert findings.knows(UNIT, "1")
    findings.begin(UNIT, "2", {WEB, WORKER}, {WEB, WORKER}, PATIENCE)
    assert (findings.knows(UNIT, "1"), findings.knows(UNIT, "2")) == (False, True)
    assert finding(findings, WEB) == [Finding.DRIFTED, Finding.FAILED]
    assert finding(findings, WORKER) == []
    see(findings, WAITS, item=WORKER)
    assert findings.news(2 * PATIENCE) == [], "its rollout is no loss"
    assert see(findings, READY, item=WEB) == regained(WEB)


def test_what_leaves_the_unit_leaves_its_findings() -> None:
    findings = begun()
    see(findings, FAILED, item=WEB)
    see(findings, FAILED, item=WORKER)
    see(findings, READY, item=WORKER)
    findings.drifted(UNIT, REPORTED)
    findings.begin(UNIT, "2", {WORKER}, set(), PATIENCE)
    assert findings.notes(UNIT) == {}
    assert findings.news(0.0) == regained(WORKER)
    findings.keep([])
    assert not findings.knows(UNIT, "2")


def test_units_that_are_not_held_have_no_findings() -> None:
    findings = Findings()
    assert findings.drifted(UNIT, REPORTED), "it is told all the same"
    assert see(findings, FAILED) == []
    findings.gone(UNIT, WEB)
    findings.settled(UNIT, WEB)
    assert findings.notes(UNIT) == {}


def test_sentences_are_bounded() -> None:
    findings = begun()
    findings.drifted(UNIT, Repair(id=WEB, outcome=Outcome.REPORTED, text="x" * 100_000))
    see(findings, Health("Failed", "y" * 100_000))
    assert max(len(note.text) for note in findings.notes(UNIT)[WEB]) <= 500


@given(
    st.lists(st.tuples(st.sampled_from([WEB, WORKER]), st.sampled_from([READY, WAITS, FAILED]))),
    st.sets(st.sampled_from([WEB, WORKER])),
)
def test_losses_and_recoveries_alternate_and_all_is_told_in_the_end(
    sights: list[tuple[ObjectId, Health]], unproven: set[ObjectId]
) -> None:
    findings, down = begun(*unproven), set[ObjectId]()
    for number, (item, health) in enumerate([*sights, (WEB, READY), (WORKER, READY)]):
        for news in see(findings, health, number * PATIENCE / 3, item):
            assert news.lost or news.regained
            if news.regained:
                assert set(news.regained) == down
                down = set()
            down |= news.lost.keys()
    assert down == set()
    assert findings.notes(UNIT) == {}
