"""Plans as text: for a terminal, for a program (docs/diff-json.md) and for a pull request.

Everything that comes from Git or from a cluster is escaped for the place it is printed in: a field value must not
move a terminal's cursor or close a Markdown table.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, Literal

from weir.cli._show import as_data
from weir.cli.format_markdown import MARKDOWN_LIMIT, format_markdown
from weir.spec.artifact import short_revision
from weir.spec.changes import Action, FieldChange, ObjectChange
from weir.spec.plan import UnitPlan

Output = Literal["table", "json", "yaml", "markdown"]
OUTPUTS: Final[tuple[Output, ...]] = ("table", "json", "yaml", "markdown")
JSON_VERSION: Final = 1
"""Raised when a field changes its meaning or goes away; new fields do not raise it."""
VALUE_WIDTH: Final = 120
"""Characters of one value in a table."""

SYMBOLS: Final[dict[Action, str]] = {
    Action.CREATE: "+",
    Action.CONFIGURE: "~",
    Action.RECREATE: "±",
    Action.ADOPT: "=",
    Action.DELETE: "-",
    Action.SKIP: "!",
    Action.UNCHANGED: " ",
}


def format_diff(
    units: Sequence[UnitPlan], output: Output, *, stack: str = "", limit: int = MARKDOWN_LIMIT
) -> str:
    """The plans of several units in one of four forms, each ending in a newline.

    Args:
        units: in the order they are applied.
        output: `table` for people, `json` and `yaml` for programs, `markdown` for a pull request's comment.
        stack: shown in the heading and in the JSON.
        limit: characters that the Markdown may have.
    """
    if output == "json":
        return json.dumps(_document(units, stack), indent=2, ensure_ascii=False) + "\n"
    if output == "yaml":
        return as_data(_document(units, stack), output)
    if output == "markdown":
        return format_markdown(units, stack, summarize(units), limit)
    lines = [line for unit in units for line in _unit_lines(unit)]
    return "\n".join([*lines, f"Summary: {summary_line(units)}"]) + "\n"


def summarize(units: Sequence[UnitPlan]) -> dict[str, int]:
    """How many units, units with changes and units in error there are, and how many objects per action."""
    counts: Counter[str] = Counter()
    for unit in units:
        counts.update(unit.changes.counts())
    return {
        "units": len(units),
        "changed": sum(not unit.changes.empty for unit in units),
        "errors": sum(bool(unit.error) for unit in units),
        **{str(action): counts[str(action)] for action in Action},
    }


def summary_line(units: Sequence[UnitPlan]) -> str:
    """`2 units: 1 to create, 3 to configure, 412 unchanged`; zeros are left out."""
    counts = summarize(units)
    noun = "unit" if counts["units"] == 1 else "units"
    words = {str(action): f"to {action}" for action in Action}
    words |= {str(Action.UNCHANGED): "unchanged", str(Action.SKIP): "skipped", "errors": "failed"}
    parts = [f"{counts[key]} {word}" for key, word in words.items() if counts[key]]
    return f"{counts['units']} {noun}: {', '.join(parts) or 'no objects'}"


def plain(text: str, width: int = 0) -> str:
    """One line without control or direction characters, these written as escapes; cut to `width` when given."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _escape(char) for char in text)
    return text[: width - 3] + "..." if width and len(text) > width else text


def _escape(char: str) -> str:
    if char in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[char]
    if unicodedata.category(char) == "Zs":
        return " "
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004 - one byte


def _unit_lines(unit: UnitPlan) -> list[str]:
    lines = [plain(f"{unit.id}  {revisions(unit)}").rstrip()]
    width = max((len(str(change.id)) for change in unit.changes.changes), default=0)
    for change in unit.changes.changes:
        lines += _object_lines(change, min(width, 60))
    if unit.changes.unchanged:
        lines.append(f"    {unit.changes.unchanged} unchanged")
    lines += [f"  ⚠ {plain(warning)}" for warning in unit.changes.warnings]
    if unit.error:
        lines.append(f"  ✗ {plain(unit.error)}")
    return [*lines, ""]


def revisions(unit: UnitPlan) -> str:
    """`old -> new` with short hashes, or only one of them when there is no move to show."""
    old, new = short_revision(unit.revision_old), short_revision(unit.revision_new)
    if old == new or not new:
        return old
    return f"{old or '(new)'} -> {new}"


def _object_lines(change: ObjectChange, width: int) -> list[str]:
    head = f"  {SYMBOLS[change.action]} {change.action:<9} {plain(str(change.id)):<{width}}"
    details = [_field(field) for field in change.fields]
    if change.why:
        details.insert(0, f"({plain(change.why)})")
    if not details:
        return [head.rstrip()]
    indent = " " * (len(head) + 2)
    return [f"{head}  {details[0]}", *(f"{indent}{detail}" for detail in details[1:])]


def _field(field: FieldChange) -> str:
    old, new = (text if text is None else plain(text, VALUE_WIDTH) for text in (field.old, field.new))
    return str(FieldChange(plain(field.path), old, new))


def _document(units: Sequence[UnitPlan], stack: str) -> dict[str, Any]:
    return {
        "version": JSON_VERSION,
        "stack": stack,
        "units": [_unit(unit) for unit in units],
        "summary": summarize(units),
    }


def _unit(unit: UnitPlan) -> dict[str, Any]:
    return {
        "unit": str(unit.id),
        "revision": {"old": unit.revision_old, "new": unit.revision_new},
        "error": unit.error,
        "changes": [_change(change) for change in unit.changes.changes],
        "unchanged": unit.changes.unchanged,
        "warnings": list(unit.changes.warnings),
    }


def _change(change: ObjectChange) -> dict[str, Any]:
    return {
        "object": str(change.id),
        "group": change.id.group,
        "action": str(change.action),
        "why": change.why,
        "fields": [{"path": field.path, "old": field.old, "new": field.new} for field in change.fields],
    }
