"""Which owned objects go, decided from what the cluster certainly says, and their deletion."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import groupby
from typing import Any, Final

from weir.edges.kube import writing
from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery, Resource
from weir.edges.kube.errors import KubeStatusError, UnknownKindError
from weir.edges.kube.parallel import each
from weir.edges.kube.reading import list_objects, read_live, read_one
from weir.edges.kube.watching import wait_absent
from weir.flow.faults import fault
from weir.flow.moves import ALL_KNOWN, Unrendered, mentioned
from weir.flow.refusals import refusal_text
from weir.objects.prune import may_prune
from weir.objects.rank import rank
from weir.spec.changes import Action, ObjectChange
from weir.spec.errors import ClusterError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.listed import listed

Obj = dict[str, Any]

_TRIES: Final = 5
_QUICK_SECONDS: Final = 2.0
_MOVE_SECONDS: Final = 5.0
_MOVE_POLL: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """One object of the inventory that Git does not hold any more, and what happens to it."""

    id: ObjectId
    version: str
    """As in the inventory."""
    resource: Resource | None = None
    live: Obj | None = None
    delete: bool = False
    kept: str = ""
    """Why it is not deleted although it is there."""
    tracked: bool = False
    """Whether it stays in the inventory: its fate is unknown, or its deletion not complete."""
    problem: str = ""
    moving: bool = False
    """Whether another unit of this run takes it over."""
    unrendered: Unrendered = ALL_KNOWN
    """Units that are not known not to want it: it is deleted once they are."""

    def change(self) -> ObjectChange | None:
        """The line of the plan, None when the object is gone already."""
        if self.delete:
            return ObjectChange(self.id, Action.DELETE)
        return ObjectChange(self.id, Action.SKIP, (), f"not deleted: {self.kept}") if self.kept else None


def locate(discovery: Discovery, kube: Kube, item: ObjectId, version: str, started: float) -> Resource | None:
    """The API of an object of the inventory; None when its kind is certainly gone, and its objects with it.

    Raises:
        ClusterError: that cannot be told (an API does not answer, or its definition exists and is not served).
    """
    try:
        return discovery.any_version(item.group, item.kind, version)
    except UnknownKindError:
        if discovery.read_at < started:
            discovery.refresh()
            return locate(discovery, kube, item, version, started)
    holder = _definition(kube, discovery, item)
    if holder:
        hint = "wait until it is served, or repair it, then run again"
        raise ClusterError(
            f"{item}: {holder} exists but is not served, so the object may still be there", hint=hint
        )
    return None


def _definition(kube: Kube, discovery: Discovery, item: ObjectId) -> str:
    """The stored definition of a kind that no API serves at the moment (an API server that just started)."""
    crds = discovery.any_version("apiextensions.k8s.io", "CustomResourceDefinition")
    for crd in list_objects(kube, crds):
        spec = crd.get("spec") or {}
        if (spec.get("group"), (spec.get("names") or {}).get("kind")) == (item.group, item.kind):
            return f"CustomResourceDefinition/{crd['metadata']['name']}"
    services = discovery.any_version("apiregistration.k8s.io", "APIService")
    for service in list_objects(kube, services):
        spec = service.get("spec") or {}
        if spec.get("group") == item.group and spec.get("service"):
            return f"APIService/{service['metadata']['name']}"
    return ""


def owner_selector(unit: UnitId) -> str:
    """The label selector of a unit's objects."""
    return (
        f"kustomize.toolkit.fluxcd.io/name={unit.name},kustomize.toolkit.fluxcd.io/namespace={unit.namespace}"
    )


def judge(item: ObjectId, version: str, resource: Resource | None, live: Obj | None, unit: UnitId) -> Doomed:
    """What happens to one object that Git does not hold any more."""
    doomed = Doomed(id=item, version=version, resource=resource, live=live)
    if live is None or resource is None:
        return doomed
    allowed, why = may_prune(live, unit)
    if not allowed:
        return replace(doomed, kept=why)
    if live["metadata"].get("deletionTimestamp"):
        return replace(doomed, kept=_held(live), tracked=True)
    return replace(doomed, delete=True)


def spare_moving(
    doomed: Sequence[Doomed],
    elsewhere: Callable[[], frozenset[ObjectId]],
    unrendered: Callable[[], Unrendered] = Unrendered,
) -> list[Doomed]:
    """The same, without deleting what another unit of the run is about to label as its own, or may be.

    `elsewhere` and `unrendered` are asked only when something would be deleted.
    """
    if not any(item.delete for item in doomed):
        return list(doomed)
    # in this order: what is rendered in between is then in both, not in neither
    unknown = unrendered()
    wanted = elsewhere()
    maybe = mentioned(unknown, {item.id.name for item in doomed if item.delete})
    return [
        _spared(item, wanted, unknown if item.id.name in maybe else ALL_KNOWN) if item.delete else item
        for item in doomed
    ]


def _spared(item: Doomed, wanted: frozenset[ObjectId], unknown: Unrendered) -> Doomed:
    if item.id in wanted:
        return replace(
            item, delete=False, tracked=True, moving=True, kept="moves to another unit of this run"
        )
    if unknown:
        return replace(item, delete=False, tracked=True, unrendered=unknown, kept=unknown.why)
    return item


