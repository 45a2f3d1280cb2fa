"""What people do to workloads by commits: release images, automate and deautomate, lock and unlock.

Each workload is looked for in the repository of the unit that renders it. What a command changes in one repository is
one commit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from weir.edit.find_workload import Found, WorkloadName, find_workload
from weir.edit.image_places import KINDS
from weir.edit.summary import Move, format_moves, moves
from weir.edit.workload_commands import Released
from weir.flow.by_hand import Committed, commit, find_source, target_of, with_person
from weir.flow.look import Present
from weir.flow.write_back import Base, Edits
from weir.spec.errors import SpecError, StopRequested, WeirError
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.identity import UnitId
from weir.spec.image_automation import Author
from weir.spec.kustomization import KustomizationSpec

Command = Callable[[Found], Released]
"""What is done to one workload. May be called several times, on other commits."""

Status = Literal["success", "skipped", "failed"]

NOTHING: Final = "up to date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a workload is looked for."""

    workload: WorkloadName
    source: UnitId
    unit: UnitId | None = None
    """The Kustomization that renders it, None when none does."""
    path: str = ""
    """Of that unit, looked into first; empty for the whole repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command came to for one workload."""

    workload: WorkloadName
    status: Status
    why: str = ""
    """Why not, or why not all of it."""
    moves: tuple[Move, ...] = ()
    unit: UnitId | None = None
    in_repo: bool = True
    """Whether the workload was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One command for several workloads."""

    title: str
    """First words of the commit message when none is given: `Release`, `Lock`."""
    command: Command
    message: str = ""
    """Of the commit; empty for one that says what was done."""
    user: str = ""
    dry_run: bool = False
    everything: bool = False
    """Whether the workloads were not named one by one: then some may be in no repository."""


@dataclass(slots=True)
class Report:
    """What a request came to."""

    results: list[Result] = field(default_factory=list)
    commits: list[Committed] = field(default_factory=list)
    failed: bool = False
    """Whether something could not be done that was asked for by name, or something went wrong."""


def rendered_workloads(present: Present) -> tuple[WorkloadName, ...]:
    """All workloads that the stack's units render, by their names."""
    found = {
        WorkloadName(item.namespace, item.kind, item.name)
        for item in present.owners
        if item.kind in KINDS and item.namespace
    }
    return tuple(sorted(found, key=str))


def find_place(present: Present, workload: WorkloadName, source: UnitId | None = None) -> Place:
    """The repository of a workload: the given one, that of the unit that renders it, else the only one there is.

    Raises:
        SpecError: there are several; names them.
    """
    owners = [
        unit
        for item, units in present.owners.items()
        if (item.namespace, item.kind, item.name) == (workload.namespace, workload.kind, workload.name)
        for unit in units
    ]
    specs = [spec for spec in present.specs(KustomizationSpec) if spec.id in owners]
    specs = [spec for spec in specs if source in (None, spec.source)]
    everything = [spec.id for spec in present.specs(GitRepositorySpec)]
    candidates = {source} if source else {spec.source for spec in specs} or set(everything)
    if len(candidates) != 1:
        named = " or ".join(sorted(map(str, candidates)))
        hint = f"say which with --source namespace/name: {named}" if named else "declare its GitRepository"
        found = f"{len(candidates)} repositories" if candidates else None
        raise SpecError.at(str(workload), "", found=found, expected="one repository that holds it", hint=hint)
    first = specs[0] if specs else None
    path = first.path if first else ""
    return Place(workload=workload, source=candidates.pop(), unit=first.id if first else None, path=path)


def run_request(present: Present, places: Sequence[Place], request: Request) -> Report:
    """Do a command to workloads, in one commit for each repository.

    Raises:
        WeirError: a repository cannot be read or written to.
    """
    report = Report()
    for source in dict.fromkeys(place.source for place in places):
        spec = find_source(present, source)
        target = target_of(present, spec, request.user)
        edit = _Edit([place for place in places if place.source == source], request)
        done = commit(present, target, edit.by(target.author), dry_run=request.dry_run)
        report.results += edit.results
        report.commits += [done] if done else []
    report.failed = any(
        result.status == "failed" or not (result.in_repo or request.everything) for result in report.results
    )
    return report


class _Edit:
    """A command on its way through one commit."""

    def __init__(self, places: Sequence[Place], request: Request) -> None:
        self._places = places
        self._request = request
        self.results: list[Result] = []
        self._edited: dict[str, bytes] = {}
        self._known: dict[str, bytes] = {}

    def by(self, author: Author) -> Callable[[Base], Edits | None]:
        """The edit, whose message names who asked for it when that is not the author."""

        def edit(base: Base) -> Edits | None:
            self._edited, self._known = {}, {}
            self.results = [self._do(base, place) for place in self._places]
            if not self._edited:
                return None
            message = with_person(self._message(), self._request.user, author)
            return Edits(files=self._edited, message=message)

        return edit

    def _do(self, base: Base, place: Place) -> Result:
        def read(path: str) -> bytes:
            if path not in self._known:
                self._known[path] = base.read(path)
            return self._edited.get(path, self._known[path])

        given: dict[str, Any] = {"workload": place.workload, "unit": place.unit}
        try:
            found = _find(base.files(), read, place)
        except SpecError as err:
            return Result(**given, status="skipped", why=f"not in the repository: {err}", in_repo=False)
        try:
            done = self._request.command(found)
        except StopRequested:
            raise
        except WeirError as err:
            return Result(**given, status="failed", why=str(err))
        if done.edited.changes:
            self._edited[found.file] = done.edited.data
        return _result(place, done)

    def _message(self) -> str:
        done = [result for result in self.results if result.status == "success"]
        names = ", ".join(str(result.workload) for result in done)
        table = format_moves([move for result in done for move in result.moves])
        return self._request.message or f"{self._request.title} {names}\n\n{table}"


def _find(paths: Collection[str], read: Callable[[str], bytes], place: Place) -> Found:
    """The workload, first below the unit's own path. Raises SpecError."""
    inside = [path for path in paths if path.startswith(f"{place.path}/")] if place.path else []
    try:
        return find_workload(inside or paths, read, place.workload)
    except SpecError:
        if not inside:
            raise
    return find_workload(paths, read, place.workload)


def _result(place: Place, done: Released) -> Result:
    reasons = {kept.why for kept in done.kept}
    one_by_one = (f"{kept.container}: {kept.why}" for kept in done.kept)
    why = reasons.pop() if len(reasons) == 1 else "; ".join(one_by_one)
    changed = bool(done.edited.changes)
    return Result(
        workload=place.workload,
        status="success" if changed else "skipped",
        why="" if changed else why or NOTHING,
        moves=moves(done.edited.changes),
        unit=place.unit,
    )
