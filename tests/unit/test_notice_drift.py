"""What drift tells: nothing about whether its unit is well, so that a failure stays to be seen."""

from __future__ import annotations

import json

import pytest

from tests.support.alerts import SECRET, alert, event, provider, written
from tests.support.events import COMMIT
from weir.notify.comment import CHANGE_REQUEST, comment_for
from weir.notify.commit_status import render_status
from weir.notify.messages.render import render
from weir.spec.event import Event, Severity
from weir.spec.provider import COMMENT_TYPES, STATUS_TYPES

AT = {"revision": f"main@sha1:{COMMIT}", CHANGE_REQUEST: "12"}
LOST = event("no", AT, severity=Severity.ERROR, reason="HealthCheckFailed")
REFUSED = event("denied", AT, severity=Severity.ERROR, reason="DriftCorrectionFailed")
FOUND, CORRECTED = (event("drifted", AT, reason=reason) for reason in ("DriftDetected", "DriftCorrected"))
ADDRESSES = {
    "bitbucketserver": "https://forge.example/scm/team/app",
    "azuredevops": "https://forge.example/team/apps/_git/app",
}


@pytest.mark.parametrize("drift", [FOUND, CORRECTED, REFUSED], ids=lambda told: str(told.reason))
def test_drift_leaves_a_commit_and_a_comment_as_they_are(drift: Event) -> None:
    for kind in STATUS_TYPES:
        to = provider(kind, address=ADDRESSES.get(kind, "https://forge.example/team/app"))
        assert render_status(to, SECRET, LOST) is not None
        assert render_status(to, SECRET, drift) is None
    for kind in COMMENT_TYPES:
        assert comment_for(provider(kind), LOST) is not None
        assert comment_for(provider(kind), drift) is None


@pytest.mark.parametrize("drift", [FOUND, CORRECTED], ids=lambda told: str(told.reason))
def test_drift_closes_no_incident_of_its_unit(drift: Event) -> None:
    opened = json.loads(written(provider("pagerduty"), SECRET, LOST, alert()).body)
    assert opened["event_action"] == "trigger"
    assert render(provider("incident.io"), SECRET, drift, alert()) == ()
    (change,) = render(provider("pagerduty"), SECRET, drift, alert())
    assert change.url.endswith("/v2/change/enqueue")
    assert b"drifted" in written(provider("slack"), SECRET, drift, alert()).body


def test_drift_that_cannot_be_corrected_is_an_incident() -> None:
    sent = json.loads(written(provider("pagerduty"), SECRET, REFUSED, alert()).body)
    assert sent["event_action"] == "trigger"