def ask_again(
    doomed: Sequence[Doomed],
    elsewhere: Callable[[], frozenset[ObjectId]],
    unrendered: Callable[[], Unrendered],
) -> list[Doomed]:
    """As `spare_moving`, after some time, for what was spared because units were not rendered."""
    going = [
        replace(item, delete=True, tracked=False, unrendered=ALL_KNOWN, kept="") if item.unrendered else item
        for item in doomed
    ]
    return spare_moving(going, elsewhere, unrendered)


def undecided(doomed: Iterable[Doomed]) -> str:
    """Which objects stay although nobody is known to want them, and why, in one sentence; empty when none does."""
    items = [item for item in doomed if item.unrendered]
    if not items:
        return ""
    return f"{listed([item.id for item in items])}: not deleted: {items[0].kept}"


def await_moves(kube: Kube, doomed: Sequence[Doomed], unit: UnitId, stop: threading.Event) -> list[Doomed]:
    """Give the new owners a moment to label what moves; what they have labelled is no longer tracked here."""
    deadline = time.monotonic() + _MOVE_SECONDS
    waiting = {item.id: item for item in doomed if item.moving}
    while waiting and time.monotonic() < deadline:
        for item in list(waiting.values()):
            live = read_one(kube, item.resource, item.id) if item.resource else None
            if live is None or not may_prune(live, unit)[0]:
                del waiting[item.id]
        if waiting and stop.wait(_MOVE_POLL):
            break
    return [item for item in doomed if not item.moving or item.id in waiting]


def _held(live: Obj) -> str:
    finalizers = live["metadata"].get("finalizers") or ()
    return f"is being deleted, held by {', '.join(finalizers)}" if finalizers else "is being deleted"


def absent(doomed: Iterable[Doomed]) -> dict[ObjectId, Resource]:
    """The doomed that were not there already, with their APIs."""
    return {
        item.id: item.resource
        for item in doomed
        if item.live is None and item.resource is not None and not item.tracked
    }


def look_again(
    kube: Kube,
    doomed: Sequence[Doomed],
    unit: UnitId,
    remember: Callable[[], object],
) -> list[Doomed]:
    """The same after the record, marked by now, was written without what is absent.

    Whoever corrects drift and read the record before may have made such an object again until now; later it finds
    out from the record that the object is not wanted (`weir.flow.repair`). `remember` writes the record with all of
    them, before what is back is deleted.

    Raises:
        ClusterError: the server cannot be read.
    """
    gone = absent(doomed)
    back = read_live(kube, gone, selector=owner_selector(unit)) if gone else {}
    if not back:
        return list(doomed)
    remember()
    return [
        judge(item.id, item.version, item.resource, back[item.id], unit) if item.id in back else item
        for item in doomed
    ]


def delete_all(
    kube: Kube,
    doomed: Sequence[Doomed],
    unit: UnitId,
    stop: threading.Event,
    progress: Callable[[str], None],
) -> list[Doomed]:
    """Delete in the reverse of apply order, kind by kind, and say what is left.

    A refusal does not keep the others: it is a `problem`, and the object stays tracked.

    Raises:
        ClusterError: the server cannot be reached.
        StopRequested: the run was cancelled; what was not deleted is still tracked by the record.
    """
    results: list[Doomed] = [item for item in doomed if not item.delete]
    going = sorted((item for item in doomed if item.delete), key=lambda item: rank(item.id), reverse=True)
    for _, batch in groupby(going, key=lambda item: (rank(item.id)[0], item.id.group, item.id.kind)):
        results.extend(each(kube, lambda item: _delete(kube, item, unit), batch, stop))
    if going:
        progress(f"deleted {len(going)} objects")
    return _await_quick(kube, results, stop)


def _await_quick(kube: Kube, results: Sequence[Doomed], stop: threading.Event) -> list[Doomed]:
    """Finalizers that only need a moment (a definition's own) are waited for, so that the record need not name it."""
    leaving = [item for item in results if item.tracked and not item.unrendered]
    held = {item.id: item for item in leaving if item.live is not None and not item.problem}
    wanted = {item.id: item.resource for item in held.values() if item.resource is not None}
    if not wanted:
        return list(results)
    uids = {item.id: (item.live or {})["metadata"]["uid"] for item in held.values()}
    left = wait_absent(kube, wanted, uids, timeout=_QUICK_SECONDS, stop=stop)
    return [
        replace(item, live=None, tracked=False, kept="")
        if item.id in wanted and item.id not in left
        else item
        for item in results
    ]


def _delete(kube: Kube, item: Doomed, unit: UnitId) -> Doomed:
    """Delete the version that was judged; when it moved on meanwhile, judge again."""
    for attempt in range(_TRIES):
        if item.live is None or item.resource is None or not item.delete:
            return item
        try:
            rest = writing.delete(kube, item.resource, item.live, exact=attempt < _TRIES - 1)
        except KubeStatusError as err:
            if err.status == HTTPStatus.CONFLICT and attempt < _TRIES - 1:
                live = read_one(kube, item.resource, item.id)
                item = judge(item.id, item.version, item.resource, live, unit)
                continue
            text = refusal_text(item.id, err, None, item.live, confidential=item.id.kind == "Secret")
            return replace(item, delete=False, tracked=True, problem=text)
        fault("pruned")
        if rest is None:
            return replace(item, delete=False, live=None)
        return replace(item, delete=False, tracked=True, live=rest, kept=_held(rest))
    return item


def survivors(doomed: Iterable[Doomed]) -> dict[ObjectId, str]:
    """What of the doomed stays in the inventory."""
    return {item.id: item.version for item in doomed if item.tracked}
