"""The plan that a pull request carries."""

from __future__ import annotations

from weir.cli.format import format_diff
from weir.flow.image_push import plan_file
from weir.flow.outcome import AutomationOutcome
from weir.flow.preview import plan_commit
from weir.flow.session import Session
from weir.spec.plan import UnitPlan


def plan_proposal(session: Session, outcome: AutomationOutcome) -> list[UnitPlan]:
    """What a proposed commit would change in the cluster, kept in the run's folder for the pull request's body."""
    plans = plan_commit(session, outcome)
    text = format_diff(plans, "markdown", stack=session.config.name)
    session.run.write(plan_file(outcome.id), text.encode())
    return plans
