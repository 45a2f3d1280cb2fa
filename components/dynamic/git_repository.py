"""Git sync on the resolve side: `check` confirms what the run resolved ahead, so previews show the new revision."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.confirmed import ConfirmedProvider, Props
from weir.flow.outcome import Outcome, SourceOutcome
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId

if TYPE_CHECKING:
    from weir.spec.record import UnitRecord

TRACKED: Final = ("unit", "stack", "url", "suspended", "revision", "digest", "verified", "error")


class GitSyncProvider(ConfirmedProvider):
    """Nothing to make or change: the artifact is in the store, and is collected by age."""

    TRACKED = TRACKED
    LASTING = ("revision", "digest")

    def confirmed(self, outcome: Outcome) -> Props:
        """Revision and digest."""
        if not isinstance(outcome, SourceOutcome):
            return {}
        resolved = outcome.artifact.as_props() if outcome.artifact else {}
        return {**resolved, "verified": outcome.verified, "error": outcome.error}

    def work(self, _olds: Props, news: Props) -> Props:
        """A run that could not resolve leaves what is known of the last good artifact."""
        if news["revision"]:
            return news
        with contextlib.suppress(WeirError):
            record = self.clusters(news).records.read_own(UnitId.parse(news["unit"]))
            if record:
                return {**news, "revision": record.revision, "digest": record.digest}
        return news

    def record(self, props: Props) -> UnitRecord:
        """In Flux's words."""
        from weir.flow.resolved_record import source_record

        return source_record(
            UnitId.parse(props["unit"]),
            props["stack"],
            revision=props["revision"],
            digest=props["digest"],
            error=props["error"],
            suspended=props["suspended"] == "true",
        )


class GitRepository(Resource, module="weir", name="GitRepository"):
    """One Git source: what it follows and which revision it yields."""

    revision: pulumi.Output[str]
    digest: pulumi.Output[str]
    error: pulumi.Output[str]

    def __init__(self, name: str, unit: str, url: str, suspended: str, opts: pulumi.ResourceOptions) -> None:
        given = {"unit": unit, "stack": pulumi.get_stack(), "url": url, "suspended": suspended}
        props = dict.fromkeys(TRACKED, "") | given
        super().__init__(GitSyncProvider(), name, props, opts)
