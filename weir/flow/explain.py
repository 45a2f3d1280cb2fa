"""Why a commit is not live: for each source and unit in turn, the first thing that keeps it back. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from weir.select.git_ref import commit_of
from weir.spec.artifact import short_revision
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.identity import UnitId
from weir.spec.kustomization import KustomizationSpec
from weir.spec.record import UnitRecord

Records = Mapping[UnitId, UnitRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHistory:
    """What the server says of a source's reference now."""

    spec: GitRepositorySpec
    revision: str = ""
    """Where it is, in Flux's spelling."""
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Every commit of its history and its parents."""
    error: str = ""
    """Why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One source or unit on the way of a commit into the cluster."""

    unit: UnitId
    passed: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The way of one commit, in its order."""

    commit: str
    steps: tuple[Step, ...]

    @property
    def obstacle(self) -> Step | None:
        """The first thing that keeps the commit back, None when it is live."""
        return next((step for step in self.steps if not step.passed), None)


def explain(
    commit: str, sources: Sequence[SourceHistory], units: Sequence[KustomizationSpec], records: Records
) -> Explanation:
    """The way of a commit that is in the history of at least one source; sources that do not have it are left out."""
    steps: list[Step] = []
    for source in sources:
        if commit not in source.parents:
            continue
        fetched = _fetched(commit, source, records.get(source.spec.id))
        steps.append(fetched)
        waiting = (unit for unit in _in_order(units) if unit.source == source.spec.id)
        steps += [_applied(commit, source, unit, records, fetched=fetched.passed) for unit in waiting]
    return Explanation(commit=commit, steps=tuple(steps))


def _in_order(units: Sequence[KustomizationSpec]) -> Iterator[KustomizationSpec]:
    """By name, each after what it depends on; members of cycles last."""
    rest = {unit.id: unit for unit in sorted(units, key=lambda unit: unit.id)}
    while rest:
        free = [unit for unit in rest.values() if not any(item.id in rest for item in unit.depends_on)]
        for unit in free or list(rest.values()):
            yield rest.pop(unit.id)


def ancestors(parents: Mapping[str, tuple[str, ...]], commit: str) -> frozenset[str]:
    """A commit and everything that it contains."""
    found, todo = set(), [commit]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += parents.get(one, ())
    return frozenset(found)


def _fetched(commit: str, source: SourceHistory, record: UnitRecord | None) -> Step:
    unit = source.spec.id
    at = record.revision if record else ""
    if commit in ancestors(source.parents, commit_of(at)):
        return Step(unit=unit, passed=True, text=f"fetched: at {short_revision(at)}")
    return Step(unit=unit, passed=False, text=f"not fetched: {_why_not_fetched(source, record)}")


def _why_not_fetched(source: SourceHistory, record: UnitRecord | None) -> str:
    if source.spec.suspend or (record and record.suspended):
        return "the source is suspended"
    if record is None:
        return "no run has looked at the source yet"
    if record.ready and record.ready.status == "False":
        return record.ready.message
    return f"the last run found {short_revision(record.revision) or 'nothing'}; the next one fetches it"


def _applied(
    commit: str, source: SourceHistory, unit: KustomizationSpec, records: Records, *, fetched: bool
) -> Step:
    record = records.get(unit.id)
    if record and commit in ancestors(source.parents, commit_of(record.revision)):
        return Step(unit=unit.id, passed=True, text=f"live: applied {short_revision(record.revision)}")
    obstacles = _obstacles(commit, source, unit, records, fetched=fetched)
    return Step(unit=unit.id, passed=False, text=next(obstacles, "not applied yet: the next run does it"))


def _obstacles(
    commit: str, source: SourceHistory, unit: KustomizationSpec, records: Records, *, fetched: bool
) -> Iterator[str]:
    """Everything that keeps a unit from applying a commit, the first thing first."""
    record = records.get(unit.id)
    if unit.suspend or (record and record.suspended):
        yield "suspended"
    if not fetched:
        yield "waits for its source"
    for dependency in unit.depends_on:
        other = records.get(dependency.id)
        if other is None:
            yield f"dependency {dependency.id} is not ready: it was never applied"
        elif other.ready is None or other.ready.status != "True":
            yield f"dependency {dependency.id} is not ready: {other.ready.message if other.ready else ''}"
    ready = record.ready if record else None
    if record and ready and ready.status != "True":
        tried = commit in ancestors(source.parents, commit_of(record.attempted))
        yield f"failed: {ready.message}" if tried else f"failed with what was there before: {ready.message}"
