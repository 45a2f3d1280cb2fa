"""The two jobs of a run's look ahead: resolve one source, render one unit. Each turns failure into an outcome."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from weir.edges.build_cache import BuildCache
from weir.edges.kube.errors import UnreachableError
from weir.edges.local_folder import import_folder
from weir.edges.runs import Run, claims_file, objects_file
from weir.edges.store import Store
from weir.edges.timings import note
from weir.flow.clusters import Clusters
from weir.flow.collector import paused
from weir.flow.dependencies import check_expressions
from weir.flow.digest import canonical
from weir.flow.holds import Hands
from weir.flow.moves import target_of
from weir.flow.outcome import SourceOutcome, UnitOutcome
from weir.flow.previous import Previous
from weir.flow.render import Rendered, render_unit
from weir.flow.resolve import SyncResult, sync
from weir.flow.tenancy import Tenancy
from weir.flow.tree import Declared
from weir.render.layout import Layout
from weir.render.substitute import SecretText
from weir.select.git_ref import commit_of
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.errors import ArtifactError, ClusterError, SourceError, SpecError, VerificationError, WeirError
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.identity import ObjectId, UnitId
from weir.spec.kustomization import KustomizationSpec
from weir.spec.stack import StackConfig

if TYPE_CHECKING:
    from weir.flow.image_work import ImageWorker

_VALUE_KINDS: Final = ("ConfigMap", "Secret")

StackOutputs = Callable[[str], Mapping[str, str] | None]
"""Outputs of a stack by name, None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedUnit:
    """A unit's outcome with what only this run needs of it."""

    outcome: UnitOutcome
    ids: tuple[ObjectId, ...] = ()
    values: Mapping[ObjectId, Mapping[str, str]] = field(default_factory=dict)
    """ConfigMaps and Secrets it renders: later units may take variables from them."""
    children: tuple[Document, ...] = ()


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


