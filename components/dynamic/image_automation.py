"""Image automation on the resolve side: `check` announces the commit that the run built ahead, an update pushes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pulumi
from pulumi.dynamic import DiffResult, Resource

from components.dynamic.confirmed import ConfirmedProvider, Props
from weir.edges.runs import Run, unit_file
from weir.flow.outcome import AutomationOutcome, Outcome, decode
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId

if TYPE_CHECKING:
    from weir.spec.record import UnitRecord

_COMPARED: Final = ("unit", "stack", "source", "suspended", "error")
TRACKED: Final = (*_COMPARED, "revision")


class ImageAutomationProvider(ConfirmedProvider):
    """Pushes what its run built. It never fails: what went wrong is its output `error`; the next run tries again."""

    TRACKED = TRACKED

    def confirmed(self, outcome: Outcome) -> Props:
        """The commit that waits to be pushed, as `branch@sha1:commit`; empty when there is none."""
        if not isinstance(outcome, AutomationOutcome):
            return {}
        return {"commit": announced(outcome), "error": outcome.error}

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Changed when a commit waits, or when what is known about the automation moved."""
        moved = any(olds.get(key, "") != news.get(key, "") for key in _COMPARED)
        return DiffResult(changes=bool(news.get("commit")) or moved, replaces=[])

    def work(self, _olds: Props, news: Props) -> Props:
        """Push. The output `revision` is what is in Git now."""
        before = {"revision": _olds.get("revision", "")}
        if not news.get("commit"):
            return {**news, **before}
        found = Run.current().read_json(unit_file(UnitId.parse(news["unit"])))
        outcome = decode(found) if isinstance(found, dict) else None
        if not isinstance(outcome, AutomationOutcome) or not outcome.pending:
            return {**news, "revision": news["commit"]}
        from weir.flow.image_work import push_commit

        try:
            settings = self.settings(news)
            pushed = push_commit(outcome, settings, self.clusters(news))
        except WeirError as err:
            return {**news, **before, "error": str(err)}
        except Exception as err:  # noqa: BLE001 - a dynamic provider that fails prints a traceback
            return {**news, **before, "error": f"{news['unit']}: unexpected {type(err).__name__}"}
        return {**news, "revision": pushed or before["revision"]}

    def record(self, props: Props) -> UnitRecord:
        """In Flux's words."""
        from weir.flow.image_record import automation_record

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
    error: pulumi.Output[str]

    def __init__(
        self, name: str, unit: str, source: str, suspended: str, opts: pulumi.ResourceOptions
    ) -> None:
        given = {"unit": unit, "stack": pulumi.get_stack(), "source": source, "suspended": suspended}
        props = dict.fromkeys((*TRACKED, "commit"), "") | given
        super().__init__(ImageAutomationProvider(), name, props, opts)
