"""Reasons of the Ready condition, in Flux's words."""

from __future__ import annotations

import pytest

from weir.flow.reporting import reason_unrendered
from weir.spec.errors import (
    ArtifactError,
    ClusterError,
    PathError,
    RenderError,
    SourceError,
    SpecError,
    VerificationError,
)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SourceError("no artifact"), "ArtifactFailed"),
        (VerificationError("no signature"), "ArtifactFailed"),
        (ArtifactError("altered"), "ArtifactFailed"),
        (PathError("no such folder"), "ArtifactFailed"),
        (RenderError("no such file"), "BuildFailed"),
        (KeyError("unexpected"), "BuildFailed"),
        (SpecError("another namespace"), "ReconciliationFailed"),
        (ClusterError("no answer"), "ReconciliationFailed"),
    ],
)
def test_the_reason_of_a_unit_that_was_not_rendered(error: Exception, reason: str) -> None:
    assert reason_unrendered(error) == reason
