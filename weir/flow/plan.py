"""What an apply of one unit would do now: reads and server dry-runs, no writes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery, Resource
from weir.edges.kube.errors import GoneApiError, KubeStatusError
from weir.edges.kube.reading import Lists, read_live, read_one
from weir.flow.admission import unopposed
from weir.flow.checks import present_health
from weir.flow.collector import paused
from weir.flow.decisions import WRITES, Situation, Work, decide
from weir.flow.moves import Unrendered
from weir.flow.pruning import Doomed, judge, locate, owner_selector, spare_moving, undecided
from weir.flow.staging import Placed, Refusal, new_namespaces, place
from weir.objects.prune import guard, guard_precious, to_prune
from weir.objects.rank import stages
from weir.spec.changes import Action, ChangeSet, ObjectChange
from weir.spec.errors import ClusterError, GuardError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.kustomization import KustomizationSpec
from weir.spec.listed import listed
from weir.spec.record import UnitRecord
from weir.spec.stack import OptionsConfig

Obj = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The decisions about all objects of a unit."""

    changeset: ChangeSet
    stages: tuple[tuple[Work, ...], ...]
    """Decisions in apply order, in the stages in which they are carried out."""
    doomed: tuple[Doomed, ...] = ()
    """Owned objects that Git does not hold any more."""
    refused: tuple[Refusal, ...] = ()
    """Objects that no API takes."""
    guard: GuardError | None = None
    """Why the whole is refused; nothing may be written then."""
    later: frozenset[ObjectId] = frozenset()
    """Those of `refused` whose kind another unit of the run defines."""
    unhealthy: str = ""
    """Why the unit needs an update although its objects are as desired: ill health, an outdated record; else empty."""
    seconds: float = 0.0

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that would make the apply fail, one sentence each."""
        found = [str(item.error) for item in self.refused if item.id not in self.later]
        found += [work.problem for stage in self.stages for work in stage if work.problem]
        found += [item.problem for item in self.doomed if item.problem]
        return (*found, *([str(self.guard)] if self.guard else []))

    @property
    def decisions(self) -> dict[ObjectId, Work]:
        """The decision about each desired object."""
        return {work.id: work for stage in self.stages for work in stage}

    @property
    def inventory(self) -> dict[ObjectId, str]:
        """The desired objects with the version each is spoken in, in apply order."""
        return {work.id: work.resource.version for stage in self.stages for work in stage}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One unit on one cluster, as both plan and apply take it."""

    kube: Kube
    discovery: Discovery
    spec: KustomizationSpec
    options: OptionsConfig = field(default_factory=OptionsConfig)
    cluster: str = ""
    """Identity of the remote cluster that `kube` is; empty for the stack's own, and when it is not known."""
    confidential: frozenset[ObjectId] = frozenset()
    elsewhere: Callable[[], frozenset[ObjectId]] = frozenset
    """Objects that other units of the same run want; asked only when something would be deleted."""
    unrendered: Callable[[], Unrendered] = Unrendered
    """Units of the run of which that is not known; asked with it."""
    lists: Lists = field(default_factory=dict)
    """LISTs of the unit's objects that were answered just now."""
    known: Mapping[ObjectId, Work] = field(default_factory=dict)
    """Decisions of a plan made just now in this process."""
    records: Callable[[UnitId], UnitRecord | None] = lambda _: None
    """The record of any unit, None when there is none."""
    aside: Callable[[], AbstractContextManager[None]] = nullcontext
    """Lets other units at work while this one only waits for health."""
    stop: threading.Event | None = None
    """Ends the work early, with StopRequested."""

    def read_unit(self, unit: UnitId) -> UnitRecord | None:
        """The record of another unit, None when there is none or this one may not refer to it. Raises ClusterError."""
        foreign = unit.namespace != self.spec.id.namespace
        return None if foreign and self.options.no_cross_namespace_refs else self.records(unit)

    def heeding_stop(self) -> Request:
        """The same, with calls to the cluster that `stop` ends too."""
        return replace(self, kube=self.kube.until(self.stop)) if self.stop else self


def plan_unit(request: Request, objects: Sequence[Obj], record: UnitRecord | None) -> Plan:
    """What applying these rendered objects would create, change, take over, delete and skip.

    Objects that are certainly as desired cost one LIST per kind and namespace; only for others is the server asked.
    What an apply would refuse is in `problems` and, object by object, in the change set; it does not raise.

    Raises:
        ClusterError: the cluster cannot be reached or read; then nothing is known, and nothing follows.
        StopRequested: `stop` was set.
    """
    if record:
        request = replace(request, confidential=request.confidential | record.confidential)
    return make_plan(request.heeding_stop(), objects, record.inventory if record else ())


