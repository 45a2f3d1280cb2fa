"""The tags there are for what runs, as `fluxctl list-images` listed them: newest first, with the one in use marked.

"Newest" is what the tag pattern or the policy says: by version, by build date, by letters or by numbers; without
either, versions come first. The build dates are read of the tags that are shown, and of others only where such an order
needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from weir.edges.kube.reading import read_live
from weir.edit.find_workload import WorkloadName
from weir.edit.image import Image
from weir.edit.image_places import KINDS
from weir.edit.workload import Container, Workload, read_workloads
from weir.flow.clusters import Clusters
from weir.flow.image_choice import BuildDates, Line
from weir.flow.images import Registries
from weir.flow.look import Present
from weir.flow.pruning import owner_selector
from weir.flow.remove import read_spec
from weir.flow.workload_images import container_of
from weir.select.semver_range import parse_precedence
from weir.spec.errors import SpecError, StopRequested, WeirError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.image_policy import ImagePolicySpec
from weir.spec.image_repository import ImageRepositorySpec
from weir.spec.record import UnitRecord

_AT_ONCE: Final = 8
_NO_TAG: Final = "latest"
"""What a reference without tag and digest stands for."""
_KEPT: Final = ("apiVersion", "kind", "spec")


@dataclass(frozen=True, slots=True)
class TagLine:
    """One tag in a list."""

    tag: str
    created: float | None
    """When its image was built, in epoch seconds; None when that is not known."""
    running: bool
    skipped: int = 0
    """Newer tags between this one and the one above, which are not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTree:
    """The tags of the image of one container, or of one policy."""

    owner: str
    """`prod:deployment/web`, or `ImageRepository/flux-system/web`."""
    part: str
    """The container, or the policy; empty for a repository that no policy follows."""
    image: str
    """Without tag."""
    running: str = ""
    """The tag in use, or the digest where there is no tag; empty when nothing is in use."""
    tags: tuple[TagLine, ...] = ()
    """Newest first; the one in use as the last where it has no place among the others."""
    omitted: int = 0
    """Older tags that are not shown."""
    others: int = 0
    """Tags that the pattern or the policy does not let through."""
    warnings: tuple[str, ...] = ()
    error: str = ""


def list_line(tree: ImageTree, line: Line, limit: int) -> ImageTree:
    """A tree with its tags; `limit` is how many, 0 for all, the one in use not counted.

    Raises:
        WeirError: the registry gives no answer.
    """
    dates = BuildDates(line.repository, line.tags)
    line.repository.read_ahead(line.dated, dates.get)
    ranked = line.policy(dates).ranked(line.tags)
    return _with_tags(replace(tree, warnings=line.warnings), dates, ranked, limit)


def list_versions(tree: ImageTree, dates: BuildDates, limit: int) -> ImageTree:
    """All tags, versions before what is none, which goes by its letters: no build date is read for the order.

    Raises:
        WeirError: the registry gives no answer.
    """

    def place(tag: str) -> tuple[bool, tuple[object, ...], str]:
        version = parse_precedence(tag)
        return version is not None, version or (), tag

    return _with_tags(tree, dates, sorted(dates.tags, key=place, reverse=True), limit)


def workload_trees(
    clusters: Clusters, registries: Registries, wanted: Collection[WorkloadName], limit: int
) -> list[ImageTree]:
    """The trees of all containers that the stack's units run, or of those workloads.

    Raises:
        SpecError: a workload that no unit of the stack has in the cluster.
        ClusterError: the cluster cannot be read.
    """
    running = {name: workload for name, workload in _running(clusters) if not wanted or name in wanted}
    for name in wanted:
        if name not in running:
            hint = "see `weir get kustomizations`, and check the spelling"
            expected = "a live workload that a unit of this stack applied"
            raise SpecError.at(str(name), "", found=None, expected=expected, hint=hint)
    jobs = [
        (name, running[name], container)
        for name in sorted(running, key=str)
        for container in running[name].containers
    ]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="images") as pool:
        return list(pool.map(lambda job: _container_tree(registries, *job, limit=limit), jobs))


def repository_trees(present: Present, registries: Registries, unit: UnitId, limit: int) -> list[ImageTree]:
    """One tree for each policy that follows an ImageRepository, or one of all its tags when none does.

    Raises:
        SpecError: no such ImageRepository is declared.
    """
    repositories = {spec.id: spec for spec in present.specs(ImageRepositorySpec)}
    if unit not in repositories:
        expected = " or ".join(map(str, repositories)) or "a stack that declares one"
        raise SpecError.at("ImageRepository", "", found=str(unit), expected=expected)
    in_use = chosen_images(present.session.clusters)
    policies = [spec for spec in present.specs(ImagePolicySpec) if spec.repository == unit]
    trees = [_policy_tree(registries, spec, repositories, in_use, limit) for spec in policies]
    return trees or [_whole_tree(registries, repositories[unit], limit)]


