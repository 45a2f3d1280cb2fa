"""One look at everything a stack declares: sources resolved, units rendered, nothing registered and nothing written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import orjson

from weir.edges.kube.errors import UnreachableError
from weir.edges.runs import objects_file
from weir.flow import notices
from weir.flow.clusters import Clusters
from weir.flow.digest import document_digest
from weir.flow.outcome import AutomationOutcome, Outcome, PolicyOutcome, Problem, SourceOutcome, UnitOutcome
from weir.flow.plan import Request
from weir.flow.repair import Held, hold
from weir.flow.session import Session
from weir.flow.tree import Declared
from weir.flow.unmoved import Unmoved
from weir.flow.work import Worker
from weir.objects.hook_targets import check_receiver
from weir.spec.documents import Document
from weir.spec.errors import WeirError
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.header import Header, read_header
from weir.spec.identity import UnitId
from weir.spec.image_repository import ImageRepositorySpec
from weir.spec.kustomization import KustomizationSpec
from weir.spec.receiver import ReceiverSpec, parse_receiver
from weir.spec.record import UnitRecord
from weir.watch.behind import Wanted
from weir.watch.schedule import Timing

REPOSITORIES: Final = UnitId("ImageRepository", "*", "*")
"""Stands in the schedule for all image repositories: they are scanned together, at the shortest of their intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one look found."""

    wanted: Mapping[UnitId, Wanted]
    held: Mapping[UnitId, Held]
    """Kustomizations that render, as they should be in the cluster."""
    timings: Mapping[UnitId, Timing]
    """Of sources and, under `REPOSITORIES`, of image scans; those of units that are not suspended."""
    values: frozenset[tuple[str, str, str]]
    """(kind, namespace, name) of ConfigMaps and Secrets on the main cluster that units take variables or kubeconfigs
    from."""
    problems: tuple[str, ...]
    sources: Mapping[UnitId, SourceOutcome]
    declared: Mapping[UnitId, Declared]
    receivers: tuple[ReceiverSpec, ...]
    headers: Mapping[UnitId, Header]
    """Of every declared unit: webhooks choose by their labels."""
    worker: Worker
    aside: str = ""
    """What went wrong beside the look, which is whole nonetheless."""
    unserved: tuple[str, ...] = ()
    """Receivers that cannot be served, and why: no unit rests on them."""
    refused: tuple[ReceiverSpec, ...] = ()
    """Those of them that can be read, so that their paths are known."""

    @property
    def told(self) -> tuple[str, ...]:
        """All that is wrong with what was read."""
        return self.problems + self.unserved

    @property
    def complete(self) -> bool:
        """Whether every declared unit was found, so that one that is missing was removed."""
        failed = any(
            one.error and one.digest == "" and one.id.kind == "Kustomization" for one in self.wanted.values()
        )
        return not self.problems and not failed

    def with_source(self, outcome: SourceOutcome) -> Looked:
        """The same after one source was resolved again."""
        revision = outcome.artifact.revision if outcome.artifact else ""
        known = self.wanted.get(outcome.id)
        if known is None or (known.revision, known.error) == (revision, outcome.error):
            return self
        wanted = {**self.wanted, outcome.id: replace(known, revision=revision, error=outcome.error)}
        return replace(self, wanted=wanted, sources={**self.sources, outcome.id: outcome})

    def warnings_since(self, before: Looked | None) -> Iterator[tuple[UnitId | None, str]]:
        """What is to be said of sources that moved since an earlier look, or of all when there was none."""
        if self.aside and (before is None or before.aside != self.aside):
            yield None, self.aside
        for unit, outcome in self.sources.items():
            known = before.wanted.get(unit) if before else None
            if known is None or known.revision != self.wanted[unit].revision:
                yield from ((unit, warning) for warning in outcome.warnings)

    def poll(self, source: UnitId, unmoved: Unmoved) -> SourceOutcome:
        """Resolve one source now, and fetch it when it moved. Never raises a WeirError."""
        known = self.sources.get(source)
        if known and known.artifact and not known.error and unmoved.stands(known.spec, known.artifact):
            return known
        return self.worker.source(self.declared[source], self.sources)


def still_applied(
    looked: Looked, before: Mapping[UnitId, Held], records: Mapping[UnitId, UnitRecord]
) -> dict[UnitId, Held]:
    """The units as they are applied: as this look found them, or as an earlier one did and nothing replaced them yet.

    So drift goes on being corrected while what is newer fails, or waits for whoever holds the stack.
    """
    return {
        unit: held
        for known in (before, looked.held)
        for unit, held in known.items()
        if unit in records and records[unit].is_applied(held.digest)
        if unit in looked.wanted and not looked.wanted[unit].suspended
    }


def look(open_session: Callable[[], Session], clusters: Clusters, stop: threading.Event) -> Looked:
    """Resolve and render everything, in a folder that ends with the look; `clusters` are the watcher's connections.

    Raises:
        WeirError: the settings or the declarations cannot be read at all, or something that nobody expected happened,
            and whoever looks must go on to look again.
    """
    try:
        return _look_once(open_session(), clusters, stop)
    except WeirError:
        raise
    except Exception as err:
        # the system's own words, as of a full disk, are no secret; others may hold values of one
        why = f": {err}" if isinstance(err, OSError) else ""
        raise WeirError(f"a look failed: unexpected {type(err).__name__}{why}") from err


def _look_once(session: Session, clusters: Clusters, stop: threading.Event) -> Looked:
    apart = session.apart(automate=True)
    try:
        looked = _Look(apart, clusters, stop).carry_out()
        return replace(looked, aside=_keep_notices(apart, whole=looked.complete))
    finally:
        apart.run.remove()
        session.clusters.drop_idle()


def _keep_notices(session: Session, *, whole: bool) -> str:
    """Leave the Alerts and Providers for the delivery, as no run on this machine may have; why it is not possible."""
    try:
        notices.keep(session.run, session.config.name, whole=whole)
    except OSError as err:
        return f"notifications cannot be kept on this machine: {err.strerror}"
    return ""


@dataclass(slots=True)
class _Look:
    session: Session
    clusters: Clusters
    stop: threading.Event
    wanted: dict[UnitId, Wanted] = field(default_factory=dict)
    held: dict[UnitId, Held] = field(default_factory=dict)
    sources: dict[UnitId, SourceOutcome] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unserved: list[str] = field(default_factory=list)
    refused: list[ReceiverSpec] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    """Servers that gave no answer; each is waited for once."""

    def carry_out(self) -> Looked:
        ahead = self.session.ahead
        for outcome in ahead:
            self._note(outcome)
        specs = [declared.spec for declared in ahead.units.values()]
        receivers = tuple(self._receivers(ahead.notices.values()))
        return Looked(
            wanted=self.wanted,
            held=self.held,
            timings=_timings(specs),
            values=_values(specs),
            problems=tuple(self.problems),
            unserved=tuple(self.unserved),
            refused=tuple(self.refused),
            sources=self.sources,
            declared=dict(ahead.units),
            receivers=receivers,
            headers={unit: read_header(one.document) for unit, one in ahead.units.items()},
            worker=self.session.worker,
        )

    def _receivers(self, documents: Iterable[Document]) -> Iterator[ReceiverSpec]:
        same_namespace = self.session.config.options.no_cross_namespace_refs
        for document in documents:
            if document.data.get("kind") != "Receiver":
                continue
            spec = None
            try:
                spec = parse_receiver(document)
                check_receiver(spec, same_namespace=same_namespace)
                yield spec
            except WeirError as err:
                self.unserved.append(str(err))
                self.refused += [spec] if spec else []

    def _note(self, outcome: Outcome) -> None:
        match outcome:
            case Problem():
                self.problems.append(outcome.message)
            case SourceOutcome():
                self.sources[outcome.id] = outcome
                artifact = outcome.artifact
                self._want(
                    outcome, revision=artifact.revision if artifact else "", suspended=outcome.spec.suspend
                )
            case UnitOutcome():
                self._unit(outcome)
            case PolicyOutcome():
                self._want(outcome, revision=outcome.image, suspended=outcome.spec.suspend)
            case AutomationOutcome():
                self._want(
                    outcome,
                    # not the commit: it is another one with every look, for it names its time
                    pending="\n".join(outcome.changes) if outcome.pending else "",
                    suspended=outcome.spec.suspend,
                )

    def _unit(self, outcome: UnitOutcome) -> None:
        spec = outcome.spec
        self._want(
            outcome,
            source=spec.source,
            revision=outcome.revision,
            digest=outcome.digest,
            document_digest=document_digest(outcome.document),
            suspended=spec.suspend,
            retry=spec.retry_interval,
        )
        if outcome.error or spec.suspend:
            return
        try:
            self._hold(outcome)
        except WeirError as err:
            self.problems.append(f"{outcome.id}: {err}")

    def _hold(self, outcome: UnitOutcome) -> None:
        kube, discovery = self.clusters.target(outcome.spec)
        if kube.server in self.silent:
            raise UnreachableError(f"{kube.server}: gave no answer a moment ago")
        request = Request(
            kube=kube,
            discovery=discovery,
            spec=outcome.spec,
            options=self.session.config.options,
            confidential=outcome.secret_ids,
            stop=self.stop,
        )
        objects = orjson.loads(self.session.run.read(objects_file(outcome.id)) or b"[]")
        record = self.clusters.records.read(outcome.id) if outcome.spec.kube_config_secret else None
        try:
            # objects that are missing in another cluster are no drift
            self.clusters.confirm(kube, outcome.spec, record)
            self.held[outcome.id] = hold(request, objects, outcome.digest)
        except UnreachableError:
            self.silent.add(kube.server)
            raise

    def _want(
        self, outcome: SourceOutcome | UnitOutcome | PolicyOutcome | AutomationOutcome, **facts: object
    ) -> None:
        make: Callable[..., Wanted] = partial(Wanted, id=outcome.id, error=outcome.error)
        self.wanted[outcome.id] = make(**facts)


def _timings(specs: Sequence[object]) -> dict[UnitId, Timing]:
    found: dict[UnitId, Timing] = {}
    scans = [spec.interval for spec in specs if isinstance(spec, ImageRepositorySpec) and not spec.suspend]
    if scans:
        found[REPOSITORIES] = Timing(interval=max(min(scans), 1.0))
    for spec in specs:
        if isinstance(spec, GitRepositorySpec) and not spec.suspend:
            found[spec.id] = Timing(interval=spec.interval)
    return found


def _values(specs: Sequence[object]) -> frozenset[tuple[str, str, str]]:
    return frozenset(
        (item.kind, spec.id.namespace, item.name)
        for spec in specs
        if isinstance(spec, KustomizationSpec)
        for item in spec.substitute_from
        if item.kind in ("ConfigMap", "Secret")
    ) | frozenset(
        ("Secret", spec.id.namespace, spec.kube_config_secret)
        for spec in specs
        if isinstance(spec, KustomizationSpec) and spec.kube_config_secret
    )
