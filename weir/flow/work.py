"""The two jobs of a run's look ahead: resolve one source, render one unit. Each turns failure into an outcome."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from weir.edges.build_cache import BuildCache
from weir.edges.kube.errors import UnreachableError
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
from weir.flow.render import Rendered, render_unit
from weir.flow.reporting import reason_unrendered
from weir.flow.source_work import Overrides, SourceWorker, message_of
from weir.flow.tenancy import Tenancy
from weir.flow.tree import Declared
from weir.render.layout import Layout
from weir.render.substitute import SecretText
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.errors import ArtifactError, ClusterError, SourceError, SpecError, WeirError
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
        self._sources = SourceWorker(config, clusters, store, overrides, hands)
        self._stack_outputs = stack_outputs
        self._hands = hands
        self._flux_told = False
        self._layouts: dict[str, Layout] = {}
        self._lock = threading.Lock()

    @cached_property
    def images(self) -> ImageWorker:
        """The jobs of image automation. Imported late: most stacks have none."""
        from weir.flow.image_work import ImageWorker

        return ImageWorker(self._config, self._clusters, self._store, self._hands)

    def source(self, declared: Declared, sources: Mapping[UnitId, SourceOutcome]) -> SourceOutcome:
        """Resolve and fetch one source. An outage keeps the last good artifact; a bad signature keeps nothing."""
        return self._sources.resolve(declared, sources)

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
            error = message_of(spec.where, err)
            tried = source.artifact.revision if source.artifact else ""
            failed = replace(outcome, error=error, reason=reason_unrendered(err), revision=tried)
            result = replace(result, outcome=failed)
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
        spec = result.outcome.spec
        artifact = self._sources.standing(spec, source) if spec.suspend else source.artifact
        if artifact is None and spec.suspend:
            return result
        if artifact is None:
            raise SourceError(f"{spec.where}: {source.id} has no artifact: {source.error}")
        taken: dict[str, str] = {}
        try:
            rendered = self._render_tree(spec, self._layout(artifact), before, taken)
        except ArtifactError:
            # evicted or altered on disk: fetch again, once; altered bytes are never used
            artifact = self._sources.again(source, artifact.revision)
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
            values = self.look_up(kind, namespace, name, before)
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

    def look_up(
        self, kind: str, namespace: str, name: str, before: Sequence[RenderedUnit] = ()
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


def _texts(item: Mapping[str, Any], *, secret: bool) -> dict[str, str]:
    """The values of a ConfigMap or Secret; `secret` ones are so to whoever takes them."""
    data = {str(key): str(value) for key, value in (item.get("data") or {}).items()}
    if item["kind"] == "Secret":
        data = {key: base64.b64decode(value).decode("utf-8", "replace") for key, value in data.items()}
        data |= {str(key): str(value) for key, value in (item.get("stringData") or {}).items()}
    return {key: SecretText(value) for key, value in data.items()} if secret else data
