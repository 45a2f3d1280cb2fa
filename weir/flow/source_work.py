"""The job of resolving one source in a run's look ahead, and of fetching what a unit was applied from."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from weir.edges.local_folder import import_folder
from weir.edges.store import Store
from weir.edges.timings import note
from weir.flow.clusters import Clusters
from weir.flow.holds import Hands
from weir.flow.outcome import SourceOutcome
from weir.flow.previous import Previous
from weir.flow.resolve import SyncResult, sync
from weir.flow.tree import Declared
from weir.select.git_ref import commit_of
from weir.spec.artifact import Artifact
from weir.spec.errors import ClusterError, SourceError, VerificationError, WeirError
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.identity import UnitId
from weir.spec.kustomization import KustomizationSpec
from weir.spec.stack import StackConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What to look at instead of the sources' own content, by `Kind/namespace/name`, or `*` for every source."""

    refs: Mapping[str, str] = field(default_factory=dict)
    """Branch, tag, commit or full ref."""
    folders: Mapping[str, Path] = field(default_factory=dict)
    """A local folder."""
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    """What is in the store already."""

    def __bool__(self) -> bool:
        """Whether anything is looked at instead."""
        return bool(self.refs or self.folders or self.artifacts)

    def artifact(self, source: UnitId) -> Artifact | None:
        """The artifact to take, None for the source's own."""
        return self.artifacts.get(str(source))

    def ref(self, source: UnitId) -> str:
        """The ref to look at, empty for the source's own."""
        return self.refs.get(str(source)) or self.refs.get("*", "")

    def folder(self, source: UnitId) -> Path | None:
        """The folder to read, None for the source's own content."""
        return self.folders.get(str(source)) or self.folders.get("*")