def make_plan(request: Request, objects: Sequence[Obj], inventory: Sequence[tuple[ObjectId, str]]) -> Plan:
    """As `plan_unit`, for an inventory. What discovery remembers is read again when it turns out to be old."""
    with paused():
        try:
            return _make_plan(request, objects, inventory)
        except GoneApiError:
            request.discovery.refresh()
            return _make_plan(request, objects, inventory)


def _make_plan(request: Request, objects: Sequence[Obj], inventory: Sequence[tuple[ObjectId, str]]) -> Plan:
    began = time.monotonic()
    placed, refused = place(objects, request.discovery)
    if refused and request.discovery.read_at < began:
        request.discovery.refresh()
        placed, refused = place(objects, request.discovery)
    desired = {item.id for item in placed} | {item.id for item in refused}
    versions = dict(inventory)
    stale, unknown = _locate_stale(request, to_prune(inventory, desired), versions, began)
    wanted = {item.id: item.resource for item in placed if not item.pending}
    live = read_live(
        request.kube,
        {**wanted, **stale},
        selector=owner_selector(request.spec.id),
        lists=request.lists,
        stop=request.stop,
    )
    works = decide_placed(request, placed, live)
    doomed = [*_judge_stale(request, stale, versions, live), *unknown]
    return _assemble(request, works, refused, doomed, versions, time.monotonic() - began)


def decide_placed(request: Request, placed: Sequence[Placed], live: Mapping[ObjectId, Obj]) -> list[Work]:
    """Decisions about placed objects, given what is live."""
    situation = Situation(
        kube=request.kube,
        spec=request.spec,
        confidential=request.confidential,
        new_namespaces=coming_namespaces(request, placed, live),
        certain=unopposed(request.kube, request.discovery, placed, live, request.stop),
        known=request.known,
        stop=request.stop,
    )
    return decide(situation, placed, live)


def coming_namespaces(
    request: Request, placed: Sequence[Placed], live: Mapping[ObjectId, Obj]
) -> frozenset[str]:
    """Namespaces of new objects that are not there yet and that this unit, or another one of the run, brings."""
    own = {name for name in new_namespaces(placed) if ObjectId("", "Namespace", "", name) not in live}
    needed = {item.id.namespace for item in placed if item.id not in live and item.id.namespace} - own
    others = {item.name for item in request.elsewhere() if item.kind == "Namespace"} if needed else set()
    resource = request.discovery.resource("v1", "Namespace")
    for name in sorted(needed & others):
        with contextlib.suppress(KubeStatusError):
            if read_one(request.kube, resource, ObjectId("", "Namespace", "", name)) is None:
                own.add(name)
    return frozenset(own)


def _locate_stale(
    request: Request, items: Iterable[ObjectId], versions: Mapping[ObjectId, str], began: float
) -> tuple[dict[ObjectId, Resource], list[Doomed]]:
    """The APIs of owned objects that are not desired; those of which nothing is known stay tracked, with a problem."""
    known: dict[tuple[str, str], Resource | ClusterError | None] = {}
    found: dict[ObjectId, Resource] = {}
    unknown = []
    for item in items:
        kind = (item.group, item.kind)
        if kind not in known:
            try:
                known[kind] = locate(request.discovery, request.kube, item, versions.get(item, ""), began)
            except ClusterError as err:
                known[kind] = err
        answer = known[kind]
        if isinstance(answer, Resource):
            found[item] = answer
        elif answer is not None:
            problem = f"{item}: not deleted: {answer}"
            unknown.append(Doomed(id=item, version=versions.get(item, ""), tracked=True, problem=problem))
    return found, unknown


def _judge_stale(
    request: Request,
    stale: Mapping[ObjectId, Resource],
    versions: Mapping[ObjectId, str],
    live: Mapping[ObjectId, Obj],
) -> list[Doomed]:
    judged = [
        judge(item, versions[item], resource, live.get(item), request.spec.id)
        for item, resource in stale.items()
    ]
    if request.spec.prune:
        return spare_moving(judged, request.elsewhere, request.unrendered)
    kept = "spec.prune is false"
    return [
        Doomed(id=item.id, version=item.version, kept=kept) if item.delete else item
        for item in judged
        if item.live
    ]


