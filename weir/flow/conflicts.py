"""Objects that belong to somebody else: another stack's unit that still wants them."""

from __future__ import annotations

from collections.abc import Sequence

from weir.edges.kube.records import Records
from weir.flow.decisions import WRITES
from weir.flow.plan import Plan
from weir.objects import annotations as marks
from weir.spec.errors import ClusterError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import UnitRecord
from weir.spec.stack import OptionsConfig


def refuse_other_stack(record: UnitRecord | None, stack: str, options: OptionsConfig) -> None:
    """Refuse a unit of the same name that another stack keeps on this cluster: its objects would be pruned.

    Raises:
        ClusterError: the record is another stack's, and not that of `weir:options.formerStack`.
    """
    if record is None or record.stack in (stack, options.former_stack):
        return
    hint = (
        "give the unit another name or namespace; "
        f"or, when this stack takes over for good, set weir:options.formerStack: {record.stack}"
    )
    raise ClusterError(f"{record.id}: found it in stack {record.stack}, expected stack {stack}", hint=hint)


def refuse_other_backend(record: UnitRecord | None, backend: str, options: OptionsConfig) -> None:
    """Refuse to remove a unit that another stack of the same name keeps on this cluster.

    A stack whose state was lost takes its units back from the cluster's records; those of another one look the same,
    but for where their state is kept.

    Args:
        record: of a unit that would be removed.
        backend: where the stack's state is kept (`state_home`); empty when that is not known.
        options: of the stack.

    Raises:
        ClusterError: the unit was last applied from another backend.
    """
    if record is None or options.allow_mass_delete or "" in (record.backend, backend):
        return
    if record.backend != backend:
        hint = (
            "give one of the stacks another name or another recordNamespace in weir:cluster; "
            "or, when the state was moved here, set weir:options allowMassDelete for one run"
        )
        raise ClusterError(
            f"{record.id}: found it in a stack of this name whose state is kept elsewhere; it is not removed",
            hint=hint,
        )


def other_owners(unit: UnitId, plan: Plan, records: Records) -> Sequence[str]:
    """One sentence for every object whose labels name a unit of another stack that has it in its inventory.

    Within a stack an object may move from unit to unit, and two units that render it are refused before this.

    Raises:
        ClusterError: a record cannot be read.
    """
    claims: dict[UnitId, list[ObjectId]] = {}
    for stage in plan.stages:
        for work in stage:
            if work.live is None or work.action not in WRITES:
                continue
            namespace, name = marks.owner(work.live)
            owner = UnitId(unit.kind, namespace, name)
            if name and owner != unit:
                claims.setdefault(owner, []).append(work.id)
    found = []
    for owner, items in claims.items():
        record = records.read(owner)
        if record is None or record.stack == records.stack:
            continue
        owned = {item for item, _ in record.inventory}
        found += [
            f"{item}: found in {owner} of stack {record.stack}, expected no other owner; remove it there first"
            for item in items
            if item in owned
        ]
    return found
