"""What `weir trace` shows: blocks as those of `flux trace`, or plain values."""

from __future__ import annotations

from typing import Any, Final

from weir.cli.format import plain
from weir.cli.format_age import age, moment, since
from weir.cli.format_get import record_as_data
from weir.cli.format_status import NOT_YET
from weir.flow.trace import Link, Traced
from weir.spec.artifact import short_hashes, short_revision

_WIDTH: Final = 16
_REFERENCES: Final = ("branch", "tag", "semver", "name", "commit")


def format_trace(traced: Traced, stack: str, now: float) -> str:
    """Object, unit and source as blocks of `Key: value` between lines of `---`. `now` in epoch seconds."""
    blocks = [_object(traced, stack)]
    if traced.unit:
        path = str((traced.unit.document.get("spec") or {}).get("path") or "./")
        blocks.append(_block(traced.unit, {"Path": path}, now))
    if traced.source:
        lines = _block(traced.source, _where(traced.source), now)
        if traced.commit:
            when = age(now - traced.commit.at)
            lines["Commit"] = f"{traced.commit.subject} ({traced.commit.author}, {when} ago)"
        blocks.append(lines)
    return "---\n".join(map(_text, blocks))


def trace_as_data(traced: Traced) -> dict[str, Any]:
    """The same as plain values: `object`, `live`, `through`, `unit` and `source` as in `weir get -o json`, `commit`."""
    commit = traced.commit
    return {
        "object": str(traced.object),
        "live": traced.live,
        "through": [str(item) for item in traced.through],
        "owner": str(traced.named) if traced.named else None,
        "unit": record_as_data(traced.unit.record) if traced.unit else None,
        "source": record_as_data(traced.source.record) if traced.source else None,
        "commit": commit
        and {
            "subject": commit.subject,
            "author": commit.author,
            "at": moment(commit.at),
        },
    }


def _object(traced: Traced, stack: str) -> dict[str, str]:
    item = traced.object
    lines = {"Object": f"{item.kind}/{item.name}", "Namespace": item.namespace}
    if traced.through:
        lines["Owned by"] = ", ".join(f"{one.kind}/{one.name}" for one in traced.through)
    if traced.unit is None and traced.named:
        lines["Status"] = f"Labelled as part of {traced.named}, which stack {stack} has no record of"
    elif traced.unit is None:
        lines["Status"] = "Not managed by Weir" if traced.live else "Not in the cluster"
    else:
        lines["Status"] = "Managed by Weir" if traced.live else "Managed by Weir, not in the cluster"
    return lines


def _block(link: Link, details: dict[str, str], now: float) -> dict[str, str]:
    record = link.record
    ready = record.ready
    lines = {record.id.kind: record.id.name, "Namespace": record.id.namespace, **details}
    lines["Revision"] = short_revision(record.revision)
    word = "Suspended" if record.suspended else "Last reconciled"
    lines["Status"] = f"{word} at {ready.at} ({since(ready.at, now)} ago)" if ready and ready.at else NOT_YET
    lines["Message"] = short_hashes(ready.message) if ready else ""
    return lines


def _where(source: Link) -> dict[str, str]:
    spec = source.document.get("spec") or {}
    reference = spec.get("ref") or {}
    given = {name.capitalize(): str(reference[name]) for name in _REFERENCES if reference.get(name)}
    return {"URL": str(spec.get("url", "")), **(given or {"Branch": "master"})}


def _text(block: dict[str, str]) -> str:
    lines = [f"{f'{key}:'.ljust(_WIDTH)}{plain(value)}" for key, value in block.items() if value]
    return "\n".join(lines) + "\n"