class Worker:
    """Does the jobs of one run. Thread-safe; never raises a WeirError."""

    def __init__(
        self,
        config: StackConfig,
        clusters: Clusters,
        store: Store,
        run: Run,
        *,
        stack_outputs: StackOutputs,
        overrides: Overrides,
        hands: Hands,
    ) -> None:
        self._config = config
        self._options = config.options
        self._clusters = clusters
        self._store = store
        self._run = run
        self._cache = BuildCache.default()
        self._tenancy = Tenancy(clusters)
        self._previous = Previous(config.name)
        self._stack_outputs = stack_outputs
        self._overrides = overrides
        self._hands = hands
        self._flux_told = False
        self._includes: dict[UnitId, Mapping[str, Artifact]] = {}
        self._layouts: dict[str, Layout] = {}
        self._lock = threading.Lock()

    @cached_property
    def images(self) -> ImageWorker:
        """The jobs of image automation. Imported late: most stacks have none."""
        from weir.flow.image_work import ImageWorker

        return ImageWorker(self._config, self._clusters, self._store, self._hands)

    def source(self, declared: Declared, sources: Mapping[UnitId, SourceOutcome]) -> SourceOutcome:
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
            outcome = replace(outcome, artifact=kept, error=_message(spec.where, err))
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
        # it was verified when it was recorded, and a commit alone has no tag that could be again
        found = self._fetch(replace(spec, verify=None), includes, None, commit_of(known.revision))
        artifact = replace(found.artifact, revision=known.revision)
        return replace(found, artifact=artifact, automates=True)

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

    def unit(self, declared: Declared, source: SourceOutcome, before: Sequence[RenderedUnit]) -> RenderedUnit:
        """Render one unit from its source's artifact, and put the objects into the run's folder."""
        spec = declared.spec
        if not isinstance(spec, KustomizationSpec):
            raise TypeError(spec)
        started = time.monotonic()
        outcome = UnitOutcome(spec=spec, document=declared.document, parent=declared.parent)
        result = RenderedUnit(outcome=outcome)
        try:
            self._check_namespaces(spec)
            check_expressions(spec)
            warnings = self._check_flux(spec)
            with paused():
                result = self._render(result, source, before)
            outcome = replace(result.outcome, warnings=(*warnings, *result.outcome.warnings))
            result = replace(result, outcome=outcome)
        except Exception as err:  # noqa: BLE001 - an escaped error would end the run for every unit
            result = replace(result, outcome=replace(outcome, error=_message(spec.where, err)))
        seconds = time.monotonic() - started
        note(spec.id, {"render": seconds})
        return replace(result, outcome=replace(result.outcome, seconds=seconds))

    def finish(self) -> None:
        """What can wait until every outcome is out: keep for the next run what took long."""
        self._cache.flush()

    def _check_namespaces(self, spec: KustomizationSpec) -> None:
        if not self._options.no_cross_namespace_refs:
            return
        for unit in (spec.source, *(item.id for item in spec.depends_on)):
            if unit.namespace != spec.id.namespace:
                hint = "weir:options.noCrossNamespaceRefs forbids references to other namespaces"
                raise SpecError.at(
                    spec.where, "spec", found=str(unit), expected="the same namespace", hint=hint
                )

    @cached_property
    def _flux(self) -> tuple[frozenset[UnitId], str]:
        """The units that Flux reconciles, or why that cannot be seen. One that is away is the plan's to report."""
        try:
            return self._clusters.flux_units, ""
        except (UnreachableError, SpecError):
            return frozenset(), ""
        except WeirError as err:
            return frozenset(), f"cannot be seen whether Flux reconciles the same units: {err}"

    def _check_flux(self, spec: KustomizationSpec) -> tuple[str, ...]:
        """Two reconcilers on one unit would fight. The warning that this cannot be seen goes to one unit of the run."""
        active, unseen = self._flux
        if unseen:
            with self._lock:
                told, self._flux_told = self._flux_told, True
            return () if told else (unseen,)
        if spec.id in active:
            hint = f"hand it over first: flux suspend kustomization {spec.id.name} -n {spec.id.namespace}"
            raise ClusterError(
                f"{spec.where}: found a live {spec.id} that Flux reconciles, expected none", hint=hint
            )
        return ()

    def _render(
        self, result: RenderedUnit, source: SourceOutcome, before: Sequence[RenderedUnit]
    ) -> RenderedUnit:
        spec, artifact = result.outcome.spec, source.artifact
        if artifact is None:
            raise SourceError(f"{spec.where}: {source.id} has no artifact: {source.error}")
        taken: dict[str, str] = {}
        try:
            rendered = self._render_tree(spec, self._layout(artifact), before, taken)
        except ArtifactError:
            # evicted or altered on disk: fetch again, once; altered bytes are never used
            artifact = self._sync(source.spec, self._includes[source.id], None).artifact
            rendered = self._render_tree(spec, self._layout(artifact), before, taken)
        self._tenancy.check(spec, rendered.children)
        self._run.write(objects_file(spec.id), canonical(rendered.objects))
        outcome = replace(
            result.outcome,
            revision=artifact.revision,
            digest=rendered.digest,
            warnings=rendered.warnings,
            secret_ids=rendered.secret_ids,
            variables=taken,
        )
        ids = tuple(ObjectId.of(item) for item in rendered.objects)
        claims = {"cluster": target_of(spec), "ids": [item.entry for item in ids]}
        self._run.write_json(claims_file(spec.id), claims)
        values = {
            ObjectId.of(item): _texts(item, secret=ObjectId.of(item) in rendered.secret_ids)
            for item in rendered.objects
            if item["kind"] in _VALUE_KINDS
        }
        return RenderedUnit(outcome=outcome, ids=ids, values=values, children=rendered.children)

    def _layout(self, artifact: Artifact) -> Layout:
        """The artifact's names, read once for all units that share it. Raises ArtifactError."""
        with self._lock:
            if artifact.digest not in self._layouts:
                self._layouts[artifact.digest] = Layout(self._store.tree(artifact.digest))
            return self._layouts[artifact.digest]

    def _render_tree(
        self, spec: KustomizationSpec, layout: Layout, before: Sequence[RenderedUnit], taken: dict[str, str]
    ) -> Rendered:
        """The unit's objects; `taken` receives what it took from other stacks, secret values left out."""

        def lookup(kind: str, namespace: str, name: str) -> Mapping[str, str] | None:
            values = self._look_up(kind, namespace, name, before)
            if kind == "StackOutput":
                known = {key: value for key, value in (values or {}).items() if type(value) is str}
                taken.update({f"{name}:{key}": value for key, value in known.items()})
            return values

        return render_unit(
            spec,
            layout,
            lookup=lookup,
            scratch_root=self._run.root,
            cache=self._cache,
        )

    def _look_up(
        self, kind: str, namespace: str, name: str, before: Sequence[RenderedUnit]
    ) -> Mapping[str, str] | None:
        """Variables of a substituteFrom entry: what a dependency of this run renders counts before what is live."""
        if kind == "StackConfig":
            return self._config.variables
        if kind == "StackOutput":
            return self._stack_outputs(name)
        for unit in before:
            if (found := unit.values.get(ObjectId("", kind, namespace, name))) is not None:
                return found
        return self._clusters.values(kind, namespace, name)


def _message(where: str, err: Exception) -> str:
    """The error's own sentence; of an unexpected one only its type, for its text may hold values."""
    return str(err) if isinstance(err, WeirError) else f"{where}: unexpected {type(err).__name__}"


def _texts(item: Mapping[str, Any], *, secret: bool) -> dict[str, str]:
    """The values of a ConfigMap or Secret; `secret` ones are so to whoever takes them."""
    data = {str(key): str(value) for key, value in (item.get("data") or {}).items()}
    if item["kind"] == "Secret":
        data = {key: base64.b64decode(value).decode("utf-8", "replace") for key, value in data.items()}
        data |= {str(key): str(value) for key, value in (item.get("stringData") or {}).items()}
    return {key: SecretText(value) for key, value in data.items()} if secret else data
