"""What a unit shows: log lines of its plan, texts of its spec and of its result."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import orjson

from provider.engine import Engine
from provider.props import Props, plain
from weir.flow.apply import UnitResult
from weir.spec.changes import Action, ChangeSet, ObjectChange
from weir.spec.confidential import is_open
from weir.spec.documents import Document
from weir.spec.record import UnitRecord

NAMED: Final = 20
"""Lines in one unit's plan."""
_LEAST_WARNINGS: Final = 3
_LONG: Final = 200
"""Characters of a spec value that is shown as it is; longer ones, and lists, by digest."""


def log_plan(engine: Engine, urn: str, changeset: ChangeSet, warnings: Sequence[str]) -> None:
    """Show which objects would change, at most 20, then a count; and where the plan is weaker."""
    lines = [_line(change) for change in changeset.changes]
    if len(lines) > NAMED:
        lines = [*lines[: NAMED - 1], f"... and {len(lines) - NAMED + 1} more"]
    if lines:
        engine.log("info", urn, "\n".join(lines))
    told = [*warnings, *changeset.warnings]
    room = max(NAMED - len(lines), _LEAST_WARNINGS)
    for warning in told[:room]:
        engine.log("warning", urn, warning)
    if len(told) > room:
        engine.log("warning", urn, f"... and {len(told) - room} more warnings; weir diff shows them all")


def _line(change: ObjectChange) -> str:
    first = f"  {change.fields[0]}" if change.fields else ""
    more = f" (+{len(change.fields) - 1} fields)" if len(change.fields) > 1 else ""
    why = f"  ({change.why})" if change.why else ""
    return f"{change.action:<9} {change.id}{first}{more}{why}"


def changes_props(changeset: ChangeSet) -> Props:
    """The `changes` input, without what is skipped; nothing when nothing changes."""
    kept = tuple(change for change in changeset.changes if change.action is not Action.SKIP)
    return {"changes": plain(ChangeSet(kept).as_props())} if kept else {}


def spec_props(document: Document) -> Props:
    """The fields of a unit's spec as texts: short ones as written, long ones, lists and secret ones by their digest."""
    fields = document.data.get("spec") or {}
    return {
        key: _spec_text(value, shown=is_open(document, key))
        for key, value in fields.items()
        if key not in ("sourceRef", "suspend")
    }


def _spec_text(value: object, *, shown: bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if shown and isinstance(value, str | int | float) and len(str(value)) <= _LONG:
        return str(value)
    payload = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return f"sha256:{hashlib.sha256(payload).hexdigest()[:16]}"


def last_result(record: UnitRecord | None, unhealthy: str) -> Props:
    """The `result` input: why a unit must be updated although no object changes; nothing when all is well."""
    if unhealthy:
        return {"result": plain(unhealthy)}
    if record and record.ready and record.ready.status != "True":
        return {"result": plain(f"{record.ready.reason}: {record.ready.message}")}
    return {}


def outputs_of(inputs: Props, result: UnitResult) -> Props:
    """The state to keep after an apply: the inputs without the plan, the result and the inventory."""
    kept = {key: value for key, value in inputs.items() if key not in ("changes", "result")}
    return kept | record_outputs(result.record)


def record_outputs(record: UnitRecord) -> Props:
    """The result as the cluster's record has it."""
    ready = record.ready
    return {
        "ready": ready.status if ready else "Unknown",
        "reason": ready.reason if ready else "",
        "message": plain(ready.message) if ready else "",
        "objects": str(len(record.inventory)),
        "inventory": "\n".join(f"{item.entry} {version}" for item, version in record.inventory),
    }
