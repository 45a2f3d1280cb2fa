"""Take a unit away: its objects by its deletion policy, its record last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import orjson

from weir.edges.holder import own_identity
from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery
from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.reading import read_live
from weir.edges.kube.records import Records, Running
from weir.edges.kube.watching import wait_absent
from weir.flow.clusters import Clusters
from weir.flow.decisions import skipped
from weir.flow.parents import why_kept
from weir.flow.pruning import (
    Doomed,
    absent,
    await_moves,
    delete_all,
    judge,
    locate,
    look_again,
    owner_selector,
    spare_moving,
    survivors,
)
from weir.flow.reporting import PruneError, stamp
from weir.objects.prune import guard_precious
from weir.objects.rank import delete_order
from weir.spec.changes import Action, ChangeSet, ObjectChange
from weir.spec.documents import Document
from weir.spec.errors import ClusterError, GuardError, SpecError
from weir.spec.identity import ObjectId
from weir.spec.kustomization import KustomizationSpec, parse_kustomization
from weir.spec.record import UnitRecord
from weir.spec.stack import OptionsConfig

Obj = dict[str, Any]

Elsewhere = Callable[[KustomizationSpec], frozenset[ObjectId]]

_STAYS: Final = (
    "another unit of this run renders it and has not taken it over; resume or mend that unit first"
)
_POLICIES: Final = {"Delete": "", "WaitForTermination": "", "Orphan": "spec.deletionPolicy is Orphan"}


def nowhere(_: KustomizationSpec) -> frozenset[ObjectId]:
    """No other unit wants anything."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class _Removal:
    """What is known before anything is deleted."""

    spec: KustomizationSpec | None
    doomed: tuple[Doomed, ...]
    orphaned: str = ""
    """Why nothing is deleted."""
    kube: Kube | None = None

    @property
    def changes(self) -> tuple[ObjectChange, ...]:
        """What is deleted, and what is left and why."""
        return tuple(change for item in self.doomed if (change := item.change()))


def plan_removal(clusters: Clusters, record: UnitRecord, elsewhere: Elsewhere = nowhere) -> ChangeSet:
    """What removing the unit would delete, and what it would leave and why. Reads only.

    `elsewhere`: objects that other units of the run want on the cluster of a unit with this spec.

    Raises:
        ClusterError: the cluster cannot be read.
    """
    removal = _look(clusters, record, None, elsewhere)
    if removal.orphaned:
        items = delete_order(item for item, _ in record.inventory)
        left = tuple(
            ObjectChange(item, Action.SKIP, (), f"left in place: {removal.orphaned}") for item in items
        )
        return ChangeSet(left)
    warnings = [item.problem for item in removal.doomed if item.problem]
    try:
        _guard(removal, record, OptionsConfig())
    except GuardError as err:
        warnings.append(str(err))
    return ChangeSet(removal.changes, 0, tuple(warnings))


def remove_unit(
    clusters: Clusters,
    record: UnitRecord,
    options: OptionsConfig,
    *,
    progress: Callable[[str], None],
    stop: threading.Event,
    elsewhere: Elsewhere = nowhere,
    destroying: bool = False,
) -> tuple[ObjectChange, ...]:
    """Delete the unit's objects as its deletionPolicy says, then its record; what was deleted.

    `MirrorPrune` deletes when spec.prune is true, `Delete` and `WaitForTermination` always, `Orphan` never; a suspended
    unit is orphaned. Only objects whose live owner labels still name the unit are deleted, and none that `elsewhere`
    says another unit of the run wants: a unit that was renamed is not removed before its successor has its objects.
    Safe to repeat. A removal that is not complete leaves its mark in the record: nobody brings back what is gone.
    Unless `destroying` the whole stack, a unit that Flux would not prune is orphaned as well (`why_kept`).

    Raises:
        GuardError: a Namespace, CRD or PersistentVolumeClaim would go unnamed; nothing was deleted.
        PruneError: objects could not be deleted; the record stays and names them.
        ClusterError: the cluster cannot be reached or read; the record stays.
        StopRequested: cancelled; the record stays.
    """
    removal = _look(clusters, record, stop, elsewhere, destroying=destroying)
    if removal.orphaned:
        progress(f"left {len(record.inventory)} objects in place: {removal.orphaned}")
        clusters.records.delete(record.id)
        return ()
    _guard(removal, record, options)
    if removal.kube is None or removal.spec is None:
        raise ClusterError(f"{record.id}: found no cluster to delete from")
    left = _delete(removal.kube, removal.doomed, clusters.records, record, stop, progress)
    held = [item for item in left if item.tracked]
    if removal.spec.deletion_policy == "WaitForTermination":
        _await_end(removal.kube, held, removal.spec.timeout, stop, progress)
    elif held:
        progress(f"{len(held)} objects are still being deleted, the first {held[0].id}: {held[0].kept}")
    clusters.records.delete(record.id)
    return removal.changes


