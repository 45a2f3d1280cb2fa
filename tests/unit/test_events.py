"""Which events the results of a run give."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from weir.flow.apply import UnitResult
from weir.flow.events import (
    LONGEST,
    NAMED,
    About,
    about,
    about_record,
    change_lines,
    drift_event,
    drift_refused_event,
    health_lost_event,
    health_regained_event,
    removal_event,
    resolved_events,
    unit_events,
)
from weir.spec.changes import Action, ChangeSet, ObjectChange
from weir.spec.documents import Document
from weir.spec.errors import HealthError, StopRequested, WeirError
from weir.spec.event import Event, Severity
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import Condition, UnitRecord

NOW = "2026-11-21T10:00:00Z"
UNIT = UnitId("Kustomization", "flux-system", "apps")
ABOUT = About(unit=UNIT, stack="prod", labels={}, annotations={"event.toolkit.fluxcd.io/change_request": "7"})
WELL = Condition(status="True", reason="ReconciliationSucceeded", message="Applied revision: main@sha1:2")


def change(action: Action, name: str = "web") -> ObjectChange:
    return ObjectChange(ObjectId("apps", "Deployment", "prod", name), action)


def record(revision: str = "main@sha1:2", ready: Condition | None = WELL, **more: Any) -> UnitRecord:
    return UnitRecord(id=UNIT, stack="prod", revision=revision, attempted=revision, ready=ready, **more)


def events(
    *changes: ObjectChange,
    before: UnitRecord | None = None,
    error: WeirError | None = None,
    ready: Condition = WELL,
    now: UnitRecord | None = None,
) -> tuple[Event, ...]:
    result = UnitResult(
        record=now or record(), changeset=ChangeSet(changes), condition=ready, error=error, before=before
    )
    return unit_events(ABOUT, result, NOW)


def test_changed_objects_are_listed_in_flux_words() -> None:
    done = [
        change(Action.CREATE, "a"),
        change(Action.CONFIGURE, "b"),
        change(Action.ADOPT, "c"),
        change(Action.RECREATE, "d"),
        change(Action.SKIP, "e"),
        change(Action.DELETE, "f"),
    ]
    (event,) = events(*done, before=record())
    assert (event.severity, event.reason, event.at) == (Severity.INFO, "ReconciliationSucceeded", NOW)
    assert event.message.splitlines() == [
        "Deployment/prod/a created",
        "Deployment/prod/b configured",
        "Deployment/prod/c configured",
        "Deployment/prod/d created",
        "Deployment/prod/f deleted",
    ]
    assert event.metadata == {
        "revision": "main@sha1:2",
        "event.toolkit.fluxcd.io/change_request": "7",
    }


def test_a_run_that_changed_nothing_is_no_event() -> None:
    assert events(before=record()) == ()
    assert events(change(Action.SKIP), before=record()) == ()


def test_a_failure_is_told_with_its_reason_and_what_was_attempted() -> None:
    failed = Condition(status="False", reason="HealthCheckFailed", message="Deployment/prod/web: not ready")
    (event,) = events(change(Action.CREATE), error=HealthError("x"), ready=failed, before=record("old"))
    assert (event.severity, event.reason, event.message) == (
        Severity.ERROR,
        "HealthCheckFailed",
        "Deployment/prod/web: not ready",
    )
    assert event.metadata["revision"] == "main@sha1:2"


def test_a_cancelled_run_and_a_suspended_unit_tell_nothing() -> None:
    assert events(change(Action.CREATE), error=StopRequested("cancelled")) == ()
    assert events(now=record(suspended=True), before=None) == ()


@pytest.mark.parametrize(
    ("reason", "told"),
    [("HealthCheckFailed", "Health check passed"), ("BuildFailed", "Reconciliation finished")],
)
def test_a_unit_that_is_well_again_is_told_although_nothing_changed(reason: str, told: str) -> None:
    ill = record(ready=Condition(status="False", reason=reason, message="x"))
    (event,) = events(before=ill)
    assert (event.severity, event.message) == (Severity.INFO, told)


def test_a_new_revision_that_changes_no_object_is_told_to_commits_only() -> None:
    (event,) = events(before=record("main@sha1:1"))
    assert event.metadata["commit_status"] == "update"
    assert event.severity is Severity.INFO


def test_lists_and_messages_are_bounded() -> None:
    many = [change(Action.CREATE, f"web-{n:04}") for n in range(NAMED + 30)]
    assert change_lines(many).splitlines()[-1] == "... and 30 more"
    long = Condition(status="False", reason="X", message="m" * 100_000)
    (event,) = events(error=WeirError("x"), ready=long)
    assert len(event.message) == LONGEST


def test_a_removal_names_what_went() -> None:
    event = removal_event(ABOUT, [change(Action.DELETE), change(Action.SKIP, "kept")], NOW, revision="r")
    assert event.message == "Kustomization/flux-system/apps was removed\nDeployment/prod/web deleted"
    assert removal_event(ABOUT, [], NOW, revision="r").message.endswith("no object was deleted")


@pytest.mark.parametrize(("corrected", "reason"), [(True, "DriftCorrected"), (False, "DriftDetected")])
def test_drift_is_told_as_corrected_or_detected(corrected: bool, reason: str) -> None:
    event = drift_event(
        ABOUT, "Deployment/prod/web spec.replicas: 3 -> 2", NOW, revision="r", corrected=corrected
    )
    assert (event.reason, event.metadata["revision"]) == (reason, "r")


def test_drift_that_may_not_be_corrected_is_an_error() -> None:
    event = drift_refused_event(ABOUT, "Deployment/prod/web: denied by policy", NOW, revision="r")
    assert (event.severity, event.reason) == (Severity.ERROR, "DriftCorrectionFailed")
    assert (event.message, event.metadata["revision"]) == ("Deployment/prod/web: denied by policy", "r")


def test_health_that_is_lost_is_told_as_a_failed_health_check_and_its_return_as_success() -> None:
    web = ObjectId("apps", "Deployment", "prod", "web")
    lost = health_lost_event(ABOUT, {web: "available: 0/2"}, NOW, revision="r")
    assert (lost.severity, lost.reason) == (Severity.ERROR, "HealthCheckFailed")
    assert lost.message == "Deployment/prod/web is not healthy any more: available: 0/2"
    back = health_regained_event(ABOUT, [web], NOW, revision="r")
    assert (back.severity, back.reason) == (Severity.INFO, "ReconciliationSucceeded")
    assert back.message == "Deployment/prod/web is healthy again"
    many = [ObjectId("", "Pod", "prod", str(number)) for number in range(NAMED + 7)]
    assert health_regained_event(ABOUT, many, NOW, revision="r").message.endswith("\n... and 7 more")


def test_labels_and_event_annotations_come_from_the_document() -> None:
    meta = {
        "name": "apps",
        "namespace": "prod",
        "labels": {"team": "a"},
        "annotations": {"event.toolkit.fluxcd.io/change_request": "7", "other": "x"},
    }
    data = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": meta}
    found = about(Document("a.yaml", 0, data), "prod")
    assert found.labels == {"team": "a"}
    assert found.annotations == {"event.toolkit.fluxcd.io/change_request": "7"}
    assert about_record(record(document=orjson.dumps(data).decode())).labels == {"team": "a"}
    assert about_record(record(document="{")).unit == UNIT


def source(**after: str) -> dict[str, str]:
    return {"revision": "main@sha1:2", "digest": "sha256:2", "error": "", **after}


def resolved(
    kind: str, before: dict[str, str], after: dict[str, str], subject: str = ""
) -> tuple[Event, ...]:
    unit = About(unit=UnitId(kind, "flux-system", "x"), stack="prod", labels={}, annotations={})
    error = after["error"]
    ready = Condition(
        status="False" if error else "True",
        reason="GitOperationFailed" if error else "Succeeded",
        message=error or "stored artifact for revision 'main@sha1:2'",
        at=NOW,
    )
    return resolved_events(unit, before, after, ready, subject)


def test_a_new_artifact_is_told_with_the_commits_subject() -> None:
    (event,) = resolved("GitRepository", source(revision="main@sha1:1"), source(), "Use two replicas")
    assert (event.reason, event.message) == ("NewArtifact", "stored artifact for commit 'Use two replicas'")
    (event,) = resolved("GitRepository", {}, source())
    assert event.message == "stored artifact for revision 'main@sha1:2'"


def test_an_outage_is_told_when_it_begins_and_when_it_ends() -> None:
    down = source(error="git.example: no answer in time")
    (event,) = resolved("GitRepository", source(), down)
    assert (event.severity, event.reason) == (Severity.ERROR, "GitOperationFailed")
    assert resolved("GitRepository", down, down) == ()
    (event,) = resolved("GitRepository", down, source())
    assert (event.severity, event.reason) == (Severity.INFO, "Succeeded")
    assert resolved("GitRepository", source(), source()) == ()


def test_a_policy_tells_its_choice_and_the_one_before() -> None:
    before, after = {"image": "app:1", "error": ""}, {"image": "app:2", "error": ""}
    (event,) = resolved("ImagePolicy", before, after)
    assert event.message == "Latest image tag for app resolved to 2 (previously app:1)"
    assert resolved("ImagePolicy", after, after) == ()


def test_an_automation_tells_its_push_and_its_pull_request() -> None:
    before = {"revision": "", "pull_request": "", "error": ""}
    after = {"revision": "main@sha1:3", "pull_request": "https://git.example/pr/1", "error": ""}
    (event,) = resolved("ImageUpdateAutomation", before, after)
    assert event.metadata["revision"] == "main@sha1:3"
    assert event.message.endswith("pull request: https://git.example/pr/1")
    assert resolved("ImageUpdateAutomation", after, after) == ()