def _assemble(
    request: Request,
    works: Sequence[Work],
    refused: Sequence[Refusal],
    doomed: Sequence[Doomed],
    inventory: Mapping[ObjectId, str],
    seconds: float,
) -> Plan:
    by_id = {work.id: work for work in works}
    staged = tuple(
        tuple(by_id[ObjectId.of(obj)] for obj in part) for part in stages(work.desired for work in works)
    )
    ordered = [work for stage in staged for work in stage]
    later = _later(request, refused)
    refusal = _guard(request, ordered, refused, doomed, inventory)
    return Plan(
        changeset=ChangeSet(
            tuple(_changes(ordered, refused, doomed, later)),
            sum(work.action is Action.UNCHANGED for work in ordered),
            _warnings(ordered, refused, doomed, refusal, later),
        ),
        stages=staged,
        doomed=tuple(doomed),
        refused=tuple(refused),
        later=later,
        guard=refusal,
        unhealthy=present_health((request.kube, request.discovery, request.spec), ordered, request.read_unit)
        or _outdated(doomed)
        or undecided(item for item in doomed if item.unrendered.pending),
        seconds=seconds,
    )


def _changes(
    works: Sequence[Work], refused: Sequence[Refusal], doomed: Sequence[Doomed], later: frozenset[ObjectId]
) -> Iterable[ObjectChange]:
    """Every object that does not stay as it is: the refused first, deletions last."""
    for item in refused:
        why = "" if item.id in later else f"would be refused: {item.error.message}"
        yield ObjectChange(item.id, Action.CREATE, (), why)
    for work in works:
        if work.action is not Action.UNCHANGED:
            why = work.why or ("would be refused" if work.problem else "")
            yield ObjectChange(work.id, work.action, work.fields, why)
    yield from (change for gone in doomed if (change := gone.change()))


def _later(request: Request, refused: Sequence[Refusal]) -> frozenset[ObjectId]:
    """Objects of kinds that another unit of the run defines: unknown now, known when this unit's turn comes."""
    if not refused:
        return frozenset()
    groups = {
        item.name.partition(".")[2] for item in request.elsewhere() if item.kind == "CustomResourceDefinition"
    }
    return frozenset(item.id for item in refused if item.id.group and item.id.group in groups)


def _outdated(doomed: Sequence[Doomed]) -> str:
    """What the inventory still names although it was let go since: by a finalizer's holder, or to another unit."""
    gone = [item.id for item in doomed if item.live is None and not item.tracked]
    if gone:
        return f"the record still names {listed(gone)}, which is gone"
    left = [item.id for item in doomed if item.kept and not item.tracked]
    return f"the record still names {listed(left)}, which is not the unit's any more" if left else ""


def refuse_deletions(
    request: Request, plan: Plan, doomed: Sequence[Doomed], inventory: Sequence[tuple[ObjectId, str]]
) -> None:
    """Judge what is deleted after all although the plan did not know. Raises GuardError when that is dangerous."""
    works = [work for stage in plan.stages for work in stage]
    if refusal := _guard(request, works, plan.refused, doomed, dict(inventory)):
        raise refusal


def _guard(
    request: Request,
    works: Sequence[Work],
    refused: Sequence[Refusal],
    doomed: Sequence[Doomed],
    inventory: Mapping[ObjectId, str],
) -> GuardError | None:
    """The refusal of a dangerous plan. Recreating a PersistentVolumeClaim destroys as deleting it does."""
    going = [item for item in doomed if item.delete]
    moving = {item.id for item in doomed if item.moving}
    live = {item.id: item.live for item in going if item.live}
    spec, options = request.spec, request.options
    try:
        guard(
            spec.id,
            inventory=[item for item in inventory if item not in moving],
            desired=[*(work.id for work in works), *(item.id for item in refused)],
            doomed=[item.id for item in going],
            live=live,
            annotations=spec.annotations,
            allow_empty=options.allow_empty,
            allow_mass_delete=options.allow_mass_delete,
        )
        guard_remade(spec, works)
    except GuardError as err:
        return err
    return None


def guard_remade(spec: KustomizationSpec, works: Sequence[Work]) -> None:
    """Raises GuardError when an object would be recreated with which more than itself would go."""
    remade = {work.id: work.live for work in works if work.action is Action.RECREATE and work.live}
    guard_precious(spec.id, doomed=list(remade), live=remade, annotations=spec.annotations)


def _warnings(
    works: Sequence[Work],
    refused: Sequence[Refusal],
    doomed: Sequence[Doomed],
    refusal: GuardError | None,
    later: frozenset[ObjectId],
) -> tuple[str, ...]:
    found = [str(item.error) for item in refused if item.id not in later]
    found += [work.problem for work in works if work.problem and not work.guessed]
    found += [item.problem for item in doomed if item.problem]
    guesses: dict[str, list[ObjectId]] = (
        {"their definition comes with another unit": list(later)} if later else {}
    )
    for work in works:
        if work.guessed and work.action in WRITES | {Action.UNCHANGED}:
            guesses.setdefault(work.guessed, []).append(work.id)
    found += [f"the preview is weaker for {listed(items)}: {why}" for why, items in guesses.items()]
    return (*dict.fromkeys(found), *([str(refusal)] if refusal else []))


Progress = Callable[[str], None]
