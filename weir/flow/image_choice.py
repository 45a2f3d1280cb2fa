"""From the tags of one repository to the image to use: the policy decides, the registry is asked what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from weir.edges.registry.errors import BadAnswerError, MissingError, RegistryError
from weir.edit.image import Image
from weir.select.tag_move import Ages, Decision, decide, reflected_digest
from weir.select.tags import TagPolicy
from weir.spec.duration import format_duration
from weir.spec.errors import SourceError, SpecError
from weir.spec.image_name import ImageName, parse_image_name
from weir.spec.image_policy import MoveRules, Reflection

if TYPE_CHECKING:
    from weir.flow.image_scans import Repository

_BROKEN: Final = (MissingError, BadAnswerError)
"""Errors that are about one tag and say nothing against the others."""
_MOST_BROKEN: Final = 10
"""Tags that cannot be read after which no further one is tried."""
_SHOWN: Final = len("sha256:") + 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What one place should use from now on."""

    image: Image | None
    """The whole reference; the one in use, as it is, where nothing may change. None when none is in use or may be."""
    decision: Decision
    moved: str = ""
    """The digest that the tag in use stands for now, when that is another one than the digest in use."""
    warnings: tuple[str, ...] = ()
    """For people: one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of tags of one repository, and the rules by which it is followed."""

    where: str
    """For messages."""
    name: str
    """Of the image, as it is to be written."""
    tags: tuple[str, ...]
    """What counts."""
    dated: tuple[str, ...] = ()
    """Tags whose build dates the policy needs all."""
    policy: Callable[[Mapping[str, float]], TagPolicy]
    """The policy by the build dates, which it may ask for."""
    moves: MoveRules
    reflection: Reflection
    repository: Repository
    now: Callable[[], float]
    warnings: tuple[str, ...] = ()
    """What is to be said with every choice."""


@dataclass(slots=True)
class BuildDates(Mapping[str, float]):
    """When the images of tags were built, in epoch seconds, asked for one by one."""

    repository: Repository
    tags: tuple[str, ...]
    broken: dict[str, str] = field(default_factory=dict)
    """Why a tag has no date, where that is not as usual."""

    def __getitem__(self, tag: str) -> float:
        try:
            return self.repository.built(tag)
        except _BROKEN as err:
            self.broken[tag] = str(err)
            raise KeyError(tag) from err

    def __iter__(self) -> Iterator[str]:
        return iter(self.tags)

    def __len__(self) -> int:
        return len(self.tags)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence about all that are broken."""
        if not self.broken:
            return ()
        tag, why = min(self.broken.items())
        others = f" (and of {len(self.broken) - 1} more)" if len(self.broken) > 1 else ""
        return (f"the build date of {tag} cannot be read{others}: {why}",)


def choose(line: Line, current: Image | None) -> Choice:
    """What should be used where `current` is in use.

    A tag that cannot be read is passed over. When the registry gives no answer, what is in use stays.

    Raises:
        SourceError: nothing is in use and the registry gives no answer.
        StopRequested: the run was cancelled.
    """
    dates = BuildDates(line.repository, line.tags)
    try:
        line.repository.read_ahead(line.dated, dates.get)
        choice = _choose_readable(line, current, dates)
    except RegistryError as err:
        if current is None:
            raise SourceError(f"{line.where}: {err.message}", hint=err.hint) from err
        choice = hold(current, f"stays as it is: {err}")
    return replace(choice, warnings=(*line.warnings, *dates.warnings, *choice.warnings))


def hold(current: Image | None, reason: str) -> Choice:
    """The choice that leaves everything as it is, with one sentence about why."""
    decision = Decision(tag=current.tag if current else "", verdict="hold", reason=reason)
    return Choice(image=current, decision=decision)


def _choose_readable(line: Line, current: Image | None, dates: BuildDates) -> Choice:
    tag, broken = current.tag if current else "", list[str]()
    policy, ages = line.policy(dates), Ages(dates, line.now())
    tags = line.tags
    while True:
        decision = decide(policy, tags, tag, line.moves, ages)
        if not decision.tag or decision.verdict == "hold":
            return Choice(image=current, decision=decision, warnings=tuple(broken))
        try:
            if decision.moves and not line.repository.confirm(decision.tag):
                continue
            choice = _with_digest(line, current, decision)
            return replace(choice, warnings=(*broken, *choice.warnings))
        except _BROKEN as err:
            if decision.tag == tag or len(broken) == _MOST_BROKEN:
                raise
            broken.append(f"{decision.tag} is passed over: {err}")
            tags = tuple(other for other in tags if other != decision.tag)


def _with_digest(line: Line, current: Image | None, decision: Decision) -> Choice:
    """The image of a tag, with the digest that is to be written. Raises RegistryError when that cannot be known."""
    image = Image(name=line.name, tag=decision.tag)
    before = current.digest if current and _same(current, image) else ""
    found, problem = "", ""
    if line.reflection != "Never":
        try:
            found = line.repository.digest(decision.tag)
        except RegistryError as err:
            if not before:
                raise
            problem = f"the digest of {decision.tag} stays as it is: {err}"
    moved = found if before and found not in ("", before) else ""
    digest = reflected_digest(line.reflection, found or before, before)
    said = [problem] if problem else []
    if moved:
        said.append(
            f"{decision.tag} was pushed again: {_short(before)} is in use, it stands for {_short(moved)} now"
        )
        if digest == moved and not _old_enough(line, moved):
            digest = before
            said.append(
                f"{_short(moved)} waits: it is not known to be {format_duration(line.moves.minimum_age)} old"
            )
    return Choice(image=replace(image, digest=digest), decision=decision, moved=moved, warnings=tuple(said))


def _old_enough(line: Line, digest: str) -> bool:
    """Whether other content under the tag in use is old enough: it is as new an image as that of a new tag."""
    age = line.moves.minimum_age
    return age <= 0 or 0 < line.repository.born(digest) <= line.now() - age


def _same(one: Image, other: Image) -> bool:
    return one.tag == other.tag and _canonical(one.name) == _canonical(other.name)


def _canonical(name: str) -> ImageName | None:
    try:
        return parse_image_name(name)
    except SpecError:
        return None


def _short(digest: str) -> str:
    return digest[:_SHOWN]