def chosen_images(clusters: Clusters) -> Mapping[UnitId, str]:
    """What each policy chose last, as the cluster remembers it. Raises ClusterError."""
    return {record.id: record.revision for record in clusters.records.read_all() if record.revision}


def _container_tree(
    registries: Registries, name: WorkloadName, workload: Workload, container: Container, *, limit: int
) -> ImageTree:
    image, policy = container.image, workload.policy
    running = image.tag or image.digest or _NO_TAG
    tree = ImageTree(owner=str(name), part=container.name, image=image.name, running=running)

    def listed() -> ImageTree:
        line = registries.line_of(container_of("cluster", name.namespace, workload, container))
        if policy.automated or container.name in policy.tags:
            return list_line(tree, line, limit)
        return list_versions(
            replace(tree, warnings=line.warnings), BuildDates(line.repository, line.tags), limit
        )

    return _tried(tree, listed)


def _policy_tree(
    registries: Registries,
    spec: ImagePolicySpec,
    repositories: Mapping[UnitId, ImageRepositorySpec],
    in_use: Mapping[UnitId, str],
    limit: int,
) -> ImageTree:
    declared = repositories[spec.repository]
    chosen = in_use.get(spec.id, "")
    running = Image.parse(chosen).tag if chosen else ""
    part = f"{spec.id.namespace}/{spec.id.name}"
    tree = ImageTree(owner=str(declared.id), part=part, image=declared.image, running=running)

    def listed() -> ImageTree:
        found = registries.candidates(replace(spec, suspend=False), repositories)
        return list_line(tree, found.line, limit) if found.line else tree

    return _tried(tree, listed)


def _with_tags(tree: ImageTree, dates: BuildDates, ranked: Sequence[str], limit: int) -> ImageTree:
    shown = list(ranked[:limit] if limit else ranked)
    place = ranked.index(tree.running) if tree.running in ranked else -1
    extra = [tree.running] if tree.running and tree.running not in shown else []
    dates.repository.read_ahead([tag for tag in (*shown, *extra) if tag in dates.tags], dates.get)
    rows = [TagLine(tag, _date(dates, tag), running=tag == tree.running) for tag in shown]
    between = max(0, place - len(shown))
    rows += [TagLine(tag, _date(dates, tag), running=True, skipped=between) for tag in extra]
    return replace(
        tree,
        tags=tuple(rows),
        omitted=max(0, len(ranked) - max(place + 1, len(shown))),
        others=len(dates.tags) - len(ranked),
        warnings=(*tree.warnings, *dates.warnings),
    )


def _whole_tree(registries: Registries, spec: ImageRepositorySpec, limit: int) -> ImageTree:
    tree = ImageTree(owner=str(spec.id), part="", image=spec.image)

    def listed() -> ImageTree:
        dates, outage = registries.dates_of(spec), registries.scan(spec).error
        return list_versions(replace(tree, warnings=(str(outage),) if outage else ()), dates, limit)

    return _tried(tree, listed)


def _tried(tree: ImageTree, make: Callable[[], ImageTree]) -> ImageTree:
    try:
        return make()
    except StopRequested:
        raise
    except WeirError as err:
        return replace(tree, error=str(err))


def _date(dates: BuildDates, tag: str) -> float | None:
    return dates.get(tag) or None if tag in dates.tags else None


def _running(clusters: Clusters) -> Iterator[tuple[WorkloadName, Workload]]:
    for record in clusters.records.read_all():
        if record.id.kind == "Kustomization":
            for item, live in _live(clusters, record).items():
                yield WorkloadName(item.namespace, item.kind, item.name), _workload(item, live)


def _live(clusters: Clusters, record: UnitRecord) -> Mapping[ObjectId, dict[str, Any]]:
    """The live workloads of a unit."""
    spec = read_spec(record)
    items = [(item, version) for item, version in record.inventory if item.kind in KINDS]
    if spec is None or not items:
        return {}
    kube, discovery = clusters.target(spec)
    wanted = {item: discovery.any_version(item.group, item.kind, version) for item, version in items}
    return read_live(kube, wanted, selector=owner_selector(record.id))


def _workload(item: ObjectId, live: Mapping[str, Any]) -> Workload:
    meta = {key: live["metadata"].get(key) for key in ("name", "namespace", "annotations")}
    document = {key: live[key] for key in _KEPT if key in live} | {"metadata": meta}
    return read_workloads(orjson.dumps(document), str(item))[0]
