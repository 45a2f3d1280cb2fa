"""One Kustomization as a resource: plan in `check`, one path per changed field in `diff`, work in `apply`."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from provider.engine import Engine
from provider.props import Props, plain
from provider.report import changes_props, last_result, log_plan, outputs_of, record_outputs, spec_props
from weir.edges.runs import Run, objects_file, unit_file
from weir.edges.timings import note
from weir.flow.apply import apply_unit
from weir.flow.clusters import Clusters
from weir.flow.conflicts import refuse_other_backend, refuse_other_stack
from weir.flow.decisions import Work
from weir.flow.dependencies import check_ready_exprs
from weir.flow.digest import digest_of, document_digest
from weir.flow.live_ahead import LiveAhead
from weir.flow.moves import read_unrendered, wanted_elsewhere
from weir.flow.not_applied import record_failure
from weir.flow.outcome import Certain, Problem, UnitOutcome, decode, held
from weir.flow.plan import Request, plan_unit
from weir.flow.reporting import NOT_READY
from weir.flow.settings import read_settings
from weir.spec.confidential import open_data
from weir.spec.errors import HealthError, RenderError, StopRequested, WeirError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.kustomization import KustomizationSpec
from weir.spec.record import UnitRecord

if TYPE_CHECKING:
    from weir.flow.tell import Teller

_TRACKED: Final = ("source", "revision", "digest", "cluster", "suspended")
_AT_WORK: Final = min(32, (os.cpu_count() or 1) + 4)
"""Units that are applied at a time; those that only wait for health are not counted."""
ALLOW_DELETE: Final = "WEIR_ALLOW_DELETE"
"""Set by `weir destroy`, which a person typed: removing units may then remove Namespaces, CRDs and claims."""
_NEWS: Final = ("unit", "source", "orphan")


class Failed(WeirError):
    """A unit that was applied, wholly or in part, and is not ready. Carries the outputs to keep."""

    def __init__(self, message: str, outputs: Props, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.outputs = outputs


class UnitProvider:
    """Kustomizations of one stack. Thread-safe; holds connections and nothing else."""

    def __init__(self, settings: Props, engine: Engine, stop: threading.Event) -> None:
        self._settings = read_settings("", settings, "stack configuration")
        self._engine = engine
        self._stop = stop
        self._run = Run.current()
        self._lock = threading.Lock()
        self._places = threading.Semaphore(_AT_WORK)
        self._clusters: dict[str, Clusters] = {}
        self._ahead: LiveAhead | None = None
        self._decisions: dict[UnitId, Mapping[ObjectId, Work]] = {}
        self._tellers: dict[str, Teller] = {}

    @cached_property
    def _backend(self) -> str:
        """Where the state of the stack is kept; imported late, as `pulumi plugin` asks for no unit."""
        from weir.edges.pulumi.project import state_home

        return state_home(Path(__file__), os.environ)

    def look_ahead(self, stack: str) -> None:
        """Begin to read what is live, while the program resolves and renders."""
        self._ahead = LiveAhead(self._cluster_of(stack), self._stop)

    def _cluster(self, urn: str) -> Clusters:
        """Connections for the stack that a URN names."""
        return self._cluster_of(urn.split("::", 1)[0].rpartition(":")[2])

    def _cluster_of(self, stack: str) -> Clusters:
        with self._lock:
            if stack not in self._clusters:
                settings = self._settings
                self._clusters[stack] = Clusters(settings.cluster, settings.options, stack, stop=self._stop)
            return self._clusters[stack]

    def check(self, urn: str, olds: Props, news: Props) -> Props:
        """The unit's inputs with everything that an update would change. Reads only, and never raises."""
        try:
            return self._check(urn, olds, news)
        except WeirError as err:
            message = str(err)
        except Exception as err:  # noqa: BLE001 - an escaped error would end the run for every unit
            # without the error's text, which may hold values of secrets
            self._engine.log("debug", urn, "".join(traceback.format_tb(err.__traceback__)))
            message = f"{news.get('unit', urn)}: unexpected {type(err).__name__}; run again with --debug for details"
        self._engine.log("error", urn, message)
        kept = {key: olds.get(key, news.get(key)) for key in (*_TRACKED, *_NEWS, "spec")}
        return {key: value for key, value in kept.items() if value} | {"error": message}

    def _check(self, urn: str, olds: Props, news: Props) -> Props:
        unit = UnitId.parse(news["unit"])
        clusters = self._cluster(urn)
        inputs: Props = {key: news[key] for key in _NEWS if key in news}
        clusters.refuse_other(_known_cluster(olds))
        inputs["cluster"] = clusters.uid
        record = clusters.records.read(unit)
        if "orphan" in news:
            return inputs | self._check_orphan(urn, clusters, record)
        refuse_other_stack(record, clusters.records.stack, self._settings.options)
        outcome = self._outcome(unit)
        inputs |= {
            "revision": outcome.revision,
            "digest": outcome.digest,
            "spec": plain(spec_props(outcome.document)),
        }
        if outcome.error:
            raise RenderError(outcome.error)
        if record and record.held:
            self._engine.log("info", urn, f"left as it is: suspended by {record.held}")
        if outcome.spec.suspend or (record and record.held):
            return inputs | {"suspended": "true"}
        request = self._request(clusters, outcome, outcome.spec, record)
        lists = self._ahead.take(unit, request.kube) if self._ahead else {}
        plan = plan_unit(replace(request, lists=lists), self._objects(outcome), record)
        note(unit, {"plan": plan.seconds})
        self._decisions[unit] = plan.decisions
        log_plan(self._engine, urn, plan.changeset, outcome.warnings)
        reason = plan.unhealthy or _rewritten(record, outcome, self._backend, request.cluster)
        return inputs | changes_props(plan.changeset) | last_result(record, reason)

    def _check_orphan(self, urn: str, clusters: Clusters, record: UnitRecord | None) -> Props:
        if record is None:
            return {}
        from weir.flow.remove import plan_removal

        changeset = plan_removal(clusters, record, partial(wanted_elsewhere, self._run))
        log_plan(self._engine, urn, changeset, ())
        return changes_props(changeset)

    def _any_outcome(self, unit: UnitId) -> Certain:
        found = self._run.read_json(unit_file(unit))
        outcome = decode(found) if isinstance(found, dict) else None
        if outcome is None or isinstance(outcome, Problem):
            raise RenderError(
                f"{unit}: found no result of this run, expected the program to have rendered it"
            )
        return outcome

    def _outcome(self, unit: UnitId) -> UnitOutcome:
        outcome = self._any_outcome(unit)
        if not isinstance(outcome, UnitOutcome):
            raise TypeError(outcome)
        return outcome

    def _request(
        self, clusters: Clusters, outcome: UnitOutcome, spec: KustomizationSpec, record: UnitRecord | None
    ) -> Request:
        """What plan and apply of the unit are asked for; `spec` is the outcome's, maybe with another timeout."""
        kube, discovery = clusters.target(spec)
        still = spec.suspend or (record is not None and record.held)
        return Request(
            kube=kube,
            discovery=discovery,
            spec=spec,
            options=self._settings.options,
            cluster="" if still else clusters.confirm(kube, spec, record),
            confidential=outcome.secret_ids,
            elsewhere=partial(wanted_elsewhere, self._run, outcome.spec),
            unrendered=partial(read_unrendered, self._run, outcome.spec.source),
            records=clusters.records.read,
            aside=self._aside,
            stop=self._stop,
        )

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Leave this unit's place to another one."""
        self._places.release()
        try:
            yield
        finally:
            self._places.acquire()

    def _objects(self, outcome: UnitOutcome) -> tuple[dict[str, object], ...]:
        payload = self._run.read(objects_file(outcome.id))
        if payload is None or digest_of(payload) != outcome.digest:
            hint = "run again"
            raise RenderError(
                f"{outcome.id}: the rendered objects of this run are missing or altered", hint=hint
            )
        return tuple(orjson.loads(payload))

    def diff(self, olds: Props, news: Props) -> dict[tuple[str, ...], str]:
        """Property path -> add, update or delete; empty when the unit stays as it is."""
        paths: dict[tuple[str, ...], str] = {}
        for key in _TRACKED:
            paths |= _compare((key,), olds.get(key), news.get(key))
        old_spec, new_spec = olds.get("spec") or {}, news.get("spec") or {}
        for key in sorted({*old_spec, *new_spec}):
            paths |= _compare(("spec", key), old_spec.get(key), new_spec.get(key))
        for name, fields in (news.get("changes") or {}).items():
            if isinstance(fields, dict):
                paths |= {("changes", name, field): "add" for field in fields}
            else:
                paths["changes", name] = "add"
        return paths | {(key,): "add" for key in ("error", "result", "orphan") if key in news}

    def apply(self, urn: str, inputs: Props, timeout: float) -> Props:
        """Make the cluster what this run rendered. Raises WeirError, or Failed when something was applied."""
        try:
            with self._places:
                return self._apply(urn, inputs, timeout)
        except (Failed, StopRequested):
            raise
        except WeirError as err:
            self._not_applied(urn, inputs, err)
            raise

    def _not_applied(self, urn: str, inputs: Props, err: WeirError) -> None:
        """Tell of a unit that failed before its apply began, and let its record say so where it is its own."""
        unit, clusters = UnitId.parse(inputs["unit"]), self._cluster(urn)
        # before the apply only a readyExpr judges health
        reason = NOT_READY if isinstance(err, HealthError) else ""
        event = self._teller(urn).refused(unit, str(err), reason)
        with suppress(WeirError):
            clusters.refuse_other(_known_cluster(inputs))
            if "orphan" not in inputs:
                revision = event.metadata.get("revision", "")
                record_failure(clusters.records, unit, event.reason, str(err), revision)

    def _apply(self, urn: str, inputs: Props, timeout: float) -> Props:
        if "error" in inputs:
            raise WeirError(inputs["error"])
        if self._ahead:
            self._ahead.drop()
        clusters = self._cluster(urn)
        unit = UnitId.parse(inputs["unit"])
        clusters.refuse_other(_known_cluster(inputs))
        if "orphan" in inputs:
            self._remove(urn, clusters, unit)
            return dict(inputs) | {"ready": "True", "message": "removed"}
        outcome = self._outcome(unit)
        spec = replace(outcome.spec, timeout=timeout) if timeout else outcome.spec
        check_ready_exprs(spec, clusters.records, lambda one: self._any_outcome(one).document)
        record = clusters.records.read(unit) if spec.kube_config_secret else None
        result = apply_unit(
            replace(self._request(clusters, outcome, spec, record), known=self._decisions.pop(unit, {})),
            clusters.records,
            () if spec.suspend else self._objects(outcome),
            record=self._new_record(outcome, clusters.records.stack),
            revision=outcome.revision,
            digest=outcome.digest,
            progress=lambda line: self._engine.log("info", urn, line, ephemeral=True),
        )
        note(unit, result.timings)
        if result.spared:
            self._engine.log("warning", urn, result.spared)
        self._teller(urn).applied(outcome.document, result)
        outputs = outputs_of(inputs, result)
        if result.error is not None:
            raise Failed(result.error.message, outputs, hint=result.error.hint)
        return outputs

    def delete(self, urn: str, state: Props) -> None:
        """Remove the unit by its deletion policy; without a record of this stack it is gone. Raises WeirError."""
        clusters = self._cluster(urn)
        clusters.refuse_other(_known_cluster(state))
        unit = UnitId.parse(state["unit"])
        try:
            self._remove(urn, clusters, unit)
        except StopRequested:
            raise
        except WeirError as err:
            self._teller(urn).refused(unit, str(err))
            raise

    def _teller(self, urn: str) -> Teller:
        """Whoever tells the events of a unit's stack. Imported late: most runs have nothing to tell."""
        from weir.flow.tell import Teller

        clusters = self._cluster(urn)
        with self._lock:
            if clusters.stack not in self._tellers:
                self._tellers[clusters.stack] = Teller(
                    clusters, self._run, lambda line: self._engine.log("warning", urn, line)
                )
            return self._tellers[clusters.stack]

    def _remove(self, urn: str, clusters: Clusters, unit: UnitId) -> None:
        from weir.flow.remove import remove_unit

        record = clusters.records.read_own(unit)
        if record is None:
            return
        options = self._settings.options
        refuse_other_backend(record, self._backend, options)
        if os.environ.get(ALLOW_DELETE):
            options = replace(options, allow_mass_delete=True)
        changes = remove_unit(
            clusters,
            record,
            options,
            progress=lambda line: self._engine.log("info", urn, line, ephemeral=True),
            stop=self._stop,
            elsewhere=partial(wanted_elsewhere, self._run),
            destroying=bool(os.environ.get(ALLOW_DELETE)),
        )
        self._teller(urn).removed(record, changes)

    def _new_record(self, outcome: UnitOutcome, stack: str) -> UnitRecord:
        """What this run knows about the unit; what was before, the apply takes from the cluster's own record."""
        return UnitRecord(
            id=outcome.id,
            stack=stack,
            backend=self._backend,
            source=str(outcome.spec.source),
            suspended=outcome.spec.suspend and not held(outcome),
            confidential=frozenset(item for item in outcome.secret_ids if item.kind != "Secret"),
            spec_digest=document_digest(outcome.document),
            document=orjson.dumps(open_data(outcome.document)).decode(),
            variables=outcome.variables,
        )

    def read(self, urn: str, name: str, state: Props, inputs: Props) -> tuple[Props | None, Props]:
        """Outputs and inputs as the cluster's record has them; None when there is none of this stack any more."""
        clusters = self._cluster(urn)
        clusters.refuse_other(_known_cluster(state))
        record = clusters.records.read_own(UnitId.parse(name))
        if record is None:
            return None, {}
        kept = {key: value for key, value in inputs.items() if key not in ("changes", "error", "result")}
        return dict(state) | record_outputs(record), kept


def _known_cluster(props: Props) -> tuple[str, ...]:
    """The uid of the cluster where a unit's objects are; nothing for a unit that is new."""
    return tuple(filter(None, [props.get("cluster", "")]))


def _rewritten(record: UnitRecord | None, outcome: UnitOutcome, backend: str, cluster: str) -> str:
    """Why a record must be written again although the spec is the same: readyExpr of others reads the document."""
    if record and record.cluster != cluster:
        return "the record does not say which cluster the unit is applied to"
    if record and "" not in (record.backend, backend) and record.backend != backend:
        return "a stack of this name whose state is kept elsewhere applied it last"
    known = record.spec_digest if record else ""
    return (
        "the unit's labels or annotations changed"
        if known and known != document_digest(outcome.document)
        else ""
    )


def _compare(path: tuple[str, ...], old: object, new: object) -> dict[tuple[str, ...], str]:
    if old == new:
        return {}
    return {path: "add" if not old else "delete" if not new else "update"}
