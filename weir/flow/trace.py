"""From a live object back to its commit: owner labels, the unit's record, its source, the commit there."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery, Resource, split
from weir.edges.kube.errors import KubeStatusError
from weir.flow.commits import CommitLine, known_commit
from weir.flow.unit_documents import UnitDocuments
from weir.flow.write_work import Access
from weir.render.finish import OWNER_NAME, OWNER_NAMESPACE
from weir.select.git_ref import commit_of
from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.git_repository import parse_git_repository
from weir.spec.identity import ObjectId, UnitId
from weir.spec.kustomization import parse_kustomization
from weir.spec.record import UnitRecord

Obj = dict[str, Any]

_MOST_OWNERS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The object that a person means."""

    word: str
    """A kind or a plural, in any case."""
    name: str
    namespace: str | None = None
    """None when it was not said."""
    api_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A unit on the way: its record and its own YAML."""

    record: UnitRecord
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What is known about where an object comes from."""

    object: ObjectId
    live: bool
    """Whether it is in the cluster."""
    through: tuple[ObjectId, ...] = ()
    """Controllers above it, the last one with the labels of a unit: a Pod's ReplicaSet and Deployment."""
    named: UnitId | None = None
    """The unit that it belongs to, by its labels or by the unit's record."""
    unit: Link | None = None
    source: Link | None = None
    commit: CommitLine | None = None


def find_object(
    discovery: Discovery, records: Sequence[UnitRecord], wanted: Wanted
) -> tuple[Resource, ObjectId]:
    """The kind and the identity that a person means; without a namespace, that of the one object which units own.

    Raises:
        SpecError: no kind of the cluster is called so, or it is not certain which object is meant.
        ClusterError: the cluster cannot be asked.
    """
    kinds = discovery.named(wanted.word)
    if wanted.api_version:
        kinds = tuple(kind for kind in kinds if kind.group == split(wanted.api_version)[0])
    if not kinds:
        raise SpecError.at("KIND", "", found=wanted.word, expected="a kind that the cluster serves")
    owned = {
        item: kind
        for record in records
        for item, _ in record.inventory
        for kind in kinds
        if (item.group, item.kind, item.name) == (kind.group, kind.kind, wanted.name)
        and wanted.namespace in (None, item.namespace)
    }
    if len(owned) == 1:
        [(item, kind)] = owned.items()
        return kind, item
    where = f"{wanted.word}/{wanted.name}"
    if owned:
        found = ", ".join(sorted(map(str, owned)))
        hint = "say which with -n and --api-version"
        raise SpecError.at(where, "", found=found, expected="one of them", hint=hint)
    kind, space = kinds[0], wanted.namespace or ""
    if kind.namespaced and not space:
        hint = "no unit of the stack owns an object of this name"
        raise SpecError.at(where, "-n", found=None, expected="its namespace", hint=hint)
    return kind, ObjectId(kind.group, kind.kind, space if kind.namespaced else "", wanted.name)


def trace(documents: UnitDocuments, wanted: Wanted, access: Access) -> Traced:
    """Follow the object that a person means.

    Raises:
        SpecError: it is not certain which object is meant.
        ClusterError: the cluster cannot be read.
    """
    clusters = documents.session.clusters
    records = {record.id: record for record in clusters.records.read_all()}
    discovery = Discovery(clusters.main)
    resource, item = find_object(discovery, tuple(records.values()), wanted)
    owner = _recorded_owner(records, item)
    kube = clusters.main
    if owner and (far := _far_cluster(documents, owner)):
        kube, discovery = far
    live = _read(kube, resource, item)
    labelled, through = _climb(kube, discovery, live) if live else (None, ())
    named = labelled or (owner.id if owner else None)
    found = Traced(object=item, live=live is not None, through=through, named=named)
    unit = _link(documents, records.get(named)) if named else None
    if unit is None:
        return found
    source = _link(documents, records.get(UnitId.parse(unit.record.source))) if unit.record.source else None
    commit = _commit(source, unit.record, access) if source else None
    return replace(found, unit=unit, source=source, commit=commit)


def _recorded_owner(records: Mapping[UnitId, UnitRecord], item: ObjectId) -> UnitRecord | None:
    owners = (record for record in records.values() if any(owned == item for owned, _ in record.inventory))
    return next(owners, None)


def _far_cluster(documents: UnitDocuments, record: UnitRecord) -> tuple[Kube, Discovery] | None:
    """The cluster that a unit applies to, when it is another one than the stack's own."""
    with contextlib.suppress(SpecError):
        spec = parse_kustomization(Document(str(record.id), 0, dict(documents.of(record))))
        if spec.kube_config_secret:
            return documents.session.clusters.target(spec)
    return None


def _read(kube: Kube, resource: Resource, item: ObjectId) -> Obj | None:
    try:
        found: Obj = kube.request("GET", resource.path(item.namespace, item.name))
    except KubeStatusError as err:
        if err.absent:
            return None
        raise
    return found


def _climb(kube: Kube, discovery: Discovery, obj: Obj) -> tuple[UnitId | None, tuple[ObjectId, ...]]:
    """The unit that the labels of an object, or of a controller above it, name; and those controllers."""
    through: list[ObjectId] = []
    for _ in range(_MOST_OWNERS):
        meta = obj["metadata"]
        labels = meta.get("labels") or {}
        if labels.get(OWNER_NAME):
            unit = UnitId("Kustomization", str(labels.get(OWNER_NAMESPACE, "")), str(labels[OWNER_NAME]))
            return unit, tuple(through)
        above = next((one for one in meta.get("ownerReferences") or () if one.get("controller")), None)
        if above is None:
            break
        resource = discovery.resource(above["apiVersion"], above["kind"])
        space = str(meta.get("namespace", "")) if resource.namespaced else ""
        item = ObjectId(resource.group, resource.kind, space, above["name"])
        found = _read(kube, resource, item)
        if found is None:
            break
        through.append(item)
        obj = found
    return None, ()


def _link(documents: UnitDocuments, record: UnitRecord | None) -> Link | None:
    return Link(record=record, document=documents.of(record)) if record else None


def _commit(source: Link, unit: UnitRecord, access: Access) -> CommitLine | None:
    """The commit that the unit applied last, as this machine knows it."""
    commit = commit_of(unit.revision)
    if not commit:
        return None
    try:
        spec = parse_git_repository(Document(str(source.record.id), 0, dict(source.document)))
    except SpecError:
        return None
    return known_commit(spec, commit, access)