def _delete(
    kube: Kube,
    doomed: Sequence[Doomed],
    records: Records,
    record: UnitRecord,
    stop: threading.Event,
    progress: Callable[[str], None],
) -> list[Doomed]:
    """Delete, and say what is left. Raises PruneError."""
    mark = Running(holder=own_identity(), started=stamp(datetime.now(UTC)), revision=record.revision)
    if doomed:
        # whoever corrects drift must see, before the first object is gone, that it is not to come back
        gone = absent(doomed)
        rest = {item: version for item, version in record.inventory if item not in gone}
        records.write(record.with_inventory(rest), running=mark)
        doomed = look_again(kube, doomed, record.id, lambda: records.write(record, running=mark))
    left = await_moves(kube, delete_all(kube, doomed, record.id, stop, progress), record.id, stop)
    left = [item for item in left if not (item.moving and _is_left_alone(item))]
    problems = [item.problem or f"{item.id}: {_STAYS}" for item in left if item.problem or item.moving]
    if problems:
        records.write(record.with_inventory(survivors(left)), running=mark)
        count = f"{len(problems)} objects could not be deleted, so the unit stays"
        raise PruneError(f"{record.id}: {count}:\n" + "\n".join(problems))
    return left


def _is_left_alone(item: Doomed) -> bool:
    """Whether an object says that it is not written once it is there: no unit takes it over, and it stays."""
    return bool(item.live and skipped(item.live, item.live))


def _look(
    clusters: Clusters,
    record: UnitRecord,
    stop: threading.Event | None,
    elsewhere: Elsewhere,
    *,
    destroying: bool = False,
) -> _Removal:
    spec = read_spec(record)
    orphaned = _orphaned(record, spec) or ("" if destroying else why_kept(record, clusters.records.read))
    if orphaned or spec is None:
        return _Removal(spec, (), orphaned)
    kube, discovery = clusters.target(spec)
    clusters.confirm(kube, spec, record)
    if _account_is_gone(kube, clusters):
        return _Removal(spec, (), f"the account it is deleted as, {kube.user}, does not exist any more")
    bound = kube.until(stop) if stop else kube
    doomed = spare_moving(_doomed(bound, discovery, record), lambda: elsewhere(spec))
    return _Removal(spec, tuple(doomed), "", bound)


def read_spec(record: UnitRecord) -> KustomizationSpec | None:
    """The unit's spec as last registered, None when the record does not hold a readable one."""
    try:
        return parse_kustomization(Document(f"record of {record.id}", 0, orjson.loads(record.document)))
    except (SpecError, ValueError):
        return None


def _orphaned(record: UnitRecord, spec: KustomizationSpec | None) -> str:
    """Why the unit's objects stay, empty when they go."""
    if spec is None:
        return "its record holds no readable document, so its deletion policy is unknown"
    if record.suspended or spec.suspend:
        return "the unit is suspended"
    if spec.deletion_policy == "MirrorPrune":
        return "" if spec.prune else "spec.prune is false"
    return _POLICIES[spec.deletion_policy]


def _account_is_gone(kube: Kube, clusters: Clusters) -> bool:
    """Whether the impersonated ServiceAccount was deleted: then nothing may be deleted in its name (as in Flux)."""
    if not kube.user:
        return False
    namespace, _, name = kube.user.removeprefix("system:serviceaccount:").partition(":")
    try:
        kube.acting_as("").request("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
    except KubeStatusError as err:
        if err.absent or err.missing_namespace:
            return True
        if err.status == HTTPStatus.FORBIDDEN and kube.server != clusters.main.server:
            return False
        raise
    return False


def _doomed(kube: Kube, discovery: Discovery, record: UnitRecord) -> Sequence[Doomed]:
    began = time.monotonic()
    found: dict[ObjectId, Any] = {}
    known: dict[tuple[str, str], Any] = {}
    versions = dict(record.inventory)
    for item in delete_order(versions):
        kind = (item.group, item.kind)
        if kind not in known:
            known[kind] = locate(discovery, kube, item, versions[item], began)
        if known[kind] is not None:
            found[item] = known[kind]
    live = read_live(kube, found, selector=owner_selector(record.id))
    return [
        judge(item, versions[item], resource, live.get(item), record.id) for item, resource in found.items()
    ]


def _guard(removal: _Removal, record: UnitRecord, options: OptionsConfig) -> None:
    going = [item for item in removal.doomed if item.delete]
    if options.allow_mass_delete or removal.spec is None:
        return
    live = {item.id: item.live for item in going if item.live is not None}
    try:
        guard_precious(
            record.id, doomed=[item.id for item in going], live=live, annotations=removal.spec.annotations
        )
    except GuardError as err:
        raise GuardError(err.message, hint=f"{err.hint}, or set weir:options.allowMassDelete") from err


def _await_end(
    kube: Kube, held: Sequence[Doomed], timeout: float, stop: threading.Event, progress: Callable[[str], None]
) -> None:
    """Wait until the objects are gone; what is not gone in time is named and let go (WaitForTermination)."""
    wanted = {item.id: item.resource for item in held if item.resource is not None}
    uids = {item.id: item.live["metadata"]["uid"] for item in held if item.live is not None}
    left = wait_absent(kube, wanted, uids, timeout=timeout, stop=stop)
    for item in left:
        progress(f"{item}: still being deleted after {timeout:.0f} s")