class SourceWorker:
    """Resolves the sources of one run. Thread-safe."""

    def __init__(
        self, config: StackConfig, clusters: Clusters, store: Store, overrides: Overrides, hands: Hands
    ) -> None:
        self._options = config.options
        self._clusters = clusters
        self._store = store
        self._previous = Previous(config.name)
        self._overrides = overrides
        self._hands = hands
        self._includes: dict[UnitId, Mapping[str, Artifact]] = {}

    def resolve(self, declared: Declared, sources: Mapping[UnitId, SourceOutcome]) -> SourceOutcome:
        """Resolve and fetch one source. An outage keeps the last good artifact; a bad signature keeps nothing."""
        spec = declared.spec
        if not isinstance(spec, GitRepositorySpec):
            raise TypeError(spec)
        started = time.monotonic()
        outcome = SourceOutcome(spec=spec, document=declared.document, artifact=None)
        if given := self._overrides.artifact(spec.id):
            return replace(outcome, artifact=given)
        if folder := self._overrides.folder(spec.id):
            return replace(outcome, artifact=import_folder(self._store, folder))
        last = self._previous.read(spec)
        try:
            includes = {
                unit.name: found.artifact
                for unit, found in sources.items()
                if found.artifact and unit.namespace == spec.id.namespace
            }
            self._includes[spec.id] = includes
            spec = self._as_held(spec)
            result = self._sync(spec, includes, last)
            outcome = replace(
                outcome,
                spec=spec,
                artifact=result.artifact,
                verified=result.verified,
                warnings=result.warnings,
                subject=result.subject,
                automates=result.automates,
            )
            if not self._overrides.ref(spec.id):
                self._previous.write(spec, result.artifact)
        except VerificationError as err:
            outcome = replace(outcome, error=str(err))
        except Exception as err:  # noqa: BLE001 - an escaped error would end the run for every unit
            kept = None if self._overrides.ref(spec.id) else self._last_good(spec.id, last)
            outcome = replace(outcome, artifact=kept, error=message_of(spec.where, err))
        seconds = time.monotonic() - started
        note(spec.id, {"resolve": seconds})
        return replace(outcome, seconds=seconds, error=outcome.error or self._other_stack(spec.id))

    def _as_held(self, spec: GitRepositorySpec) -> GitRepositorySpec:
        """The spec as this run goes by it. Raises ClusterError when it may be held, and the cluster does not say."""
        known = spec.suspend or self._overrides.ref(spec.id)
        return replace(spec, suspend=True) if not known and self._hands.holds(spec.id) else spec

    def _other_stack(self, source: UnitId) -> str:
        """Why the source's record cannot be kept. Its artifact counts all the same: it has no objects to fight over."""
        try:
            self._hands.refuse_others(source)
        except ClusterError as err:
            return str(err)
        return ""

    def _recorded(self, source: UnitId) -> Artifact | None:
        """What the record in the cluster names: the newest that any machine resolved. Raises ClusterError."""
        record = self._clusters.records.read_own(source)
        known = record is not None and commit_of(record.revision)
        return Artifact(revision=record.revision, digest=record.digest) if record and known else None

    def _last_good(self, source: UnitId, last: Artifact | None) -> Artifact | None:
        """What an outage falls back to: never an older revision than another machine applied meanwhile.

        Nothing when `last` is none: this machine, or this spec of the source, never had an artifact.
        """
        if last is None:
            return None
        try:
            known = self._recorded(source) or last
        except WeirError:
            known = last
        return known if known.digest and self._store.holds(known.digest) else None

    def _remembered(
        self, spec: GitRepositorySpec, includes: Mapping[str, Artifact], last: Artifact | None
    ) -> SyncResult:
        """The artifact of a suspended source: what its record in the cluster names, whichever machine resolved it.

        Raises:
            WeirError: in a wary run, when it cannot be read.
        """
        try:
            known = self._recorded(spec.id)
        except WeirError:
            if self._hands.wary:
                raise
            known = None
        if known is None:
            return self._fetch(spec, includes, last, "")
        if known.digest and self._store.holds(known.digest):
            return SyncResult(artifact=known, changed=False, automates=True)
        return replace(self._recalled(spec, includes, known.revision), automates=True)

    def _recalled(
        self, spec: GitRepositorySpec, includes: Mapping[str, Artifact], revision: str
    ) -> SyncResult:
        """A revision that this source had: verified then, and a commit alone has no tag that could be again."""
        commit = commit_of(revision)
        if not commit:
            raise SourceError(
                f"{spec.where}: found the revision '{revision}', expected one that names a commit"
            )
        found = self._fetch(replace(spec, verify=None), includes, None, commit)
        return replace(found, artifact=replace(found.artifact, revision=revision))

    def _sync(
        self, spec: GitRepositorySpec, includes: Mapping[str, Artifact], last: Artifact | None
    ) -> SyncResult:
        ref = self._overrides.ref(spec.id)
        if spec.suspend and not ref:
            return self._remembered(spec, includes, last)
        return self._fetch(spec, includes, last, ref)

    def _fetch(
        self, spec: GitRepositorySpec, includes: Mapping[str, Artifact], last: Artifact | None, ref: str
    ) -> SyncResult:
        return sync(
            spec,
            store=self._store,
            secrets=self._clusters.secret,
            includes=includes,
            previous=last,
            allow_file_urls=self._options.allow_file_urls,
            ref_override=ref,
        )

    def standing(self, spec: KustomizationSpec, source: SourceOutcome) -> Artifact | None:
        """What a suspended unit was applied from: the units that it declares stay as they are too. None before that.

        Raises:
            WeirError: its record cannot be read in a wary run, or its revision cannot be fetched.
        """
        try:
            record = self._clusters.records.read_own(spec.id)
        except WeirError:
            if self._hands.wary:
                raise
            return source.artifact
        if record is None or not record.standing:
            return None
        if source.artifact and source.artifact.revision == record.standing:
            return source.artifact
        try:
            return self.again(source, record.standing)
        except WeirError as err:
            text = f"suspended at {record.standing}, which is needed for the units that it declares: {err.message}"
            raise SourceError(f"{spec.where}: {text}", hint=err.hint) from err

    def again(self, source: SourceOutcome, revision: str) -> Artifact:
        """The artifact of a revision that the source has, or had once. Raises WeirError."""
        includes = self._includes.get(source.id, {})
        if source.artifact and source.artifact.revision == revision:
            return self._sync(source.spec, includes, None).artifact
        return self._recalled(source.spec, includes, revision).artifact


def message_of(where: str, err: Exception) -> str:
    """The error's own sentence; of an unexpected one only its type, for its text may hold values."""
    return str(err) if isinstance(err, WeirError) else f"{where}: unexpected {type(err).__name__}"
