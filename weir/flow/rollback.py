"""Bring the files of a unit back to what they were at an earlier revision, by a commit on top of what is there.

Nothing is rewritten or forced: the folder at the unit's path becomes what that commit holds there, everything else in
the repository stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from weir.edges.git.grafting import Graft
from weir.flow.by_hand import Committed, commit, find_source, target_of, with_person
from weir.flow.look import Present
from weir.flow.reporting import SUCCEEDED
from weir.flow.write_back import Base, Edits
from weir.select.git_ref import commit_of
from weir.spec.artifact import short_revision
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId
from weir.spec.image_automation import ImageAutomationSpec
from weir.spec.kustomization import KustomizationSpec
from weir.spec.record import UnitRecord

_SHORTEST: Final = 7
"""Digits of a commit that may stand for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """What a rollback came to."""

    unit: UnitId
    revision: str
    """What the files are brought back to."""
    committed: Committed | None
    """None when the files are as they were then."""
    warnings: tuple[str, ...] = ()


def roll_back(
    present: Present, unit: UnitId, *, to: str = "", message: str = "", user: str = "", dry_run: bool = False
) -> RolledBack:
    """Commit the files of a Kustomization as they were; without `to`, as at its last good result that differs.

    Raises:
        SpecError: no such unit, no such revision, or a source without a branch to commit to.
        WeirError: the repository cannot be read or written to, or has no such folder at that revision.
    """
    units = {spec.id: spec for spec in present.specs(KustomizationSpec)}
    if unit not in units:
        expected = " or ".join(map(str, units)) or "a stack with a Kustomization"
        raise SpecError.at("unit", "", found=str(unit), expected=expected)
    spec = units[unit]
    source = find_source(present, spec.source)
    revision = find_revision(unit, present.session.clusters.records.read_own(unit), to)
    target = target_of(present, source, user)
    title = f"Roll back {unit} to {short_revision(revision)}"
    graft = Graft(spec.path, commit_of(revision))

    def edit(_base: Base) -> Edits:
        return Edits(files={}, message=with_person(message or title, user, target.author), graft=graft)

    done = commit(present, target, edit, dry_run=dry_run)
    warnings = _warnings(present, spec) if done else ()
    return RolledBack(unit=unit, revision=revision, committed=done, warnings=warnings)


def find_revision(unit: UnitId, record: UnitRecord | None, to: str) -> str:
    """The revision that is meant: one of the unit's history by its spelling or its commit, or any whole commit.

    Empty for the last good one whose objects are not those that the unit has now.

    Raises:
        SpecError: there is none; names those that the history holds.
    """
    history = record.history if record else ()
    known = list(dict.fromkeys(entry.revision for entry in history if commit_of(entry.revision)))
    listed = ", ".join(map(short_revision, known)) or "none yet"
    hint = f"its history holds {listed}; a whole commit works too"
    if not to:
        for entry in history[1:]:
            if record and entry.status == SUCCEEDED and entry.digest != record.digest:
                return entry.revision
        raise SpecError.at(
            str(unit), "history", found=None, expected="an earlier result that differs", hint=hint
        )
    digits = to.rpartition(":")[2]
    found = [revision for revision in known if to == revision or _stands_for(digits, commit_of(revision))]
    if len({commit_of(revision) for revision in found}) == 1:
        return found[0]
    if not found and commit_of(digits):
        return to if ":" in to else f"sha1:{to}"
    raise SpecError.at(str(unit), "--to", found=to, expected="one revision of the unit's history", hint=hint)


def _stands_for(digits: str, commit: str) -> bool:
    return len(digits) >= _SHORTEST and commit.startswith(digits)


def _warnings(present: Present, unit: KustomizationSpec) -> tuple[str, ...]:
    """What may undo the rollback at the next run."""
    writing = (
        spec
        for spec in present.specs(ImageAutomationSpec)
        if spec.source == unit.source and not spec.suspend and _overlap(spec.path, unit.path)
    )
    text = "writes to these files: it may bring newer images back at the next run, unless it is suspended"
    return tuple(f"{spec.id} {text}" for spec in writing)


def _overlap(one: str, other: str) -> bool:
    return not one or not other or f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
