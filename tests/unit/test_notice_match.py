"""To whom an event goes, with which metadata, and how often."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.alerts import alert, event, provider
from weir.notify.match import recipients, sets_off, with_metadata
from weir.notify.rate import INTERVAL, MAX_REMEMBERED, RateLimit
from weir.spec.event import Event, Severity
from weir.spec.identity import UnitId

WEB = UnitId("Kustomization", "apps", "web")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"name": "web", "namespace": "apps"}, True),
        ({"name": "*", "namespace": "apps"}, True),
        ({"name": "*", "namespace": "*"}, True),
        ({"name": "we", "namespace": "apps"}, False),
        ({"name": "web", "namespace": "other"}, False),
        ({"name": "*"}, False),
        ({"kind": "HelmRelease", "name": "*", "namespace": "apps"}, False),
        ({"name": "*", "namespace": "apps", "matchLabels": {"team": "a"}}, True),
        ({"name": "*", "namespace": "apps", "matchLabels": {"team": "b"}}, False),
        ({"name": "web", "namespace": "apps", "matchLabels": {"team": "a", "tier": "1"}}, False),
    ],
    ids=str,
)
def test_event_sources(source: dict[str, Any], expected: bool) -> None:
    spec = alert(eventSources=[{"kind": "Kustomization", **source}])
    assert sets_off(spec, event(unit=WEB), {"team": "a"}) is expected


@pytest.mark.parametrize(
    ("wanted", "severity", "expected"),
    [
        ("info", Severity.INFO, True),
        ("info", Severity.ERROR, True),
        ("error", Severity.ERROR, True),
        ("error", Severity.INFO, False),
    ],
)
def test_severity(wanted: str, severity: Severity, expected: bool) -> None:
    assert sets_off(alert(eventSeverity=wanted), event(severity=severity), {}) is expected


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ([], [], True),
        (["revision"], [], True),
        (["^revision"], [], False),
        (["nothing", "Applied"], [], True),
        ([], ["nothing", "sha1"], False),
        (["Applied"], ["sha1"], False),
        (["(?i)APPLIED"], ["a{9}"], True),
    ],
    ids=str,
)
def test_exclusion_beats_inclusion(include: list[str], exclude: list[str], expected: bool) -> None:
    spec = alert(inclusionList=include, exclusionList=exclude)
    assert sets_off(spec, event("Applied revision: main@sha1:3f1c"), {}) is expected


def test_an_event_goes_to_the_alerts_of_its_sources_with_their_own_namespaces_provider() -> None:
    far = provider(name="far")
    elsewhere = replace(far, id=UnitId("Provider", "other", "far"))
    alerts = [
        alert("first"),
        alert("second", providerRef={"name": "far"}),
        alert("paused", suspend=True),
        alert("unheard", providerRef={"name": "muted"}),
        alert("lost", providerRef={"name": "nobody"}),
    ]
    known = (provider(), elsewhere, far, provider(name="muted", suspend=True))
    found = recipients(event(), {}, alerts, {spec.id: spec for spec in known})
    assert [(spec.id.name, str(to.id)) for spec, to in found] == [
        ("first", "Provider/flux-system/ops"),
        ("second", "Provider/flux-system/far"),
    ]


def test_metadata_counts_in_flux_order() -> None:
    told = event(
        metadata={
            "event.toolkit.fluxcd.io/a": "annotation",
            "event.toolkit.fluxcd.io/b": "annotation",
            "event.toolkit.fluxcd.io/summary": "annotation",
            "event.toolkit.fluxcd.io/revision": "annotation",
            "revision": "main@sha1:3f1c",
        }
    )
    spec = alert(eventMetadata={"b": "alert", "summary": "alert", "revision": "alert"}, summary="Production")
    assert with_metadata(told, spec).metadata == {
        "a": "annotation",
        "b": "alert",
        "summary": "Production",
        "revision": "main@sha1:3f1c",
    }


def test_identical_events_are_told_once_in_five_minutes() -> None:
    limit = RateLimit()
    assert limit.admits(event(), 1000.0)
    assert not limit.admits(event(), 1000.0 + INTERVAL - 1)
    assert limit.admits(event(), 1000.0 + INTERVAL)
    assert not limit.admits(event(), 1001.0 + INTERVAL)


def failed(message: str = "A", **given: Any) -> Event:
    return event(message, severity=Severity.ERROR, reason="HealthCheckFailed", **given)


def fine(message: str = "Reconciliation finished", **given: Any) -> Event:
    return event(message, reason="ReconciliationSucceeded", **given)


def test_the_last_word_about_a_unit_is_always_told() -> None:
    limit = RateLimit()
    assert limit.admits(failed(), 0.0)
    assert limit.admits(fine(), INTERVAL - 1)
    assert limit.admits(failed(), INTERVAL + 1)
    assert limit.admits(fine(), INTERVAL + 2), "else the commit stays red"
    assert limit.admits(failed(), INTERVAL + 3), "else nobody knows that it is lost again"
    assert not limit.admits(failed(), INTERVAL + 4)
    assert limit.admits(fine(), INTERVAL + 5)
    assert not limit.admits(fine(), INTERVAL + 6)


def test_what_is_neither_failure_nor_success_changes_nothing() -> None:
    limit = RateLimit()
    assert limit.admits(failed(), 0.0)
    for number, reason in enumerate(("DriftCorrected", "NewArtifact", "Progressing")):
        assert limit.admits(event(reason, reason=reason), 1.0 + number)
        assert not limit.admits(event(reason, reason=reason), 1.0 + number)
        assert not limit.admits(failed(), 1.0 + number)
    assert limit.admits(fine(), 5.0)
    assert not limit.admits(event("NewArtifact", reason="NewArtifact"), 6.0)


def test_what_one_unit_or_stack_is_told_about_leaves_the_others_alone() -> None:
    limit = RateLimit()
    elsewhere = replace(failed(), stack="staging")
    assert limit.admits(failed(), 0.0)
    assert limit.admits(elsewhere, 0.0)
    assert limit.admits(fine(unit=UnitId("Kustomization", "apps", "api")), 1.0)
    assert not limit.admits(failed(), 2.0)
    assert limit.admits(fine(), 3.0)
    assert not limit.admits(elsewhere, 4.0)


def test_what_was_told_is_handed_on_and_an_older_form_is_no_hindrance() -> None:
    limit = RateLimit()
    assert limit.admits(failed(), 0.0)
    heir = RateLimit(dict(limit.told))
    assert not heir.admits(failed(), 1.0)
    assert heir.admits(fine(), 2.0)
    assert heir.admits(failed(), 3.0)
    older = RateLimit({"5" * 64: 0.0})
    assert older.admits(failed(), 1.0)
    assert older.admits(fine(), 2.0)
    assert "5" * 64 in older.told


def test_events_of_another_unit_message_revision_or_stack_are_told() -> None:
    limit = RateLimit()
    others = [
        event(),
        event("Other"),
        event(metadata={"revision": "main@sha1:4a"}),
        event(unit=UnitId("Kustomization", "apps", "api")),
        replace(event(), stack="staging"),
    ]
    assert all(limit.admits(told, 0.0) for told in others)
    again = event(reason="Succeeded", metadata={"revision": "main@sha1:3f1c", "a": "b"})
    assert not limit.admits(again, 1.0)
    assert limit.admits(replace(again, severity=Severity.ERROR), 2.0), "it says the opposite"


def test_the_memory_of_what_was_told_is_bounded() -> None:
    limit = RateLimit()
    for number in range(MAX_REMEMBERED + 1):
        assert limit.admits(event(str(number)), 0.0)
    assert not limit.admits(event(str(MAX_REMEMBERED)), 1.0)
    assert limit.admits(event("0"), 1.0)
