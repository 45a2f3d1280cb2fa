"""Image automation on the resolve side: `check` announces the commit that the run built ahead, an update pushes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pulumi
from pulumi.dynamic import DiffResult, Resource

from components.dynamic.confirmed import ConfirmedProvider, Props
from weir.edges.runs import Run, unit_file
from weir.flow.outcome import AutomationOutcome, Outcome, decode
from weir.spec.errors import ClusterError, SourceError, WeirError
from weir.spec.identity import UnitId

if TYPE_CHECKING:
    from weir.spec.record import UnitRecord

_COMPARED: Final = ("unit", "stack", "source", "suspended", "error")
TRACKED: Final = (*_COMPARED, "revision", "proposed", "pull_request")


class ImageAutomationProvider(ConfirmedProvider):
    """Pushes what its run built. It never fails: what went wrong is its output `error`; the next run tries again."""

    TRACKED = TRACKED

    def confirmed(self, outcome: Outcome) -> Props:
        """What waits to be done: a commit to push, as `branch@sha1:commit`, and a commit to propose."""
        if not isinstance(outcome, AutomationOutcome):
            return {}
        return {"commit": announced(outcome), "proposal": outcome.proposal, "error": outcome.error}

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Changed when something waits to be done, or when what is known about the automation moved."""
        waits = bool(news.get("commit")) or news.get("proposal", "") not in ("", olds.get("proposed", ""))
        moved = any(olds.get(key, "") != news.get(key, "") for key in _COMPARED)
        return DiffResult(changes=waits or moved, replaces=[])

    def work(self, olds: Props, news: Props) -> Props:
        """Push, then open or update the pull request. The outputs say what is there now."""
        done = self._refused(olds, news)
        if not news.get("commit") and not news.get("proposal"):
            return done
        from weir.flow.image_push import propose_commit, push_commit

        outcome = self._outcome(news)
        try:
            self._refuse_held(news)
            if news.get("commit"):
                done["revision"] = push_commit(outcome, self.settings(news), self.clusters(news))
            if news.get("proposal"):
                done["pull_request"] = propose_commit(outcome, self.clusters(news), Run.current())
                done["proposed"] = news["proposal"]
        except WeirError as err:
            done["error"] = str(err)
        except Exception as err:  # noqa: BLE001 - a dynamic provider that fails prints a traceback
            done["error"] = f"{news['unit']}: unexpected {type(err).__name__}"
        return done

    def _refused(self, olds: Props, news: Props) -> Props:
        """What was pushed before stays known."""
        return {**news, **{key: olds.get(key, "") for key in ("revision", "proposed", "pull_request")}}

    def _refuse_held(self, props: Props) -> None:
        """Push nothing for an automation that somebody suspended since this run looked.

        Raises:
            SourceError: somebody did.
            ClusterError: the cluster does not say.
        """
        try:
            stored = self.clusters(props).records.load(UnitId.parse(props["unit"]))
        except ClusterError as err:
            told = f"{props['unit']}: cannot be seen whether it is suspended by hand; nothing was pushed: {err.message}"
            raise ClusterError(told, hint=err.hint) from err
        if stored and stored.held:
            raise SourceError(f"{props['unit']}: suspended by {stored.held}; nothing was pushed")

    def _outcome(self, props: Props) -> AutomationOutcome:
        """What this run found out. Nobody else writes that file."""
        found = Run.current().read_json(unit_file(UnitId.parse(props["unit"])))
        outcome = decode(found) if isinstance(found, dict) else None
        if not isinstance(outcome, AutomationOutcome):
            raise TypeError(props["unit"])
        return outcome

    def record(self, props: Props) -> UnitRecord:
        """In Flux's words."""
        from weir.flow.resolved_record import automation_record

        return automation_record(
            UnitId.parse(props["unit"]),
            props["stack"],
            source=props["source"],
            revision=props["revision"],
            error=props["error"],
            suspended=props["suspended"] == "true",
        )


def announced(outcome: AutomationOutcome) -> str:
    """The commit of an outcome as a revision, empty when there is none."""
    return f"{outcome.branch}@sha1:{outcome.commit}" if outcome.commit else ""


class ImageUpdateAutomation(Resource, module="weir", name="ImageUpdateAutomation"):
    """One automation: which source it writes to, and what it pushed."""

    revision: pulumi.Output[str]
    pull_request: pulumi.Output[str]
    error: pulumi.Output[str]

    def __init__(
        self, name: str, unit: str, source: str, suspended: str, opts: pulumi.ResourceOptions
    ) -> None:
        given = {"unit": unit, "stack": pulumi.get_stack(), "source": source, "suspended": suspended}
        props = dict.fromkeys((*TRACKED, "commit", "proposal"), "") | given
        super().__init__(ImageAutomationProvider(), name, props, opts)
