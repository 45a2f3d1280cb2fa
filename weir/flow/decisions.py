"""What happens to each object, decided from its desired and its live form, and the server where needed."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from weir.edges.kube import writing
from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Resource
from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.parallel import each
from weir.edges.kube.reading import read_one
from weir.flow.refusals import forbidden_to_write, refusal_text
from weir.flow.staging import Placed
from weir.objects import annotations as marks
from weir.objects import managed, takeover
from weir.objects.diff import MASK, field_changes
from weir.objects.foresee import after_takeover, overlay
from weir.objects.ignore import strip_ignored
from weir.objects.owned import Verdict, compare
from weir.objects.validate import certain_create
from weir.render.substitute import UNKNOWN
from weir.spec.changes import Action, FieldChange
from weir.spec.errors import WeirError
from weir.spec.identity import ObjectId
from weir.spec.kustomization import KustomizationSpec

Obj = dict[str, Any]

_OWNER: Final = (marks.OWNER_NAME, marks.OWNER_NAMESPACE)
_MARKS: Final = (*_OWNER, *takeover.ANNOTATIONS, *takeover.LABELS)
_READS: Final = 3
"""How often an object that others keep writing is compared anew before the last answer is taken."""
WRITES: Final = frozenset({Action.CREATE, Action.CONFIGURE, Action.RECREATE, Action.ADOPT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One object and the decision about it."""

    id: ObjectId
    desired: Obj
    """As it will be applied: normalised, ignored fields left out."""
    resource: Resource
    live: Obj | None
    action: Action
    fields: tuple[FieldChange, ...] = ()
    why: str = ""
    problem: str = ""
    """Why the server refuses it; nothing of its stage is applied then."""
    guessed: str = ""
    """Why the server was not asked, so that this is weaker than the apply will be."""
    migrate: bool = False
    """Whether managedFields must speak the present API version first."""

    @property
    def blocked(self) -> str:
        """Why a run may not go on with it; empty when it may. That it is new or the same must not be a guess."""
        return self.problem or (self.guessed if self.action in (Action.CREATE, Action.UNCHANGED) else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What all decisions of one plan share."""

    kube: Kube
    spec: KustomizationSpec
    confidential: frozenset[ObjectId] = frozenset()
    """Objects that hold secret values."""
    new_namespaces: frozenset[str] = frozenset()
    """Those that this unit or another one of the run brings and that are not there yet."""
    certain: frozenset[tuple[str, str]] = frozenset()
    """(kind, namespace) in which admission cannot refuse what the plain rules accept."""
    known: Mapping[ObjectId, Work] = field(default_factory=dict)
    """Decisions made just now in this process; they hold while object and live object are the same."""
    stop: threading.Event | None = None
    forbidden: dict[tuple[str, str], str] = field(default_factory=dict)
    """(plural, namespace) -> the server's refusal of writes for us there."""

    def is_confidential(self, item: ObjectId) -> bool:
        """Whether values of the object must not be shown."""
        return item.kind == "Secret" or item in self.confidential


def decide(situation: Situation, placed: Sequence[Placed], live: Mapping[ObjectId, Obj]) -> list[Work]:
    """The decision about every object, in the given order. Reads and dry-runs only.

    Raises:
        ClusterError: the server cannot be reached.
        StopRequested: the run was cancelled.
    """
    first = [_recall(situation, *_local(situation, item, live.get(item.id))) for item in placed]
    asked = [index for index, (_, ask) in enumerate(first) if ask]
    sure = frozenset(index for index in asked if _is_sure(situation, first[index][0]))
    leaders, followers = _representatives([(index, first[index][0]) for index in asked], sure)
    results = {index: work for index, (work, _) in enumerate(first)}
    for group in (leaders, followers):
        todo = [index for index in group if index not in sure or not _spared(results, index, leaders)]
        answers = each(
            situation.kube, lambda index: ask_server(situation, results[index]), todo, situation.stop
        )
        results.update(zip(todo, answers, strict=True))
    return [results[index] for index in range(len(placed))]


def _local(situation: Situation, item: Placed, live: Obj | None) -> tuple[Work, bool]:
    """The decision without the server, and whether the server must be asked."""
    common: dict[str, Any] = {"id": item.id, "resource": item.resource, "live": live}
    why = skipped(item.desired, live)
    if why:
        return Work(desired=item.desired, action=Action.SKIP, why=why, **common), False
    if item.pending:
        return Work(desired=item.desired, action=Action.CREATE, guessed=item.pending, **common), False
    try:
        desired = strip_ignored(item.desired, live, situation.spec.ignore)
    except WeirError as err:
        return Work(desired=item.desired, action=Action.CONFIGURE, problem=str(err), **common), False
    if live is None:
        coming = item.id.namespace in situation.new_namespaces
        why = "its Namespace comes in the same run" if coming else ""
        return Work(desired=desired, action=Action.CREATE, guessed=why, **common), not coming
    if compare(desired, live) is Verdict.SAME:
        return Work(desired=desired, action=Action.UNCHANGED, **common), False
    return Work(desired=desired, action=Action.CONFIGURE, **common), True


def _recall(situation: Situation, work: Work, ask: bool) -> tuple[Work, bool]:  # noqa: FBT001 - one pair
    """As given, unless the server was asked just now about the very same."""
    before = situation.known.get(work.id) if ask else None
    if before is None or before.problem or before.guessed or before.migrate:
        return work, ask
    same = (before.resource, before.desired) == (work.resource, work.desired)
    if not same or _version(before.live) != _version(work.live):
        return work, ask
    return replace(before, live=work.live), False


def skipped(desired: Obj | None, live: Obj | None) -> str:
    """Why the object is left alone by its own word; empty when it is not."""
    if marks.reconcile_disabled(desired, live):
        return f"{marks.RECONCILE}: disabled"
    mode = marks.ssa_mode(desired, live)
    if mode == "Ignore" or (mode == "IfNotPresent" and live is not None):
        return f"{marks.SSA}: {mode}"
    return ""


def _is_sure(situation: Situation, work: Work) -> bool:
    """Whether the server certainly accepts the object, if it accepts another one of its kind and namespace."""
    place = (work.id.kind, work.id.namespace)
    return work.action is Action.CREATE and place in situation.certain and certain_create(work.desired)


def _representatives(works: Sequence[tuple[int, Work]], sure: Collection[int]) -> tuple[list[int], list[int]]:
    """One object of each (kind, namespace) whose creation is otherwise certain goes first; the rest follow."""
    leaders: dict[tuple[str, str], int] = {}
    followers = []
    for index, work in works:
        key = (work.id.kind, work.id.namespace)
        if index in sure and key not in leaders:
            leaders[key] = index
        else:
            followers.append(index)
    return list(leaders.values()), followers


def _spared(results: Mapping[int, Work], index: int, leaders: Sequence[int]) -> bool:
    """Whether the server need not be asked about a sure object: it has accepted the one that speaks for it."""
    work = results[index]
    key = (work.id.kind, work.id.namespace)
    return index not in leaders and any(
        (results[leader].id.kind, results[leader].id.namespace) == key and not results[leader].problem
        for leader in leaders
    )


def ask_server(situation: Situation, work: Work) -> Work:
    """The decision after a server-side dry-run."""
    place = (work.resource.plural, work.id.namespace)
    if place in situation.forbidden:
        return _without_server(situation, work, situation.forbidden[place])
    try:
        work, merged = _foreseen(situation, work)
    except KubeStatusError as err:
        return _refused(situation, work, err)
    if work.live is None:
        return replace(work, guessed="")
    return _changed(situation, work, merged)


def _foreseen(situation: Situation, work: Work) -> tuple[Work, Obj]:
    """What the server would store, and the work with the live object that the answer is based on.

    A controller may write between the read and the dry-run; its fields would look like changes of ours. Raises as
    `writing.apply`.
    """
    kube, resource = situation.kube, work.resource
    for _ in range(_READS):
        merged = writing.apply(kube, resource, work.desired, dry_run=True, brief=work.live is None)
        if work.live is None or _version(work.live) == _version(merged):
            break
        live = read_one(kube, resource, work.id) or work.live
        work = replace(work, live=live)
        if _version(live) == _version(merged):
            break
    return work, merged


def _version(obj: Obj | None) -> str:
    return str(obj["metadata"].get("resourceVersion") or "") if obj else ""


def _refused(situation: Situation, work: Work, err: KubeStatusError) -> Work:
    confidential = situation.is_confidential(work.id)
    text = refusal_text(work.id, err, work.desired, work.live, confidential=confidential)
    if forbidden_to_write(err):
        situation.forbidden[work.resource.plural, work.id.namespace] = text
        return _without_server(situation, work, text)
    if work.live is not None and err.immutable:
        return _immutable(situation, work, text)
    if (
        work.live is not None
        and "field not declared in schema" in err.message
        and takeover.migrate_patch(work.live)
    ):
        fields = _show(situation, work, field_changes(work.live, overlay(work.live, work.desired)))
        why = "its managedFields speak an older API version"
        return replace(work, fields=fields, why=why, guessed=why, migrate=True)
    return replace(work, why="would be refused", problem=text)


def _immutable(situation: Situation, work: Work, text: str) -> Work:
    live = work.live or {}
    fields = _show(situation, work, field_changes(live, overlay(live, work.desired)))
    if situation.spec.force or marks.force_enabled(work.desired, live):
        return replace(
            work, action=Action.RECREATE, fields=fields, why="an immutable field changes, and force is set"
        )
    return replace(work, fields=fields, why="an immutable field changes", problem=text)


def _without_server(situation: Situation, work: Work, text: str) -> Work:
    """The preview of somebody who may read but not write: compare by hand. An apply fails with `problem`."""
    guessed = f"the server's dry-run was refused ({text})"
    if work.live is None:
        return replace(work, guessed=guessed, problem=text)
    fields = _show(situation, work, field_changes(work.live, overlay(work.live, work.desired)))
    if not fields and not takeover.due(work.live, work.desired):
        return replace(work, action=Action.UNCHANGED, guessed=guessed)
    action = Action.CONFIGURE if fields else Action.ADOPT
    return replace(work, action=action, fields=fields, why=_why(work), guessed=guessed, problem=text)


def _changed(situation: Situation, work: Work, merged: Obj) -> Work:
    live = work.live or {}
    moving = takeover.due(live, work.desired)
    foreseen = after_takeover(live, merged) if moving else merged
    fields = _show(situation, work, field_changes(live, foreseen))
    if not fields and not moving and _owners(live) == _owners(merged):
        return replace(work, action=Action.UNCHANGED)
    adopted = all(_is_mark(change) for change in fields) and (
        moving or managed.applied(live) is None or not fields
    )
    if adopted:
        why = _why(work) or "takes over fields that it did not set yet"
        return replace(work, action=Action.ADOPT, fields=fields, why=why)
    return replace(work, action=Action.CONFIGURE, fields=fields, why=_why(work))


def _why(work: Work) -> str:
    """Where the object comes from, when it was not ours alone."""
    live = work.live or {}
    before, now = marks.owner(live), marks.owner(work.desired)
    if before[1] and before != now:
        return f"moves from Kustomization/{before[0]}/{before[1]}"
    managers = takeover.foreign_managers(live) if takeover.due(live, work.desired) else ()
    if managers:
        return f"takes over from {', '.join(managers)}"
    return "" if managed.applied(live) else "exists already, not applied by Weir yet"


def _is_mark(change: FieldChange) -> bool:
    """Whether the field only says who owns the object: our labels, and what former owners left."""
    return _names(change, _MARKS)


def _names(change: FieldChange, keys: Collection[str]) -> bool:
    """Whether the field is the label or annotation of one of the keys."""
    return any(f'["{key}"]' in change.path for key in keys)


def _owners(obj: Obj) -> list[Obj]:
    """The managedFields without times."""
    return [{key: value for key, value in entry.items() if key != "time"} for entry in managed.entries(obj)]


def _show(situation: Situation, work: Work, fields: Iterable[FieldChange]) -> tuple[FieldChange, ...]:
    """The fields; of an object that holds secret values only the owner is shown, for a variable may stand anywhere."""
    if work.id not in situation.confidential:
        return tuple(fields)
    return tuple(change if _names(change, _OWNER) else _masked(change) for change in fields)


def _masked(change: FieldChange) -> FieldChange:
    """Without its values; that one is not known yet is no secret."""
    old, new = change.old and f"{MASK} (before)", change.new and f"{MASK} (after)"
    return replace(change, old=old, new=change.new if change.new == UNKNOWN else new)
