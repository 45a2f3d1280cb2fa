"""The mark in Git of what a stack has applied: the tag `weir-sync/<stack>`, on sources that an automation writes to."""

from __future__ import annotations

import asyncio

import pulumi

from weir.flow.clusters import Clusters
from weir.flow.outcome import SourceOutcome
from weir.select.git_ref import commit_of
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId


class SyncMarks:
    """Sources of one run, and whether all their units were applied. Other sources have the units' records only."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters
        self._sources: dict[UnitId, SourceOutcome] = {}
        self._failed: set[UnitId] = set()

    def source(self, outcome: SourceOutcome) -> None:
        """Take note of a source that is to be marked."""
        self._sources[outcome.id] = outcome

    def unit(self, source: UnitId, *, succeeded: bool) -> None:
        """Take note of a unit."""
        if not succeeded:
            self._failed.add(source)

    async def move(self) -> None:
        """Mark what was applied whole. A mark that cannot be moved fails nothing: the records say the same."""
        if pulumi.runtime.is_dry_run():
            return
        for unit, outcome in self._sources.items():
            if unit in self._failed or outcome.error or outcome.artifact is None:
                continue
            try:
                await asyncio.to_thread(self._move, outcome, commit_of(outcome.artifact.revision))
            except WeirError as err:
                pulumi.log.warn(f"{unit}: the tag that marks what is applied stays where it was: {err}")

    def _move(self, outcome: SourceOutcome, commit: str) -> None:
        from weir.edges.git.refusals import ReadOnlyError
        from weir.flow.image_work import access
        from weir.flow.sync_mark import PREFIX, move_tag

        allowed = access(self._clusters, allow_file_urls=self._clusters.options.allow_file_urls)
        try:
            move_tag(outcome.spec, f"{PREFIX}{pulumi.get_stack()}", commit, access=allowed)
        except ReadOnlyError as err:
            pulumi.log.debug(str(err))
