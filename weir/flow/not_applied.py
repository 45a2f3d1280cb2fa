"""The record of a unit that failed before its apply began: not ready, and why, in Flux's words."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from weir.edges.kube.records import Records
from weir.flow.reporting import condition, says_the_same
from weir.spec.errors import ClusterError
from weir.spec.identity import UnitId

_HURRY: Final = 2.0
"""Seconds for a call: the run says itself what went wrong."""


def record_failure(records: Records, unit: UnitId, reason: str, message: str, revision: str = "") -> None:
    """Let the unit's record say why it is not ready; what was applied stays in it, and its history.

    A unit that was never applied has no record. That of another stack, of a unit that is suspended and so was not
    tried, or that another run is at work on, is left alone. What cannot be written is not.

    Args:
        records: of the stack.
        unit: the unit.
        reason: of the condition Ready.
        message: of the condition Ready.
        revision: what was tried; empty when it did not come to that.
    """
    hurried = records.in_a_hurry(_HURRY)
    with contextlib.suppress(ClusterError):
        stored = hurried.load(unit)
        if (
            stored is None
            or stored.running
            or stored.record.suspended
            or stored.record.stack != records.stack
        ):
            return
        old = stored.record
        ready = condition(old, "False", reason, message, datetime.now(UTC))
        # of an apply that began and did not finish, what was attempted is where its objects are from
        attempted = old.attempted if old.applying else revision or old.attempted
        now = replace(old, ready=ready, attempted=attempted)
        if not says_the_same(old, now):
            hurried.write(now, expected=stored.version)
